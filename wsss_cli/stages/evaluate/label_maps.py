"""Label maps against true ones: predictions, proxies, maps of other tools."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.map_sizes import require_size
from wsss_cli.metrics.boundary import DISTANCE, boundary_overlap
from wsss_cli.metrics.segmentation import Labels, iou_of
from wsss_cli.metrics.tally import Tally, by_name
from wsss_cli.metrics.trimap import WIDTHS, trimap_overlaps
from wsss_cli.metrics.truth_style import border_style, common_style
from wsss_cli.stages.evaluate.each_image import image_scores
from wsss_cli.stages.evaluate.plan import EvaluatePlan
from wsss_cli.stages.evaluate.plausibility import require_predictions, require_truth
from wsss_cli.stages.evaluate.uncertainty import comparison, interval
from wsss_cli.tracking import Track

# Beside the baselines, in the order counted.
_SCORED, _RIVAL = "scored", "rival"
# Images whose counts are added up at a time, which costs little more than those of one.
_BLOCK = 64

LabelMap = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Counts:
    """Counts of one image.

    Attributes:
        tallies: Counts of the scored map, its rival and the baselines, by name.
        style: Style of the truth's borders; None where none was found.
        boundary: (2, L) overlap of the boundary regions, if asked for.
        trimap: (W, 2, L) overlap in the band of each width, if asked for.
    """

    tallies: dict[str, Tally]
    style: str | None
    boundary: Tensor | None = None
    trimap: Tensor | None = None


def score_label_maps(
    plan: EvaluatePlan, track: Track, per_image: dict[str, Tally] | None
) -> dict[str, Any]:
    """The scores of label maps, as JSON values.

    Kept of each image are the overlaps that the bootstrap needs, two numbers a label; everything
    else is summed on the way.
    """
    convention, seed = plan.config.predicted_ignore, plan.config.seed
    totals: dict[str, Tally] = {}
    overlaps: dict[str, list[Tensor]] = {_SCORED: [], _RIVAL: []}
    present: list[Tensor] = []
    predicted: dict[str, list[Tensor]] = {_SCORED: [], _RIVAL: []}
    styles: Counter[str] = Counter()
    boundary = torch.zeros(2, plan.num_labels, dtype=torch.int64)
    trimap = torch.zeros(len(WIDTHS), 2, plan.num_labels, dtype=torch.int64)

    counted = plan.each(lambda index: _count(plan, index), track)
    stream = zip(plan.image_ids, counted, strict=True)
    while block := list(islice(stream, _BLOCK)):
        for name in block[0][1].tallies:
            tallies = Tally.stack([counts.tallies[name] for _, counts in block])
            totals.setdefault(name, Tally.empty(plan.num_labels)).add(tallies.total())
            if name in overlaps:
                overlaps[name].append(tallies.overlap(convention).int())
                predicted[name].append(tallies.predicted)
            if name == _SCORED:
                present.append(tallies.present)
        for image_id, counts in block:
            if counts.style is not None:
                styles[counts.style] += 1
            if counts.boundary is not None and counts.trimap is not None:
                boundary += counts.boundary
                trimap += counts.trimap
            if per_image is not None:
                per_image[image_id] = counts.tallies[_SCORED]

    truth = torch.cat(present).numpy()
    require_truth(plan, truth, track)
    for name, source in ((_SCORED, plan.source), (_RIVAL, plan.rival)):
        if source is not None:
            classes, white = torch.cat(predicted[name]).numpy(), bool(totals[name].missed.any())
            require_predictions(plan, source, truth, classes, white, track)
    scored = torch.cat(overlaps[_SCORED])
    total = totals.pop(_SCORED)
    values = {
        **total.scores(plan.class_names, convention),
        "interval": interval(scored, seed),
        "per_image": image_scores(plan.image_ids, scored, torch.cat(present), plan.class_names),
        "predicted_ignore": convention,
        "ground_truth_style": common_style(styles),
        "ground_truth_styles": dict(styles),
    }
    if plan.rival is not None:
        del totals[_RIVAL]
        values["against"] = comparison(scored, torch.cat(overlaps[_RIVAL]), plan.rival, seed)
    if plan.config.boundaries:
        values |= _boundary_scores(plan.class_names, boundary, trimap)
    values["baselines"] = {
        name: counts.scores(plan.class_names, convention)["miou"]
        for name, counts in {"background": total.all_background(), **totals}.items()
    }
    return values


def score_baselines(plan: EvaluatePlan, track: Track) -> dict[str, float]:
    """The mIoU of each baseline by itself, in a pass of its own; none where none was asked for."""
    if plan.baselines is None:
        return {}
    baselines = plan.baselines

    def count(index: int) -> dict[str, Tally]:
        target = read_label_map(plan.truth[index], num_labels=plan.num_labels)
        height, width = target.shape
        label_maps = baselines.label_maps(index, (height, width))
        return {
            n: Tally.of(label_map, target, plan.num_labels) for n, label_map in label_maps.items()
        }

    totals = {name: Tally.empty(plan.num_labels) for name in baselines.names}
    for tallies in plan.each(count, track, "scoring baselines"):
        for name, tally in tallies.items():
            totals[name].add(tally)
    convention = plan.config.predicted_ignore
    return {name: t.scores(plan.class_names, convention)["miou"] for name, t in totals.items()}


def _count(plan: EvaluatePlan, index: int) -> _Counts:
    config, num_labels, truth = plan.config, plan.num_labels, plan.truth[index]
    target, name = read_label_map(truth), f"{plan.image_ids[index]}.png"
    prediction = _read_fitting(plan.source / name, target, truth)
    label_maps: dict[str, Labels] = {_SCORED: prediction}
    if plan.rival is not None:
        label_maps[_RIVAL] = _read_fitting(plan.rival / name, target, truth)
    if plan.baselines is not None:
        height, width = target.shape
        label_maps |= plan.baselines.label_maps(index, (height, width))
    try:
        tallies = {
            n: Tally.of(label_map, target, num_labels) for n, label_map in label_maps.items()
        }
    except ValueError:  # counting finds what is no label, reading says in which file
        folders = [folder for folder in (plan.source, plan.rival) if folder is not None]
        for path in (truth, *(folder / name for folder in folders)):
            read_label_map(path, num_labels=num_labels)
        raise
    if not config.boundaries:
        return _Counts(tallies, border_style(target))
    return _Counts(
        tallies,
        border_style(target),
        boundary_overlap(prediction, target, num_labels, config.predicted_ignore),
        trimap_overlaps(prediction, target, num_labels, config.predicted_ignore),
    )


def _read_fitting(path: Path, target: LabelMap, truth: Path) -> LabelMap:
    """A label map of the size of its truth.

    Raises:
        WsssError: It has another size, or cannot be read.
    """
    label_map = read_label_map(path)
    require_size(str(path), label_map.shape, target.shape, beside=f"its truth {truth}")
    return label_map


def _boundary_scores(
    class_names: Sequence[str], boundary: Tensor, trimap: Tensor
) -> dict[str, Any]:
    ious = iou_of(boundary)
    return {
        "boundary_iou": float(ious.nanmean()),
        "boundary_distance": DISTANCE,
        "per_class_boundary_iou": by_name(("background", *class_names), ious),
        "trimap": {
            "widths": list(WIDTHS),
            "miou": [float(miou) for miou in iou_of(trimap).nanmean(dim=-1)],
        },
    }
