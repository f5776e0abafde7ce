"""The table of a comparison: mean and deviation over seeds, and which lead is more than chance."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from wsss_cli.metrics.bootstrap import Difference
from wsss_cli.stages.evaluate import FIXED_THRESHOLD, MATCHED_RECALL

Scores = Mapping[str, float | None]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: Name of the score.
        title: For people.
        better: The end that leads; None where no end is better.
        factor: From the score to what is shown.
        digits: Shown after the point.
    """

    name: str
    title: str
    better: Literal["high", "low"] | None
    factor: float = 100
    digits: int = 1


# The order of the table; `painted_saliency` is the baseline of `proxy`.
COLUMNS = (
    Column("classification_map", "mAP", "high"),
    Column("attention_best", "attention, best threshold", "high"),
    Column("attention_fixed", f"attention at {FIXED_THRESHOLD}", "high"),
    Column("background_lit", f"background lit at recall {MATCHED_RECALL}", "low"),
    Column("proxy", "proxy", "high"),
    Column("painted_saliency", "painted saliency", None),
    Column("seconds_per_iteration", "s/iteration", "low", factor=1, digits=3),
)


@dataclass(frozen=True)
class Cell:
    """A score over seeds.

    Attributes:
        mean: None where a seed has no such score.
        deviation: Sample standard deviation (n - 1); None with one seed.
        values: Seed by seed.
        leads: The best of its column by more than the larger deviation of it and the second.
    """

    mean: float | None
    deviation: float | None
    values: tuple[float | None, ...]
    leads: bool = False


@dataclass(frozen=True)
class Row:
    """A setting."""

    setting: str
    cells: Mapping[str, Cell]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class Compared:
    """A setting against the reference: differences of mIoU, in [-1, 1]."""

    setting: str
    reference: str
    attention: Difference
    proxy: Difference


def build_rows(scores: Mapping[str, Sequence[Scores]]) -> list[Row]:
    """Tabulate the scores of each setting's seeds.

    Args:
        scores: By setting, one mapping of scores a seed.
    """
    cells = {
        setting: {c.name: _cell([score[c.name] for score in seeds]) for c in COLUMNS}
        for setting, seeds in scores.items()
    }
    for column in COLUMNS:
        leader = _leader({setting: row[column.name] for setting, row in cells.items()}, column)
        if leader is not None:
            cell = cells[leader][column.name]
            cells[leader][column.name] = Cell(cell.mean, cell.deviation, cell.values, leads=True)
    return [
        Row(setting, row, tuple(_threshold(score) for score in scores[setting]))
        for setting, row in cells.items()
    ]


def _cell(values: Sequence[float | None]) -> Cell:
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return Cell(None, None, tuple(values))
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else None
    return Cell(statistics.fmean(numbers), deviation, tuple(values))


def _threshold(scores: Scores) -> float:
    threshold = scores["best_threshold"]
    assert threshold is not None
    return threshold


def _leader(cells: Mapping[str, Cell], column: Column) -> str | None:
    """The setting that leads a column by more than the deviation of the two in front."""
    measured = [
        (cell.mean if column.better == "high" else -cell.mean, cell.deviation, setting)
        for setting, cell in cells.items()
        if cell.mean is not None and cell.deviation is not None
    ]
    if column.better is None or len(measured) < 2:
        return None
    (best, spread, setting), (second, its_spread, _) = sorted(measured, reverse=True)[:2]
    return setting if best - second > max(spread, its_spread) else None


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON values, scores in [0, 1]."""
    return [
        {
            "setting": row.setting,
            "scores": {name: asdict(cell) for name, cell in row.cells.items()},
            "best_thresholds": list(row.thresholds),
        }
        for row in rows
    ]


def as_csv(rows: Sequence[Row]) -> str:
    """A line for each setting: mean and deviation of each score, in [0, 1]."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ends = ("mean", "deviation")
    writer.writerow(["setting", "seeds", *(f"{c.name}_{end}" for c in COLUMNS for end in ends)])
    for row in rows:
        cells = [row.cells[column.name] for column in COLUMNS]
        numbers = [number for cell in cells for number in (cell.mean, cell.deviation)]
        texts = ["" if number is None else f"{number:.6g}" for number in numbers]
        writer.writerow([row.setting, len(row.thresholds), *texts])
    return text.getvalue()
