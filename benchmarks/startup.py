"""Time every help, and wrong usage, beside an interpreter that does nothing.

    python benchmarks/startup.py

All in fresh processes, by the clock on the wall, which is what one waits for: run it on an idle
machine. Bytecode is kept, as Python does unless told otherwise. Two rows are times by themselves,
since a person's patience is no ratio.
"""

import os
import statistics
import subprocess
import sys
from math import nan
from pathlib import Path

from ratios import Ratio, as_script, in_turn, ratio_of

HELP, PASS, SECOND = "wsss --help", "python -c pass", "a second"
SLOWEST = "the slowest wsss COMMAND --help"
WRONG = "wrong usage told: wsss train --data nowhere"


def measure(*, rounds: int = 15) -> list[Ratio]:
    """Against the interpreter, and against a second."""
    wsss = Path(sys.executable).with_name("wsss")
    goals = {(HELP, PASS): 6, (HELP, SECOND): 0.25, (SLOWEST, PASS): 6, (WRONG, SECOND): 0.5}
    if not wsss.exists():
        reason = f"{wsss} is not there: install wsss where this Python is"
        return [Ratio(*names, nan, goal, missing=reason) for names, goal in goals.items()]
    from wsss_cli.cli.app import app

    lines = [[name] for name in app.commands]
    lines += [["data", name] for name in app.commands["data"].commands]
    command = str(wsss)
    seconds = in_turn(
        {
            HELP: lambda: _run([command, "--help"]),
            PASS: lambda: _run([sys.executable, "-c", "pass"]),
            WRONG: lambda: _run([command, "train", "--data", "nowhere"], code=2),
            **{
                " ".join(line): lambda line=line: _run([command, *line, "--help"]) for line in lines
            },
        },
        rounds,
    )
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    slowest = max((" ".join(line) for line in lines), key=lambda name: medians[name])
    print(f"slowest help: {slowest}", file=sys.stderr)
    values = {
        (HELP, PASS): ratio_of(seconds[HELP], seconds[PASS]),
        (HELP, SECOND): medians[HELP],
        (SLOWEST, PASS): ratio_of(seconds[slowest], seconds[PASS]),
        (WRONG, SECOND): medians[WRONG],
    }
    return [Ratio(*names, values[names], goal) for names, goal in goals.items()]


def _run(command: list[str], code: int = 0) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, check=False, env=kept)
    if done.returncode != code:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr!r}")


if __name__ == "__main__":
    as_script(measure)
