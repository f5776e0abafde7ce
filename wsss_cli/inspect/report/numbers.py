"""Every score on the page, with its address in the JSON of ``wsss evaluate`` that it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wsss_cli.configs.results import BY_INTEREST, RESULTS
from wsss_cli.inspect.report.run_records import RunRecord


@dataclass(frozen=True)
class Number:
    """A number of an evaluation.

    Attributes:
        value: As it stands in the JSON.
        shown: As it stands on the page.
        source: ``RUN/WHAT/POINTER``: number of the run from 0, what was scored, and a JSON pointer
            (RFC 6901) into ``RUN/evaluate/WHAT.json``.
    """

    value: float
    shown: str
    source: str


@dataclass(frozen=True)
class Score:
    """One cell: a number, perhaps with its interval."""

    number: Number | None
    low: Number | None = None
    high: Number | None = None


@dataclass(frozen=True)
class ScoreRow:
    """One score of all runs; with ``heading`` a new kind of result begins."""

    title: str
    cells: Sequence[Score]
    heading: str = ""


def percent(value: float) -> str:
    """A share as the page shows it."""
    return f"{100 * value:.1f}"


class Evaluations:
    """The scores of all runs, by their places."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self._records = records

    def number(self, run: int, result: str, *keys: str | int, shown: str = "") -> Number | None:
        """What stands at a place; None where it is not there or not defined.

        Args:
            run: Number of the run.
            result: What was scored.
            keys: The way through the JSON.
            shown: Instead of a share in per cent.
        """
        value: Any = self._records[run].scores.get(result)
        for key in keys:
            if not _has(value, key):
                return None
            value = value[key]
        if value is None:
            return None
        pointer = "/".join(str(key).replace("~", "~0").replace("/", "~1") for key in keys)
        return Number(value, shown or percent(value), f"{run}/{result}/{pointer}")

    def count(self, run: int, result: str, *keys: str | int) -> Number | None:
        """A count or another number that is shown as it is."""
        number = self.number(run, result, *keys)
        return number and Number(number.value, f"{number.value:,}".replace(",", " "), number.source)

    def score(self, run: int, result: str, *keys: str) -> Score:
        """A score with the interval beside it, if there is one."""
        above = keys[:-1]
        ends = [
            self.number(run, result, *above, "interval", end) if keys[-1] == "miou" else None
            for end in ("low", "high")
        ]
        return Score(self.number(run, result, *keys), *ends)

    def subject(self) -> str | None:
        """The result that the page is about: the first that all runs have, else the first run's."""
        scored = [set(record.scores) for record in self._records]
        for candidates in (set.intersection(*scored), scored[0]):
            for result in BY_INTEREST:
                if result in candidates:
                    return result
        return None

    def table(self) -> list[ScoreRow]:
        """All scores that any run has, a column for each run."""
        rows = []
        for result in BY_INTEREST:
            of_what = [row for row in self._rows(result) if any(cell.number for cell in row.cells)]
            if of_what:
                first = of_what[0]
                rows += [ScoreRow(first.title, first.cells, RESULTS[result].title), *of_what[1:]]
        return rows

    def _rows(self, result: str) -> list[ScoreRow]:
        places = [(title, keys) for title, *keys in _SCORES]
        baselines = dict.fromkeys(
            name
            for record in self._records
            for name in record.scores.get(result, {}).get("baselines") or ()
        )
        places += [
            (f"{name.replace('_', ' ')}, no learning", ["baselines", name]) for name in baselines
        ]
        runs = range(len(self._records))
        rows = [
            ScoreRow(title, [self.score(run, result, *keys) for run in runs])
            for title, keys in places
        ]
        plain = [
            ScoreRow(title, [Score(self.count(run, result, *keys)) for run in runs])
            for title, *keys in _COUNTS
        ]
        return [*rows, *plain]


_SCORES = (
    ("mIoU", "miou"),
    ("mIoU at a threshold chosen elsewhere", "at_chosen", "miou"),
    ("pixel accuracy", "pixel_accuracy"),
    ("class accuracy", "class_accuracy"),
    ("coverage", "coverage"),
    ("boundary IoU", "boundary_iou"),
    ("background lit at half of the object", "background_lit_at_recall"),
    ("classification mAP", "classification_map"),
    ("MaxBoxAccV2", "max_box_acc_v2"),
    ("PxAP", "pixel_average_precision"),
)
_COUNTS = (("best threshold for these images", "best_threshold"), ("images", "images"))


def _has(value: Any, key: str | int) -> bool:  # noqa: ANN401 - JSON values
    if isinstance(value, list):
        return isinstance(key, int) and key < len(value)
    return isinstance(value, Mapping) and key in value
