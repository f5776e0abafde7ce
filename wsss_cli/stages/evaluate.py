"""``wsss evaluate``: score predictions, proxies or attention against true masks.

Scores take seconds and are made of what is on disk now, so unlike the other stages this one
neither keeps an earlier result nor refuses to replace it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsss_cli.artifacts.atomic import write_json
from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_directory import read_manifest, require_complete
from wsss_cli.configs.common import record
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.data.images import read_saliency
from wsss_cli.data.label_folder import png_files, png_ids, require_folder
from wsss_cli.data.loading import prefetch
from wsss_cli.data.voc import VOC_CLASSES, VocTree
from wsss_cli.device import resolve_workers
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.metrics.attention import ThresholdCurve
from wsss_cli.metrics.classification import mean_average_precision
from wsss_cli.metrics.segmentation import confusion_matrix, iou, pixel_accuracy, unpredicted
from wsss_cli.ops.baselines import centre_box, painted_saliency
from wsss_cli.stages.inputs import find_data
from wsss_cli.stages.proxy import LABELS, attention_at_image_size, resize_grey
from wsss_cli.stages.report import Report
from wsss_cli.stages.segment import PREDICTIONS
from wsss_cli.tracking import Track

THRESHOLDS = torch.arange(1, 101) / 100


@dataclass(frozen=True)
class EvaluatePlan:
    """Everything checked before the first image.

    Attributes:
        tree: Data set, None when two folders are compared without one.
        class_names: Of classes 1..C.
        source: Scored folder or file.
        image_ids: Images that have both a prediction and a truth.
        without_truth: Predictions that nothing is known about.
        truth: True label map of each image.
        saliency: Saliency map of each image, empty without baselines that need it.
    """

    config: EvaluateConfig
    tree: VocTree | None
    class_names: tuple[str, ...]
    source: Path
    image_ids: list[str]
    without_truth: int
    truth: list[Path]
    saliency: list[Path]

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


@dataclass
class Tally:
    """Counts of one set of label maps."""

    confusion: Tensor
    missed: Tensor

    @classmethod
    def empty(cls, num_labels: int) -> "Tally":
        """No pixel counted."""
        square = torch.zeros(num_labels, num_labels, dtype=torch.int64)
        return cls(square, torch.zeros(num_labels, dtype=torch.int64))

    @classmethod
    def of(cls, prediction: Tensor, target: Tensor, num_labels: int) -> "Tally":
        """Count one image."""
        return cls(
            confusion_matrix(prediction, target, num_labels),
            unpredicted(prediction, target, num_labels),
        )

    def add(self, other: "Tally") -> None:
        """Add another image's counts."""
        self.confusion += other.confusion
        self.missed += other.missed

    def scores(self, class_names: Sequence[str], predicted_ignore: str) -> dict[str, Any]:
        """Scores under a convention for predicted 255; a label that is nowhere is null."""
        confusion, missed = self.confusion, self.missed
        ignored, labelled = int(missed.sum()), int(confusion.sum())
        if predicted_ignore == "background":
            confusion = confusion.clone()
            confusion[:, 0] += missed
        counted = missed if predicted_ignore == "false-negative" else torch.zeros_like(missed)
        ious = iou(confusion, counted)
        names = ("background", *class_names)
        per_class = {
            name: None if value.isnan() else float(value)
            for name, value in zip(names, ious, strict=True)
        }
        return {
            "miou": float(ious.nanmean()),
            "per_class": per_class,
            "absent": [name for name, value in per_class.items() if value is None],
            "pixel_accuracy": pixel_accuracy(confusion, counted),
            "coverage": labelled / max(1, ignored + labelled),
        }


def prepare(config: EvaluateConfig, track: Track) -> EvaluatePlan:
    """Check what is scored, its truth and the classes.

    Raises:
        WsssError: Something is missing.
    """
    tree = _data_if_known(config)
    if config.gt is None and tree is None:
        raise UsageError("the true masks are not known; pass --gt DIR or --data DIR")
    source, image_ids = _scored(config, tree)
    gt = config.gt or _ground_truth(tree)
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
    saliency: list[Path] = []
    if config.baselines:
        if tree is None:
            raise UsageError("--baselines needs the image-level labels; pass --data DIR")
        folder = config.saliency or _recorded_saliency(config.run)
        if folder is None:
            raise UsageError("--baselines needs saliency maps; pass --saliency DIR")
        saliency = png_files(folder, known, "--saliency")
    names = tree.class_names if tree is not None else VOC_CLASSES
    truth = [gt / f"{image_id}.png" for image_id in known]
    return EvaluatePlan(config, tree, names, source, known, without_truth, truth, saliency)


def run(config: EvaluateConfig, *, track: Track) -> Report:
    """Score, and keep the scores in the run unless foreign folders were compared.

    Raises:
        WsssError: A file is missing or broken, or a size or value does not fit.
    """
    plan = prepare(config, track)
    scores = (
        _attention_scores(plan, track) if config.what == "attention" else _mask_scores(plan, track)
    )
    values = {
        "what": config.what,
        **scores,
        "images": len(plan.image_ids),
        "without_ground_truth": plan.without_truth,
        "source": str(plan.source),
        "ground_truth": str(plan.truth[0].parent),
    }
    if config.pred is not None or config.attention is not None:
        return Report("evaluate", None, False, values)
    write_json(config.run / "evaluate" / f"{config.what}.json", values)
    return Report("evaluate", config.run / "evaluate", False, values)


def _mask_scores(plan: EvaluatePlan, track: Track) -> dict[str, Any]:
    num_labels = plan.num_labels
    painters = _baseline_painters(plan)

    def tally(index: int) -> dict[str, Tally]:
        truth = plan.truth[index]
        target = torch.from_numpy(read_label_map(truth, num_labels=num_labels))
        path = plan.source / truth.name
        prediction = torch.from_numpy(read_label_map(path, num_labels=num_labels))
        if prediction.shape != target.shape:
            raise WsssError(
                f"{path} is {_pixels(prediction)} pixels, its truth {truth} {_pixels(target)}; "
                "predictions must have the size of their image"
            )
        tallies = {name: Tally.of(p(index, target), target, num_labels) for name, p in painters}
        return {"": Tally.of(prediction, target, num_labels), **tallies}

    totals = {name: Tally.empty(num_labels) for name in ("", *(name for name, _ in painters))}
    for tallies in _each(plan, tally, track):
        for name, counted in tallies.items():
            totals[name].add(counted)
    convention = plan.config.predicted_ignore
    scores = totals.pop("").scores(plan.class_names, convention)
    scores["predicted_ignore"] = convention
    if totals:
        scores["baselines"] = {
            name: total.scores(plan.class_names, convention)["miou"]
            for name, total in totals.items()
        }
    return scores


def _attention_scores(plan: EvaluatePlan, track: Track) -> dict[str, Any]:
    curve = ThresholdCurve(plan.num_labels, THRESHOLDS)
    logits: list[Tensor] = []
    labels: list[Tensor] = []
    with AttentionFile(plan.source) as file:

        def load(index: int) -> tuple[Tensor, Tensor, Tensor]:
            attention = file.read(plan.image_ids[index])
            target = read_label_map(plan.truth[index], num_labels=plan.num_labels)
            if target.shape != attention.size:
                raise WsssError(
                    f"{plan.source}: image {plan.image_ids[index]} is recorded as "
                    f"{attention.size[1]} x {attention.size[0]} pixels, its truth "
                    f"{plan.truth[index]} is {target.shape[1]} x {target.shape[0]}"
                )
            if attention.logits is not None:
                logits.append(torch.from_numpy(attention.logits))
                present = torch.zeros(len(plan.class_names), dtype=torch.bool)
                present[torch.from_numpy(attention.class_ids).long() - 1] = True
                labels.append(present)
            maps = torch.from_numpy(attention_at_image_size(attention))
            return maps, torch.from_numpy(attention.class_ids), torch.from_numpy(target)

        for maps, class_ids, target in _each(plan, load, track):
            curve.update(maps, class_ids, target)
    confusions = curve.confusions()
    mious = iou(confusions).nanmean(dim=-1)  # (T,)
    best = int(mious.argmax())
    tally = Tally(confusions[best], torch.zeros(plan.num_labels, dtype=torch.int64))
    scores = tally.scores(plan.class_names, plan.config.predicted_ignore)
    return {
        **scores,
        "best_threshold": round(float(THRESHOLDS[best]), 4),
        "curve": {
            "thresholds": [round(t, 4) for t in THRESHOLDS.tolist()],
            "miou": [round(m, 6) for m in mious.tolist()],
        },
        "classification_map": (
            mean_average_precision(torch.stack(logits), torch.stack(labels)) if logits else None
        ),
    }


Loaded = Any


def _each(plan: EvaluatePlan, work: Callable[[int], Loaded], track: Track) -> Iterable[Loaded]:
    """Results of ``work`` on every image, in order, with progress."""
    count = len(plan.image_ids)
    done = prefetch(work, range(count), resolve_workers(plan.config.workers))
    return track.steps(done, total=count, label="scoring")


Painter = Callable[[int, Tensor], Tensor]


def _baseline_painters(plan: EvaluatePlan) -> list[tuple[str, Painter]]:
    """Functions of image index and target (for its size) that give each baseline's label map."""
    if not plan.config.baselines or plan.tree is None:
        return []
    first = [int(row.argmax()) + 1 for row in plan.tree.labels(plan.image_ids)]

    def salient(index: int, target: Tensor) -> Tensor:
        grey = read_saliency(plan.saliency[index])
        return torch.from_numpy(resize_grey(grey, tuple(target.shape))).float() / 255

    painters: list[tuple[str, Painter]] = [
        ("background", lambda _, target: torch.zeros_like(target)),
        ("saliency_first_label", lambda i, t: painted_saliency(salient(i, t), first[i])),
        ("centre_box", lambda i, t: centre_box((t.shape[0], t.shape[1]), first[i])),
    ]
    best = _best_labels(plan)
    if best is not None:
        painters.append(
            ("saliency_best_label", lambda i, t: painted_saliency(salient(i, t), best[i]))
        )
    return painters


def _best_labels(plan: EvaluatePlan) -> list[int] | None:
    """The present label that the run's classifier is surest of, where it saw all the images."""
    path = plan.config.run / "attend" / INDEX
    if plan.config.pred is not None or not path.exists():
        return None
    best = []
    with AttentionFile(path) as file:
        if not set(plan.image_ids) <= set(file.image_ids):
            return None
        for image_id in plan.image_ids:
            attention = file.read(image_id)
            if attention.logits is None:
                return None
            present = attention.class_ids
            best.append(int(present[attention.logits[present.astype(int) - 1].argmax()]))
    return best


def _data_if_known(config: EvaluateConfig) -> VocTree | None:
    try:
        return find_data(config)
    except UsageError:
        if config.data is not None:
            raise
        return None


def _scored(config: EvaluateConfig, tree: VocTree | None) -> tuple[Path, list[str]]:
    """What is scored, and the ids that it must cover."""
    if config.what == "attention":
        path = config.attention
        if path is None:
            require_complete(config.run / "attend", "attend", instead="--attention FILE")
            path = config.run / "attend" / INDEX
        with AttentionFile(path) as file:
            return path, file.image_ids
    if config.pred is not None:
        return config.pred, png_ids(config.pred, "--pred")
    if config.what == "proxy":
        require_complete(config.run / "proxy", "proxy", instead="--pred DIR")
        folder = config.run / "proxy" / LABELS
        return folder, png_ids(folder, "--pred")
    manifest = require_complete(config.run / "segment", "segment", instead="--pred DIR")
    folder = config.run / "segment" / PREDICTIONS
    image_ids = png_ids(folder, "--pred")
    if tree is not None:
        lost = sorted(set(tree.image_ids(manifest["config"]["split"])) - set(image_ids))
        if lost:
            raise WsssError(f"{folder} lacks the predictions of {listing(lost)}; run wsss segment")
    return folder, image_ids


def _ground_truth(tree: VocTree | None) -> Path:
    assert tree is not None
    return tree.root / "SegmentationClass"


def _recorded_saliency(run: Path) -> Path | None:
    try:
        return Path(read_manifest(run / "proxy")["inputs"]["saliency"]["path"])
    except (FileNotFoundError, KeyError):
        return None


def _pixels(label_map: Tensor) -> str:
    return f"{label_map.shape[1]} x {label_map.shape[0]}"
