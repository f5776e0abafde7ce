"""Progress on stderr: bars on a terminal, a line now and then elsewhere, nothing with --quiet."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Seconds between plain lines, and before the first: quick work stays silent.
LINE_EVERY = 10.0
FIRST_LINE_AFTER = 2.0


def say(message: str) -> None:
    """Say something on stderr."""
    print(message, file=sys.stderr, flush=True)


class Lines:
    """A track for pipelines and log files: plain lines."""

    def __init__(self) -> None:
        self._detail = ""

    def steps(
        self, items: Iterable[T], *, total: int, label: str, done: int = 0, unit: str = "images"
    ) -> Iterator[T]:
        """Yield ``items``, reporting count, rate and remaining time."""
        started = time.monotonic()
        due = started + FIRST_LINE_AFTER
        said = False
        count = done
        self._detail = ""
        for item in items:
            yield item
            count += 1
            now = time.monotonic()
            if now >= due:
                say(f"{label}: {self._standing(count, done, total, now - started, unit)}")
                due = now + LINE_EVERY
                said = True
        if said:
            say(f"{label}: {count}/{total} {unit} in {duration(time.monotonic() - started)}")

    def detail(self, text: str) -> None:
        """Add a text to the next lines."""
        self._detail = text

    def note(self, message: str) -> None:
        """Print the remark."""
        say(message)

    def _standing(self, count: int, done: int, total: int, seconds: float, unit: str) -> str:
        rate = (count - done) / seconds
        left = duration((total - count) / rate) if rate else "?"
        parts = [f"{count}/{total} {unit}", f"{rate:.3g}/s", f"{left} left", self._detail]
        return ", ".join(part for part in parts if part)


class Bars:
    """A track for people: bars with count, rate and remaining time."""

    def __init__(self) -> None:
        self._detail = ""

    def steps(
        self, items: Iterable[T], *, total: int, label: str, done: int = 0, unit: str = "images"
    ) -> Iterator[T]:
        """Yield ``items`` beside a bar that disappears when they are done."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(f"{unit} {{task.fields[rate]}} {{task.fields[detail]}}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._detail = ""
        started = time.monotonic()
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(label, total=total, completed=done, rate="", detail="")
            for count, item in enumerate(items, start=1):
                yield item
                rate = count / max(1e-9, time.monotonic() - started)
                progress.update(task, advance=1, rate=f"{rate:.3g}/s", detail=self._detail)

    def detail(self, text: str) -> None:
        """Show a text beside the bar."""
        self._detail = text

    def note(self, message: str) -> None:
        """Print the remark."""
        say(message)


def duration(seconds: float) -> str:
    """A time for people: ``40 s``, ``3 min 05 s``, ``7 h 30 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
