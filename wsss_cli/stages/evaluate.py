"""``wsss evaluate``: score predictions, proxies or attention against true masks.

Scores take seconds and are made of what is on disk now, so unlike the other stages this one
neither keeps an earlier result nor refuses to replace it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from wsss_cli.artifacts.atomic import write_json
from wsss_cli.artifacts.attention_file import INDEX, AttentionFile, ImageAttention
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_directory import read_manifest, require_complete
from wsss_cli.configs.common import record
from wsss_cli.configs.evaluate import SCORED_STAGE, EvaluateConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.label_folder import png_files, png_ids, require_folder
from wsss_cli.data.loading import prefetch
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.data.voc import VOC_CLASSES
from wsss_cli.device import resolve_workers
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.metrics.attention import (
    ThresholdCurve,
    background_lit,
    lit_at_recall,
    object_found,
)
from wsss_cli.metrics.classification import mean_average_precision
from wsss_cli.metrics.segmentation import iou
from wsss_cli.metrics.tally import Tally
from wsss_cli.stages.baselines import Baselines, recorded_logits, recorded_saliency
from wsss_cli.stages.crf import REFINED
from wsss_cli.stages.inputs import data_if_known, find_attention, find_masks
from wsss_cli.stages.proxy import LABELS
from wsss_cli.stages.report import Report
from wsss_cli.stages.segment import PREDICTIONS
from wsss_cli.tracking import Track

T = TypeVar("T")

_SCORED = "scored"
# Where a stage keeps the label maps that are scored.
LABEL_FOLDERS = {"prediction": PREDICTIONS, "proxy": LABELS, "crf": REFINED}
THRESHOLDS = torch.arange(1, 101) / 100
# Of the attention, in the middle of the range and chosen before looking: whoever has no masks has
# nothing to choose it by.
FIXED_THRESHOLD = 0.3
# Share of the object at which the background lit is compared. Half is more than an object's
# striking part and less than where wrong winners, which no threshold mends, end a system's curve.
MATCHED_RECALL = 0.5


@dataclass(frozen=True)
class EvaluatePlan:
    """Everything checked before the first image.

    Attributes:
        class_names: Of classes 1..C.
        source: Scored folder or file.
        image_ids: Images that have both a prediction and a truth.
        without_truth: How many predictions have no mask.
        without_prediction: How many masks of ``--gt`` have no label map in ``--pred``.
        truth: True label map of each image.
        baselines: What else is scored, if asked for.
    """

    config: EvaluateConfig
    class_names: tuple[str, ...]
    source: Path
    image_ids: list[str]
    without_truth: int
    without_prediction: int
    truth: list[Path]
    baselines: Baselines | None

    @property
    def in_rounds(self) -> bool:
        """Whether the run's attention is merged with that of earlier rounds."""
        own = self.config.what == "attention" and self.config.attention is None
        return own and "erase" in read_manifest(self.config.run / "attend")["inputs"]

    @property
    def num_labels(self) -> int:
        """Labels including background."""
        return len(self.class_names) + 1

    def describe(self) -> dict[str, Any]:
        """What would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "source": str(self.source),
            "ground_truth": str(self.truth[0].parent),
            "images": len(self.image_ids),
            "without_ground_truth": self.without_truth,
        }


def prepare(config: EvaluateConfig, track: Track) -> EvaluatePlan:
    """Check what is scored, its truth and the classes.

    Raises:
        WsssError: Something is missing.
    """
    tree = data_if_known(config, SCORED_STAGE[config.what])
    source, image_ids = _scored(config, tree)
    gt = find_masks(tree) if config.gt is None and tree is not None else config.gt
    if gt is None:
        raise UsageError("the true masks are not known; pass --gt DIR or --data DIR")
    require_folder(gt, "--gt")
    known = [image_id for image_id in image_ids if (gt / f"{image_id}.png").is_file()]
    if not known:
        raise WsssError(
            f"none of the {len(image_ids)} images of {source} has a mask in {gt}; check that both "
            "are of the same data set"
        )
    without_truth = len(image_ids) - len(known)
    if without_truth:
        track.note(f"{without_truth} of {len(image_ids)} images have no mask in {gt}: not scored")
    if tree is None:
        track.note("no data set is known, so classes are named as VOC's; pass --data DIR for yours")
    names = tree.class_names if tree is not None else VOC_CLASSES
    unpredicted = 0
    if config.pred is not None:
        unpredicted = len(set(png_ids(gt, "--gt")) - set(known))
        if unpredicted:
            track.note(f"{unpredicted} masks of {gt} have no label map in {source}: not scored")
    truth = [gt / f"{image_id}.png" for image_id in known]
    baselines = _baselines(config, tree, known) if config.baselines else None
    return EvaluatePlan(config, names, source, known, without_truth, unpredicted, truth, baselines)


def run(
    config: EvaluateConfig, *, track: Track, per_image: dict[str, Tally] | None = None
) -> Report:
    """Score, and keep the scores in the run unless foreign folders were compared.

    Args:
        config: Settings.
        track: Shown the progress.
        per_image: Filled, if given, with the counts of each image by id, in the order scored; of
            attention those at ``FIXED_THRESHOLD``.

    Raises:
        WsssError: A file is missing or broken, or a size or value does not fit.
    """
    plan = prepare(config, track)
    work = _attention_scores if config.what == "attention" else _mask_scores
    scores = work(plan, track, per_image)
    values = {
        "what": config.what,
        **scores,
        "images": len(plan.image_ids),
        "without_ground_truth": plan.without_truth,
        "without_prediction": plan.without_prediction,
        "source": str(plan.source),
        "ground_truth": str(plan.truth[0].parent),
    }
    if config.pred is not None or (config.what == "attention" and config.attention is not None):
        return Report("evaluate", None, False, values)
    made = read_manifest(config.run / SCORED_STAGE[config.what])["fingerprint"]
    write_json(
        config.run / "evaluate" / f"{config.what}.json", {**values, "artifact_fingerprint": made}
    )
    return Report("evaluate", config.run / "evaluate", False, values)


def _mask_scores(
    plan: EvaluatePlan, track: Track, per_image: dict[str, Tally] | None
) -> dict[str, Any]:
    num_labels = plan.num_labels

    def tally(index: int) -> dict[str, Tally]:
        truth = plan.truth[index]
        target = torch.from_numpy(read_label_map(truth, num_labels=num_labels))
        path = plan.source / truth.name
        prediction = torch.from_numpy(read_label_map(path, num_labels=num_labels))
        if prediction.shape != target.shape:
            raise WsssError(
                f"{path} is {_pixels(prediction.shape)} pixels, its truth {truth} "
                f"{_pixels(target.shape)}; label maps must have the size of their image"
            )
        label_maps = {_SCORED: prediction}
        if plan.baselines is not None:
            height, width = target.shape
            label_maps |= plan.baselines.label_maps(index, (height, width))
        return {name: Tally.of(found, target, num_labels) for name, found in label_maps.items()}

    names = [_SCORED, *(plan.baselines.names if plan.baselines else ())]
    totals = {name: Tally.empty(num_labels) for name in names}
    for image_id, tallies in zip(plan.image_ids, _each(plan, tally, track), strict=True):
        for name, counted in tallies.items():
            totals[name].add(counted)
        if per_image is not None:
            per_image[image_id] = tallies[_SCORED]
    convention = plan.config.predicted_ignore
    scores = {name: total.scores(plan.class_names, convention) for name, total in totals.items()}
    values = {**scores.pop(_SCORED), "predicted_ignore": convention}
    if scores:
        values["baselines"] = {name: score["miou"] for name, score in scores.items()}
    return values


def _attention_scores(
    plan: EvaluatePlan, track: Track, per_image: dict[str, Tally] | None
) -> dict[str, Any]:
    in_rounds = plan.in_rounds  # read from the manifest, once
    if in_rounds:
        track.note("the logits are those of the first round, so they give no mAP of this one")
    curve = ThresholdCurve(plan.num_labels, THRESHOLDS)
    nothing_missed = torch.zeros(plan.num_labels, dtype=torch.int64)
    logits, labels = [], []
    with AttentionFile(plan.source, plan.class_names) as file:

        def load(index: int) -> tuple[ImageAttention, Tensor, Tensor]:
            attention = file.read(plan.image_ids[index])
            target = read_label_map(plan.truth[index], num_labels=plan.num_labels)
            if target.shape != attention.size:
                raise WsssError(
                    f"{plan.source}: image {plan.image_ids[index]} is recorded as "
                    f"{_pixels(attention.size)} pixels, its truth {plan.truth[index]} is "
                    f"{_pixels(target.shape)}"
                )
            maps = enlarge_maps(attention.maps, attention.size)
            return attention, torch.from_numpy(maps), torch.from_numpy(target)

        loaded = _each(plan, load, track)
        for image_id, (attention, maps, target) in zip(plan.image_ids, loaded, strict=True):
            class_ids = torch.from_numpy(attention.class_ids).long()
            of_image = ThresholdCurve(plan.num_labels, THRESHOLDS)
            of_image.update(maps, class_ids, target)
            curve.add(of_image)
            if per_image is not None:
                fixed = of_image.confusion_at(FIXED_THRESHOLD)
                per_image[image_id] = Tally(fixed, nothing_missed)
            if attention.logits is not None and not in_rounds:
                logits.append(torch.from_numpy(attention.logits))
                labels.append(torch.zeros(len(plan.class_names)).index_fill(0, class_ids - 1, 1))
    confusions = curve.confusions()
    mious = iou(confusions).nanmean(dim=-1)  # (T,)
    best = int(mious.argmax())
    at_best = Tally(confusions[best], nothing_missed)
    found, lit = object_found(confusions), background_lit(confusions)  # (T,) each
    return {
        **at_best.scores(plan.class_names, plan.config.predicted_ignore),
        "best_threshold": round(float(THRESHOLDS[best]), 4),
        "curve": {
            "thresholds": [round(t, 4) for t in THRESHOLDS.tolist()],
            "miou": [round(m, 6) for m in mious.tolist()],
            "object_found": [round(share, 6) for share in found.tolist()],
            "background_lit": [round(share, 6) for share in lit.tolist()],
        },
        "matched_recall": MATCHED_RECALL,
        "background_lit_at_recall": lit_at_recall(found, lit, MATCHED_RECALL),
        "classification_map": (
            mean_average_precision(torch.stack(logits), torch.stack(labels)) if logits else None
        ),
    }


def _each(plan: EvaluatePlan, work: Callable[[int], T], track: Track) -> Iterable[T]:
    """Results of ``work`` on every image, in order, with progress."""
    count = len(plan.image_ids)
    done = prefetch(work, range(count), resolve_workers(plan.config.workers))
    return track.steps(done, total=count, label="scoring")


def _scored(config: EvaluateConfig, tree: DataSet | None) -> tuple[Path, list[str]]:
    """What is scored, and the ids that it must cover."""
    if config.what == "attention":
        path = find_attention(config.attention, config.run)
        with AttentionFile(path, tree.class_names if tree else None) as file:
            return path, file.image_ids
    if config.pred is not None:
        return config.pred, png_ids(config.pred, "--pred")
    stage = SCORED_STAGE[config.what]
    manifest = require_complete(config.run / stage, stage, instead="--pred DIR")
    folder = config.run / stage / LABEL_FOLDERS[config.what]
    image_ids = png_ids(folder, "--pred")
    if config.what == "prediction" and tree is not None:
        lost = sorted(set(tree.image_ids(manifest["config"]["split"])) - set(image_ids))
        if lost:
            raise WsssError(f"{folder} lacks the predictions of {listing(lost)}; run wsss segment")
    return folder, image_ids


def _baselines(config: EvaluateConfig, tree: DataSet | None, image_ids: list[str]) -> Baselines:
    if tree is None:
        raise UsageError("--baselines needs the image-level labels; pass --data DIR")
    folder = config.saliency or recorded_saliency(config.run)
    if folder is None:
        raise UsageError("--baselines needs saliency maps; pass --saliency DIR")
    saliency = png_files(folder, image_ids, "--saliency")
    own = config.run / "attend" / INDEX
    logits = None
    if config.attention is not None or (config.pred is None and own.exists()):
        logits = recorded_logits(config.attention or own, image_ids, tree.class_names)
    if logits is None and config.attention is not None:
        raise UsageError(f"{config.attention} has no logits of some of the images to be scored")
    return Baselines(image_ids, tree.labels(image_ids), saliency, logits)


def _pixels(size: Sequence[int]) -> str:
    return f"{size[1]} x {size[0]}"
