"""What every benchmark here measures: ratios of things run in turn on one machine.

Absolute times drift with whatever else the machine does. Two ways run in turn drift together, so
the ratio of their medians is what is kept, compared with a goal, and with earlier ratios.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import getdoc, getmodule, signature
from pathlib import Path


@dataclass(frozen=True)
class Ratio:
    """One row of the table.

    Attributes:
        what: Was timed, in words; with ``against`` the name of the row.
        against: Was timed beside it.
        value: Ratio of the medians.
        goal: Least or most that it should be; None where nothing was set.
        higher: Whether more is better: a speed over another one, and not a time over another one.
        missing: Why there is no value, which then is nan; None where there is one.
    """

    what: str
    against: str
    value: float
    goal: float | None = None
    higher: bool = False
    missing: str | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal or a value."""
        if self.goal is None or self.missing is not None:
            return None
        return self.value >= self.goal if self.higher else self.value <= self.goal


def in_turn(
    ways: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each way, in rounds of all; one round before is not counted.

    Args:
        ways: By name.
        rounds: How many seconds are taken of each.
        clock: ``time.process_time`` where one thread works, which other work hardly changes.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = clock()
            way()
            if number:
                seconds[name].append(clock() - started)
    return seconds


def ratio_of(seconds: Sequence[float], against: Sequence[float]) -> float:
    """Of the medians."""
    return statistics.median(seconds) / statistics.median(against)


def machine() -> str:
    """What the ratios were measured on."""
    import torch  # here: of a process that measures others' memory, little should be memory itself

    parts = [_processor(), f"{os.cpu_count()} cores", f"{torch.get_num_threads()} threads"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join((*parts, f"Python {platform.python_version()}", f"torch {torch.__version__}"))


def table(ratios: Sequence[Ratio]) -> str:
    """The rows as Markdown."""
    lines = ["| what | against | ratio | goal |", "|---|---|---|---|"]
    for row in ratios:
        goal = "" if row.goal is None else f"{'at least' if row.higher else 'at most'} {row.goal:g}"
        missed = ", **missed**" if row.reached is False else ""
        value = f"{row.value:.2f}" if row.missing is None else f"not measured: {row.missing}"
        lines.append(f"| {row.what} | {row.against} | {value} | {goal}{missed} |")
    return "\n".join(lines)


def as_script(measure: Callable[..., Sequence[Ratio]], **described: str) -> None:
    """Measure as a command asks for it, and print the table.

    Args:
        measure: Of a benchmark. Its parameters without default are paths to be given in order, the
            others are options.
        described: What some of them are, for the help.
    """
    about = (getdoc(getmodule(measure)) or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=about)
    for name, parameter in signature(measure).parameters.items():
        default, text = parameter.default, described.get(name)
        if default is parameter.empty:
            parser.add_argument(name, type=Path, help=text)
        else:
            kind = Path if default is None else type(default)
            parser.add_argument(
                f"--{name.replace('_', '-')}", type=kind, default=default, help=text
            )
    show(measure(**vars(parser.parse_args())))


def show(ratios: Sequence[Ratio]) -> None:
    """Print the machine and the table."""
    print(f"{machine()}\n\n{table(ratios)}")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
