"""Which plots a page has."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.results import BY_INTEREST, RESULTS
from wsss_cli.inspect.report.plots import GREY, Curve, Plots
from wsss_cli.inspect.report.run_records import RunRecord

_NAN = float("nan")
_LOSSES = {
    "segment": {
        "segmentation": "cross-entropy with the label maps",
        "prohibitive": "cross-entropy with its own weighted scores",
    },
    "refine": {
        "background": "edges between positions of background",
        "object": "edges between positions of one class",
        "different": "no edge between positions of different labels",
    },
}


@dataclass(frozen=True)
class Plot:
    """A drawing and the sentence below it."""

    title: str
    svg: str
    note: str = ""


def score_plots(records: Sequence[RunRecord], subject: str) -> list[Plot]:
    """Plots of what was scored, those that the runs have numbers for."""
    plots = Plots("score")
    drawn = _intervals(plots, records)
    each = {r.name: r.scores[subject] for r in records if "per_image" in r.scores.get(subject, {})}
    of_images = {
        name: [
            100 * scores["miou"] for scores in s["per_image"].values() if scores["miou"] is not None
        ]
        for name, s in each.items()
    }
    if any(of_images.values()):
        title = f"{RESULTS[subject].title}, image by image"
        note = "Each image by itself; the mIoU above sums the pixels of all images first."
        drawn.append(Plot(title, plots.spread(title, of_images), note))
    attention = {r.name: r.scores["attention"] for r in records if "attention" in r.scores}
    if attention:
        drawn += _thresholds(plots, attention)
    near = {r.name: r.scores[subject]["trimap"] for r in records if _has_trimap(r, subject)}
    lines = _drawable(
        {n: (scores["widths"], _percent(scores["miou"])) for n, scores in near.items()}
    )
    if lines:
        title = "Near contours"
        drawn.append(
            Plot(
                title,
                plots.curves(title, lines, across="within so many pixels of one", up="mIoU, %"),
            )
        )
    return drawn


def loss_plots(records: Sequence[RunRecord]) -> list[list[Plot]]:
    """The losses of every training: a row for each stage, a column for each run."""
    plots = Plots("loss")
    rows = []
    for stage in ("train", *_LOSSES):
        row = []
        for record in records:
            lines = record.logs.get(stage)
            if not lines:
                continue
            names = dict.fromkeys(name for line in lines for name in line["losses"])
            steps = [line["iteration"] for line in lines]
            titles = _loss_titles(record, stage)
            logged = {
                titles.get(name, name): [line["losses"].get(name) for line in lines]
                for name in names
            }
            curves = _drawable(
                {
                    title: (steps, [_NAN if loss is None else loss for loss in losses])
                    for title, losses in logged.items()
                }
            )
            if not curves:
                continue
            title = f"wsss {stage}" + (f", {record.name}" if len(records) > 1 else "")
            svg = plots.curves(
                f"losses of {title}", curves, across="iteration", up="loss", legend=True
            )
            row.append(Plot(title, svg))
        if row:
            rows.append(row)
    return rows


def _loss_titles(record: RunRecord, stage: str) -> Mapping[str, str]:
    """What each loss of a training measures, by the name under which it is logged."""
    if stage in _LOSSES:
        return _LOSSES[stage]
    method = METHODS.get(record.manifests[stage].get("config", {}).get("method", ""))
    return {} if method is None else method.losses


def _intervals(plots: Plots, records: Sequence[RunRecord]) -> list[Plot]:
    rows = []
    for result in BY_INTEREST:
        title = RESULTS[result].title
        for number, record in enumerate(records):
            scores = record.scores.get(result)
            if scores is None or scores["miou"] is None:
                continue
            name = f"{title}, {record.name}" if len(records) > 1 else title
            ends = scores.get("interval") or {}
            low, high = (None if ends.get(e) is None else 100 * ends[e] for e in ("low", "high"))
            rows.append((name, 100 * scores["miou"], low, high, number))
            if len(records) == 1:
                rows += [
                    (f"no learning: {baseline.replace('_', ' ')}", 100 * score, None, None, GREY)
                    for baseline, score in (scores.get("baselines") or {}).items()
                ]
    if not rows:
        return []
    title = "mIoU"
    note = "Where they would lie for other images of the same kind."
    return [Plot(title, plots.intervals(title, rows), note)]


def _thresholds(plots: Plots, attention: Mapping[str, Mapping[str, Any]]) -> list[Plot]:
    """Attention at every threshold; of one run also precision and recall."""
    best = {name: scores["best_threshold"] for name, scores in attention.items()}
    lines: dict[str, Curve] = {
        n: (s["curve"]["thresholds"], _percent(s["curve"]["miou"])) for n, s in attention.items()
    }
    if len(attention) == 1:
        ((name, scores),) = attention.items()
        curve = scores["curve"]
        lines = {
            label: (curve["thresholds"], _percent(curve[key]))
            for label, key in (("mIoU", "miou"), ("precision", "precision"), ("recall", "recall"))
            if key in curve
        }
        best = {"mIoU": best[name]}
    lines = _drawable(lines)
    if not lines:
        return []
    title = "Attention at every threshold"
    up = "%" if len(attention) == 1 else "mIoU, %"
    svg = plots.curves(title, lines, across="threshold", up=up, marks=best)
    drawn = [Plot(title, svg, "The dot: the best threshold for these very images.")]
    lit: dict[str, Curve] = {
        name: (_percent(s["curve"]["object_found"]), _percent(s["curve"]["background_lit"]))
        for name, s in attention.items()
        if "background_lit" in s["curve"]
    }
    lit = _drawable(lit)
    if lit:
        title = "What it costs to find more"
        svg = plots.curves(title, lit, across="object pixels found, %", up="background lit, %")
        drawn.append(Plot(title, svg, "Lower is better: every point is a threshold."))
    return drawn


def _has_trimap(record: RunRecord, subject: str) -> bool:
    return "trimap" in record.scores.get(subject, {})


def _drawable(lines: Mapping[str, Curve]) -> dict[str, Curve]:
    """The lines that have a point to draw."""
    return {name: (x, y) for name, (x, y) in lines.items() if any(map(math.isfinite, y))}


def _percent(values: Sequence[float | None]) -> list[float]:
    return [_NAN if value is None else 100 * value for value in values]
