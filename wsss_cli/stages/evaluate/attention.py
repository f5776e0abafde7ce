"""Attention maps against true label maps, at every threshold in one pass over the maps."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.configs.attend import PREDICTED
from wsss_cli.metrics.attention import background_lit, lit_at_recall, object_found
from wsss_cli.metrics.classification import mean_average_precision
from wsss_cli.metrics.localisation import Localisation
from wsss_cli.metrics.segmentation import iou, precision, recall
from wsss_cli.metrics.tally import Tally
from wsss_cli.metrics.truth_style import common_style
from wsss_cli.stages.evaluate.attention_counts import (
    THRESHOLDS,
    Curves,
    ImageCounts,
    confusion_at,
    count_image,
)
from wsss_cli.stages.evaluate.each_image import image_scores
from wsss_cli.stages.evaluate.label_maps import score_baselines
from wsss_cli.stages.evaluate.plan import EvaluatePlan
from wsss_cli.stages.evaluate.plausibility import require_truth
from wsss_cli.stages.evaluate.uncertainty import comparison, interval
from wsss_cli.tracking import Track

# Threshold of the attention: the middle of the range, fixed before looking. Without masks there is
# nothing to choose it by.
FIXED_THRESHOLD = 0.3
# Share of the object at which the background lit is compared. Half is more than an object's
# striking part and less than where wrong winners, which no threshold mends, end a system's curve.
MATCHED_RECALL = 0.5


def score_attention(
    plan: EvaluatePlan, track: Track, per_image: dict[str, Tally] | None
) -> dict[str, Any]:
    """The scores of attention maps, as JSON values."""
    in_rounds = plan.in_rounds  # read from the manifest, once
    if in_rounds:
        track.note("the logits are those of the first round, so they give no mAP of this one")
    nothing_missed = torch.zeros(plan.num_labels, dtype=torch.int64)
    # What is kept of every image has its place before any is read: kept where it was made, between
    # the arrays of images that go again, it would hold many times its memory.
    images_and_classes = len(plan.image_ids), len(plan.class_names)
    logits, labels = torch.zeros(images_and_classes), torch.zeros(images_and_classes)
    with_logits = torch.zeros(len(plan.image_ids), dtype=torch.bool)
    present = torch.zeros(len(plan.image_ids), plan.num_labels, dtype=torch.bool)
    styles: Counter[str] = Counter()
    false_maps = classes_without_map = 0
    curves, places = Curves(plan.num_labels), Localisation()
    wanted = plan.config.localisation
    images = _counted(plan, plan.source, "--attention", track, localisation=wanted)
    for number, (image_id, image) in enumerate(zip(plan.image_ids, images, strict=True)):
        curves.add(image)
        present[number] = image.present(plan.num_labels)
        styles.update(filter(None, [image.style]))
        class_ids = set(image.class_ids.tolist())
        false_maps += len(class_ids - set(image.shown))
        classes_without_map += len(set(image.shown) - class_ids)
        if image.places is not None:
            places.merge(image.places)
        if per_image is not None:
            confusion = confusion_at(image, FIXED_THRESHOLD, plan.num_labels)
            per_image[image_id] = Tally(confusion, nothing_missed)
        if image.logits is not None and not in_rounds:
            logits[number] = torch.from_numpy(image.logits)
            with_logits[number] = True
            # Predicted labels would be compared with themselves.
            true = image.shown if plan.labels == PREDICTED else image.class_ids.tolist()
            labels[number, [class_id - 1 for class_id in true]] = 1

    require_truth(plan, present.numpy(), track)
    confusions = curves.confusions()
    best, seed = curves.best(), plan.config.seed
    recalled, lit = object_found(confusions), background_lit(confusions)  # (T,) each
    curve = {
        "miou": iou(confusions).nanmean(dim=-1),
        "precision": precision(confusions).nanmean(dim=-1),
        "recall": recall(confusions).nanmean(dim=-1),
        "object_found": recalled,
        "background_lit": lit,
    }
    values = {
        **Tally(confusions[best], nothing_missed).scores(
            plan.class_names, plan.config.predicted_ignore
        ),
        "interval": interval(curves.overlaps_at(best), seed),
        "labels": plan.labels,
        "maps_of_absent_classes": false_maps,
        "classes_without_map": classes_without_map,
        "per_image": image_scores(
            plan.image_ids, curves.overlaps_at(best), present, plan.class_names
        ),
        "ground_truth_style": common_style(styles),
        "ground_truth_styles": dict(styles),
        "best_threshold": _threshold(best),
        "curve": {
            "thresholds": [_threshold(number) for number in range(len(THRESHOLDS))],
            **{name: [round(v, 6) for v in values.tolist()] for name, values in curve.items()},
        },
        "matched_recall": MATCHED_RECALL,
        "background_lit_at_recall": lit_at_recall(recalled, lit, MATCHED_RECALL),
        "classification_map": (
            mean_average_precision(logits[with_logits], labels[with_logits])
            if with_logits.any()
            else None
        ),
    }
    everything_background = Tally(confusions[best], nothing_missed).all_background()
    values["baselines"] = {
        "background": everything_background.scores(plan.class_names, plan.config.predicted_ignore)[
            "miou"
        ],
        **score_baselines(plan, track),
    }
    if plan.config.localisation:
        values["max_box_acc_v2"] = places.box_accuracy()
        values["pixel_average_precision"] = places.pixel_average_precision()
    if plan.threshold is not None:
        number = int((THRESHOLDS - plan.threshold.threshold).abs().argmin())
        values["at_chosen"] = {
            "threshold": _threshold(number),
            "from": str(plan.threshold.run),
            "miou": float(curve["miou"][number]),
            "interval": interval(curves.overlaps_at(number), seed),
        }
    if plan.rival is not None:
        theirs = Curves(plan.num_labels)
        for image in _counted(plan, plan.rival, "--against", track, localisation=False):
            theirs.add(image)
        number = theirs.best()
        values["against"] = {
            **comparison(curves.overlaps_at(best), theirs.overlaps_at(number), plan.rival, seed),
            "best_threshold": _threshold(number),
        }
    return values


def _counted(
    plan: EvaluatePlan, path: Path, option: str, track: Track, *, localisation: bool
) -> Iterator[ImageCounts]:
    """The counts of each image; it is counted where it is decoded, in threads."""
    with AttentionFile(path, plan.class_names, option=option) as file:

        def count(index: int) -> ImageCounts:
            return count_image(
                file,
                plan.image_ids[index],
                plan.truth[index],
                plan.num_labels,
                localisation=localisation,
            )

        yield from plan.each(count, track)


def _threshold(number: int) -> float:
    return round(float(THRESHOLDS[number]), 4)
