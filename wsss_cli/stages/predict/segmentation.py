"""New photographs with a segmentation network: label maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsss_cli.artifacts.image_groups import Layout
from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.artifacts.overlay import Drawing
from wsss_cli.artifacts.score_file import LAYOUT, ImageScores, write_shard
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.configs.segment import MERGES, SegmentConfig
from wsss_cli.data.exif_orientation import as_seen, as_stored, stored_size
from wsss_cli.data.images import Pixels
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.stages.segment.classifier import load_classifier
from wsss_cli.stages.segment.image_prediction import ImagePredictor
from wsss_cli.stages.segment.network_file import SegmentationCheckpoint, read_network
from wsss_cli.stages.segment.scales import checkpoint_scales
from wsss_cli.tracking import Track

# Pixels of a longer side that few data sets have.
_LARGE = 1500


@dataclass(frozen=True)
class LabelPrediction:
    """The label map of a picture, and the scores that it was made from where they are known."""

    class_names: Sequence[str]
    drawing: Drawing
    label_map: Pixels
    scores: ImageScores | None

    def classes(self) -> list[dict[str, Any]]:
        """The classes with at least one pixel, with their share of all; the largest first."""
        counts = np.bincount(self.label_map.ravel(), minlength=len(self.class_names) + 1)
        shares = counts / self.label_map.size
        present = [i for i in range(1, len(self.class_names) + 1) if counts[i]]
        return [
            {"name": self.class_names[i - 1], "id": i, "share": round(float(shares[i]), 6)}
            for i in sorted(present, key=lambda i: -counts[i])
        ]

    def overlay(self, image: Pixels) -> Pixels:
        """The picture with coloured areas, outlines and names."""
        return self.drawing.labels(image, self.label_map)

    def map_files(self, name: str) -> dict[str, Any]:
        """The label map, ``NAME.png``."""
        return {"label_map": label_path(name)}

    def write_maps(self, out: Path, name: str, orientation: int) -> None:
        """Write the label map."""
        stored = as_stored(self.label_map, orientation)
        write_label_map(out / label_path(name), stored, orientation)

    def write_numbers(self, path: Path, image_id: str, orientation: int) -> None:
        """Write the scores; their grid spans the picture, so it turns with it."""
        assert self.scores is not None
        stored = np.moveaxis(as_stored(np.moveaxis(self.scores.scores, 0, -1), orientation), -1, 0)
        size = stored_size(self.scores.size, orientation)
        with write_shard(path) as write:
            write(image_id, ImageScores(np.ascontiguousarray(stored), size))


@dataclass(frozen=True)
class SegmentationPredictor:
    """A segmentation network with its views.

    Attributes:
        class_names: Names of classes 1..C.
        predictor: The network and how it looks.
        reduced_to: Longer side to which larger pictures are reduced; None never reduces.
        reduced_beyond: Longer side from which on they are.
    """

    class_names: tuple[str, ...]
    drawing: Drawing
    predictor: ImagePredictor
    reduced_to: int | None
    reduced_beyond: float
    layout: Layout = LAYOUT
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that change a label map."""
        views = self.predictor
        alone = len(views.scales) == 1 and not views.flip
        return {
            "kind": "segmentation",
            "scales": list(views.scales),
            "flip": views.flip,
            "merge": None if alone else views.merge,
            "crf": views.crf,
            "longest_side": self.reduced_to,
            "reduced_beyond": self.reduced_beyond if self.reduced_to else None,
        }

    def remark(self, sizes: Sequence[tuple[int, int]]) -> str | None:
        """Remark on pictures of these sizes (H, W)."""
        if self.reduced_to is None:
            large = sum(max(size) > _LARGE for size in sizes)
            if not large or self.reduced_beyond == inf:
                return None
            return (
                f"looked at with all their pixels, sides of more than {_LARGE}: {large} of "
                f"{len(sizes)} pictures; it takes long, and objects may be larger than any of the "
                "training: pass --longest-side 500, the size of VOC's pictures, or 0 to be told no "
                "more"
            )
        reduced = sum(self.reduction(size) < 1 for size in sizes)
        if not reduced:
            return None
        return (
            f"looked at with the longer side reduced to {self.reduced_to} pixels, since the "
            f"network knows no larger ones: {reduced} of {len(sizes)} pictures; their label maps "
            "have their own size"
        )

    def reduction(self, size: tuple[int, int]) -> float:
        """Factor by which a picture of the size (H, W) is looked at smaller; 1 leaves it."""
        if self.reduced_to is None or max(size) <= self.reduced_beyond:
            return 1.0
        return self.reduced_to / max(size)

    def predict(self, image: Pixels) -> LabelPrediction:
        """Label every pixel of an upright picture."""
        size = image.shape[0], image.shape[1]
        reduction = self.reduction(size)
        scores = self.predictor.scores(image, reduction=reduction)
        label_map = self.predictor.label_map(scores, image, reduction=reduction).cpu().numpy()
        stored = ImageScores(scores.cpu().numpy(), size)
        return LabelPrediction(self.class_names, self.drawing, label_map, stored)

    def read(self, out: Path, name: str, orientation: int) -> LabelPrediction | None:
        """The label map that was written."""
        label_map = read_label_map(out / label_path(name), num_labels=len(self.class_names) + 1)
        return LabelPrediction(
            self.class_names, self.drawing, as_seen(label_map, orientation), None
        )


def label_path(name: str) -> str:
    """Where the label map of a picture lies, relative to the folder of results."""
    return f"{name}.png"


def load_segmentation(
    config: PredictConfig, checkpoint: Path, device: torch.device, precision: str, track: Track
) -> SegmentationPredictor:
    """A segmentation network, ready to look at pictures.

    Raises:
        WsssError: The checkpoint is not whole.
        UsageError: An option is of attention.
    """
    if config.size is not None:
        raise UsageError(
            f"--size is of attention, and {checkpoint} holds a segmentation network, which sees "
            "pictures at their own size; use --scales or --longest-side, or leave it out"
        )
    if config.redraw:
        raise UsageError(
            f"--redraw is of attention, and {checkpoint} holds a segmentation network; use --crf, "
            "which refines label maps, or leave it out"
        )
    trained = read_network(checkpoint)
    scales = config.scales or checkpoint_scales(checkpoint, trained, track)
    classifier = None
    if config.classifier is not None:
        classifier = load_classifier(config.classifier, device, precision)
        _require_same_classes(config.classifier, classifier.class_names, trained.class_names)
    predictor = ImagePredictor(
        trained.network,
        scales,
        config.flip,
        config.merge or MERGES[0],
        config.crf,
        device,
        precision,
        classifier,
    )
    reduced_to, reduced_beyond = _sizes(config, trained)
    return SegmentationPredictor(
        trained.class_names,
        Drawing.of(trained.class_names),
        predictor,
        reduced_to,
        reduced_beyond,
    )


def _require_same_classes(path: Path, ours: Sequence[str], theirs: Sequence[str]) -> None:
    """Refuse a classifier of other classes than the segmentation network's."""
    if tuple(ours) != tuple(theirs):
        raise WsssError(
            f"--classifier {path} was trained on other classes than the segmentation network, or "
            f"in another order: {', '.join(ours)} there, {', '.join(theirs)} here; give one that "
            "was trained on the same"
        )


def _sizes(config: PredictConfig, trained: SegmentationCheckpoint) -> tuple[int | None, float]:
    """To what longer side pictures are reduced, None for never, and beyond which one.

    Larger objects than those of its training a network does not know. Pictures up to the largest
    scale of its training are within what it has seen.
    """
    if config.longest_side is not None:
        return config.longest_side or None, config.longest_side or inf
    if trained.longest_side is None:
        return None, 0
    _, scale_high = trained.scale_range or (1.0, SegmentConfig.scale_high)
    return trained.longest_side, trained.longest_side * max(1.0, scale_high)
