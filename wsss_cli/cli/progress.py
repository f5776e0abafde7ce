"""Progress on stderr: bars on a terminal, a line now and then elsewhere, nothing with --quiet."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from wsss_cli.cli.wrapping import folded_for
from wsss_cli.tracking import single

T = TypeVar("T")

# Seconds between plain lines, and before the first: quick work stays silent.
LINE_EVERY = 10.0
FIRST_LINE_AFTER = 2.0


def say(message: str) -> None:
    """Say something on stderr."""
    print(folded_for(sys.stderr, message), file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Pace:
    """How fast something goes.

    Attributes:
        made: What has been done.
        missing: What is left to do.
        seconds: How long the first has taken.
    """

    made: int
    missing: int
    seconds: float

    @property
    def rate(self) -> str:
        """So many a second."""
        return f"{self.made / max(1e-9, self.seconds):.3g}/s" if self.made else ""

    @property
    def times(self) -> str:
        """The time gone by and, as soon as something is done, about how long the rest takes."""
        gone = f"{duration(self.seconds)} so far"
        if not self.made:
            return gone
        return f"{gone}, {duration(self.seconds / self.made * self.missing)} left"


class Lines:
    """A track for pipelines and log files: plain lines."""

    def __init__(self) -> None:
        self._detail = ""

    def steps(
        self,
        items: Iterable[T],
        *,
        total: int,
        label: str,
        done: int = 0,
        unit: str = "images",
        size: Callable[[T], int] = single,
    ) -> Iterator[T]:
        """Yield ``items``, reporting count, rate and times."""
        started = time.monotonic()
        due = started + FIRST_LINE_AFTER
        said = False
        count = done
        self._detail = ""
        for item in items:
            yield item
            count += size(item)
            now = time.monotonic()
            if now >= due:
                pace = Pace(count - done, total - count, now - started)
                told = f"{count}/{total} {unit}", pace.rate, pace.times, self._detail
                say(f"{label}: {', '.join(filter(None, told))}")
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


class Bars:
    """A track for people: bars with count, rate and remaining time."""

    def __init__(self) -> None:
        self._detail = ""

    def steps(
        self,
        items: Iterable[T],
        *,
        total: int,
        label: str,
        done: int = 0,
        unit: str = "images",
        size: Callable[[T], int] = single,
    ) -> Iterator[T]:
        """Yield ``items`` beside a bar that disappears when they are done.

        The bar takes what the words leave of the terminal; what is left of the time is computed
        from what is done, and shown from the first item on.
        """
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
        from rich.table import Column
        from rich.text import Text

        class Times(ProgressColumn):
            """Time gone by and time left, which go on while nothing is finished."""

            def render(self, task: Task) -> Text:
                made, missing = task.fields["pace"]
                return Text(Pace(made, missing, time.monotonic() - started).times)

        def whole(text: str) -> TextColumn:
            return TextColumn(text, markup=False, table_column=Column(no_wrap=True))

        columns = (
            whole("{task.description}"),
            BarColumn(bar_width=None),
            whole(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}"),
            whole("{task.fields[rate]}"),
            Times(table_column=Column(no_wrap=True)),
            whole("{task.fields[detail]}"),
        )
        self._detail = ""
        started = time.monotonic()
        fields: dict[str, Any] = {"pace": (0, total - done), "rate": "", "detail": ""}
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, expand=True) as progress:
            task = progress.add_task(label, total=total, completed=done, **fields)
            count = done
            for item in items:
                yield item
                count += size(item)
                pace = Pace(count - done, total - count, time.monotonic() - started)
                progress.update(
                    task,
                    completed=count,
                    rate=pace.rate,
                    pace=(pace.made, pace.missing),
                    detail=self._detail,
                )

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
