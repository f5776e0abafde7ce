"""Attention maps against true label maps, at every threshold in one pass over the maps."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsss_cli.artifacts.attention_file import AttentionFile, ImageAttention
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.errors import WsssError
from wsss_cli.labels import IGNORE
from wsss_cli.metrics.attention import ThresholdCurve, background_lit, lit_at_recall, object_found
from wsss_cli.metrics.classification import mean_average_precision
from wsss_cli.metrics.localisation import Localisation
from wsss_cli.metrics.segmentation import iou, overlap, precision, recall
from wsss_cli.metrics.tally import Tally
from wsss_cli.metrics.truth_style import border_style, common_style
from wsss_cli.stages.evaluate.each_image import image_scores
from wsss_cli.stages.evaluate.label_maps import pixels
from wsss_cli.stages.evaluate.plan import EvaluatePlan
from wsss_cli.stages.evaluate.uncertainty import comparison, interval
from wsss_cli.tracking import Track

THRESHOLDS = torch.arange(1, 101) / 100
# Of the attention, in the middle of the range and chosen before looking: whoever has no masks has
# nothing to choose it by.
FIXED_THRESHOLD = 0.3
# Share of the object at which the background lit is compared. Half is more than an object's
# striking part and less than where wrong winners, which no threshold mends, end a system's curve.
MATCHED_RECALL = 0.5


class _Curves:
    """The counts of one system at every threshold: their sum, and the overlaps of each image."""

    def __init__(self, num_labels: int) -> None:
        self._num_labels = num_labels
        self._sum = ThresholdCurve(num_labels, THRESHOLDS)
        # Of each image its labels, few of all, and (T, 2, labels) overlaps: some kilobytes.
        self._images: list[tuple[Tensor, Tensor]] = []

    def add(self, maps: Tensor, class_ids: Tensor, target: Tensor) -> ThresholdCurve:
        """Count one image; returns its own counts."""
        curve = ThresholdCurve(self._num_labels, THRESHOLDS)
        curve.update(maps, class_ids, target)
        self._sum.add(curve)
        overlaps = overlap(curve.confusions())  # (T, 2, L)
        labels = overlaps[:, 1].any(dim=0).nonzero().flatten()
        self._images.append((labels, overlaps[..., labels].int()))
        return curve

    def confusions(self) -> Tensor:
        """(T, L, L) int64 of all images."""
        return self._sum.confusions()

    def best(self) -> int:
        """Number of the threshold with the highest mIoU, the lowest of equals."""
        return int(iou(self.confusions()).nanmean(dim=-1).argmax())

    def overlaps_at(self, number: int) -> list[Tensor]:
        """(2, L) of each image at one threshold."""
        wide = torch.zeros(2, self._num_labels, dtype=torch.int32)
        return [wide.index_copy(1, labels, of[number]) for labels, of in self._images]


def score_attention(
    plan: EvaluatePlan, track: Track, per_image: dict[str, Tally] | None
) -> dict[str, Any]:
    """The scores of attention maps, as JSON values."""
    in_rounds = plan.in_rounds  # read from the manifest, once
    if in_rounds:
        track.note("the logits are those of the first round, so they give no mAP of this one")
    nothing_missed = torch.zeros(plan.num_labels, dtype=torch.int64)
    logits, labels, present = [], [], []
    styles: Counter[str] = Counter()
    own, places = _Curves(plan.num_labels), Localisation()
    images = _read(plan, plan.source, "--attention", track)
    for image_id, (attention, maps, target) in zip(plan.image_ids, images, strict=True):
        class_ids = torch.from_numpy(attention.class_ids).long()
        of_image = own.add(maps, class_ids, target)
        styles.update(filter(None, [border_style(target.numpy())]))
        if plan.config.localisation:
            known = target.numpy() != IGNORE
            for attention_map, class_id in zip(maps.numpy(), class_ids.tolist(), strict=True):
                places.add(attention_map, target.numpy() == class_id, known)
        tally = Tally(of_image.confusion_at(FIXED_THRESHOLD), nothing_missed)
        present.append(tally.present)
        if per_image is not None:
            per_image[image_id] = tally
        if attention.logits is not None and not in_rounds:
            logits.append(torch.from_numpy(attention.logits))
            labels.append(torch.zeros(len(plan.class_names)).index_fill(0, class_ids - 1, 1))

    confusions = own.confusions()
    best, seed = own.best(), plan.config.seed
    found, lit = object_found(confusions), background_lit(confusions)  # (T,) each
    curve = {
        "miou": iou(confusions).nanmean(dim=-1),
        "precision": precision(confusions).nanmean(dim=-1),
        "recall": recall(confusions).nanmean(dim=-1),
        "object_found": found,
        "background_lit": lit,
    }
    values = {
        **Tally(confusions[best], nothing_missed).scores(
            plan.class_names, plan.config.predicted_ignore
        ),
        "interval": interval(own.overlaps_at(best), seed),
        "per_image": image_scores(plan.image_ids, own.overlaps_at(best), present, plan.class_names),
        "ground_truth_style": common_style(styles),
        "ground_truth_styles": dict(styles),
        "best_threshold": _threshold(best),
        "curve": {
            "thresholds": [_threshold(number) for number in range(len(THRESHOLDS))],
            **{name: [round(v, 6) for v in values.tolist()] for name, values in curve.items()},
        },
        "matched_recall": MATCHED_RECALL,
        "background_lit_at_recall": lit_at_recall(found, lit, MATCHED_RECALL),
        "classification_map": (
            mean_average_precision(torch.stack(logits), torch.stack(labels)) if logits else None
        ),
    }
    if plan.config.localisation:
        values["max_box_acc_v2"] = places.box_accuracy()
        values["pixel_average_precision"] = places.pixel_average_precision()
    if plan.chosen is not None:
        number = int((THRESHOLDS - plan.chosen.threshold).abs().argmin())
        values["at_chosen"] = {
            "threshold": _threshold(number),
            "from": str(plan.chosen.run),
            "miou": float(curve["miou"][number]),
            "interval": interval(own.overlaps_at(number), seed),
        }
    if plan.rival is not None:
        theirs = _Curves(plan.num_labels)
        for attention, maps, target in _read(plan, plan.rival, "--against", track):
            theirs.add(maps, torch.from_numpy(attention.class_ids).long(), target)
        number = theirs.best()
        values["against"] = {
            **comparison(own.overlaps_at(best), theirs.overlaps_at(number), plan.rival, seed),
            "best_threshold": _threshold(number),
        }
    return values


def _read(
    plan: EvaluatePlan, path: Path, option: str, track: Track
) -> Iterator[tuple[ImageAttention, Tensor, Tensor]]:
    """Of each image its attention as the file has it, the maps at the size of the truth, and that.

    Raises:
        WsssError: A file cannot be read, or the sizes of an image differ.
    """
    with AttentionFile(path, plan.class_names, option=option) as file:

        def load(index: int) -> tuple[ImageAttention, Tensor, Tensor]:
            image_id, truth = plan.image_ids[index], plan.truth[index]
            attention = file.read(image_id)
            target = read_label_map(truth, num_labels=plan.num_labels)
            if target.shape != attention.size:
                raise WsssError(
                    f"{path}: image {image_id} is recorded as {pixels(attention.size)} pixels, "
                    f"its truth {truth} is {pixels(target.shape)}"
                )
            maps = enlarge_maps(attention.maps, attention.size)
            return attention, torch.from_numpy(maps), torch.from_numpy(target)

        yield from plan.each(load, track)


def _threshold(number: int) -> float:
    return round(float(THRESHOLDS[number]), 4)
