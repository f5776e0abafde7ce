"""Time ``wsss --help`` beside an interpreter that does nothing.

    python benchmarks/startup.py

Both in fresh processes, by the clock on the wall, which is what one waits for: run it on an idle
machine. Bytecode is kept, as Python does unless told otherwise. The second row is the same time by
itself, since a person's patience is no ratio.
"""

import os
import statistics
import subprocess
import sys
from math import nan
from pathlib import Path

from ratios import Ratio, as_script, in_turn, ratio_of

HELP, PASS, SECOND = "wsss --help", "python -c pass", "a second"


def measure(*, rounds: int = 15) -> list[Ratio]:
    """Against the interpreter, and against a second."""
    wsss = Path(sys.executable).with_name("wsss")
    if not wsss.exists():
        reason = f"{wsss} is not there: install wsss where this Python is"
        return [
            Ratio(HELP, PASS, nan, 6, missing=reason),
            Ratio(HELP, SECOND, nan, 0.25, missing=reason),
        ]
    seconds = in_turn(
        {
            HELP: lambda: _run([str(wsss), "--help"]),
            PASS: lambda: _run([sys.executable, "-c", "pass"]),
        },
        rounds,
    )
    return [
        Ratio(HELP, PASS, ratio_of(seconds[HELP], seconds[PASS]), 6),
        Ratio(HELP, SECOND, statistics.median(seconds[HELP]), 0.25),
    ]


def _run(command: list[str]) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=kept)


if __name__ == "__main__":
    as_script(measure)
