"""Time the default test suite, and the tests that neither train nor start a process.

    python benchmarks/suite.py

By the clock on the wall, so on an idle machine. A failing test fails the measurement.
"""

import subprocess
import sys
import time
from pathlib import Path

from ratios import Ratio, as_script

ROOT = Path(__file__).parent.parent


def measure() -> list[Ratio]:
    """Both, against a minute."""
    return [
        Ratio("default test suite", "a minute", _minutes(), 3),
        Ratio("pytest -m fast", "a minute", _minutes("-m", "fast"), 1),
    ]


def _minutes(*arguments: str) -> float:
    command = [sys.executable, "-c", "import pytest; raise SystemExit(pytest.main())"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"pytest {' '.join(arguments)} failed: {done.stdout[-500:]}")
    return (time.perf_counter() - started) / 60


if __name__ == "__main__":
    as_script(measure)
