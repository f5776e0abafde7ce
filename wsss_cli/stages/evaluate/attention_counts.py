"""Counts of one image for the scores of attention, and their sums over all images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.map_sizes import require_size
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.labels import IGNORE
from wsss_cli.metrics.attention import ThresholdCurve
from wsss_cli.metrics.localisation import Localisation
from wsss_cli.metrics.segmentation import iou, overlap
from wsss_cli.metrics.truth_style import border_style

THRESHOLDS = torch.arange(1, 101) / 100
# Images whose overlaps lie side by side.
_BLOCK = 64


@dataclass(frozen=True)
class ImageCounts:
    """Counts of one image: some kilobytes, whatever its size.

    Attributes:
        labels: (l,) that occur in truth or attention, and background.
        counts: (T + 1, l, l) int32 of the curve, among them.
        overlaps: (T, 2, l) int32 intersections and unions at every threshold.
        class_ids: (K,) 1..C of the maps.
        shown: Classes 1..C that have a pixel in the truth.
        logits: (C,) of the image, where the file has them.
        style: Style of the truth's borders; None where it has one label only.
        places: Boxes and pixels found, if asked for.
    """

    labels: Tensor
    counts: Tensor
    overlaps: Tensor
    class_ids: Tensor
    shown: list[int]
    logits: npt.NDArray[np.float32] | None
    style: str | None
    places: Localisation | None

    def present(self, num_labels: int) -> Tensor:
        """(L,) bool, the labels that the truth has."""
        true = self.labels[self.counts.sum(dim=(0, 2)) > 0]
        return torch.zeros(num_labels, dtype=torch.bool).index_fill(0, true, True)


class Curves:
    """The counts of one system at every threshold: their sum, and the overlaps of each image.

    The overlaps lie side by side in a tensor of many images: what each needs is little, but small
    tensors that stay between the large ones that go hold ten times their memory.
    """

    def __init__(self, num_labels: int) -> None:
        """Start with no image."""
        self._num_labels = num_labels
        self._sum = ThresholdCurve(num_labels, THRESHOLDS)
        self._last: list[tuple[Tensor, Tensor]] = []  # (l,) labels, (T, 2, l) overlaps of an image
        self._blocks: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, image: ImageCounts) -> None:
        """Add an image's counts."""
        self._sum.add(image.labels, image.counts)
        self._last.append((image.labels, image.overlaps))
        if len(self._last) == _BLOCK:
            self._blocks.append(_side_by_side(self._last))
            self._last = []

    def confusions(self) -> Tensor:
        """(T, L, L) int64 of all images."""
        return self._sum.confusions()

    def best(self) -> int:
        """Number of the threshold with the highest mIoU, the lowest of equals."""
        return int(iou(self.confusions()).nanmean(dim=-1).argmax())

    def overlaps_at(self, number: int) -> Tensor:
        """(N, 2, L) int32 of the images at one threshold."""
        last = [_side_by_side(self._last)] if self._last else []
        return torch.cat([self._wide(number, *block) for block in (*self._blocks, *last)])

    def _wide(self, number: int, counts: Tensor, labels: Tensor, overlaps: Tensor) -> Tensor:
        """(n, 2, L) int32 of a block's images at one threshold."""
        images = torch.arange(len(counts)).repeat_interleave(counts)
        dense = torch.zeros(len(counts), 2, self._num_labels, dtype=torch.int32)
        dense[images, :, labels] = overlaps[number].T
        return dense


def _side_by_side(images: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """How many labels each image has, (l,) all of them, and (T, 2, l) their overlaps."""
    labels, overlaps = zip(*images, strict=True)
    return (
        torch.tensor([len(class_ids) for class_ids in labels]),
        torch.cat(labels),
        torch.cat(overlaps, dim=-1),
    )


def confusion_at(image: ImageCounts, threshold: float, num_labels: int) -> Tensor:
    """(L, L) int64 confusion matrix of one image at one of the thresholds."""
    curve = ThresholdCurve(num_labels, THRESHOLDS)
    curve.add(image.labels, image.counts)
    return curve.confusion_at(threshold)


def count_image(
    file: AttentionFile, image_id: str, truth: Path, num_labels: int, *, localisation: bool
) -> ImageCounts:
    """Count one image.

    Args:
        file: Holds the maps.
        image_id: Id of the image.
        truth: Its true label map.
        num_labels: Labels including background.
        localisation: Also find boxes.

    Raises:
        WsssError: A file cannot be read, or the sizes differ.
    """
    attention = file.read(image_id)
    target = read_label_map(truth, num_labels=num_labels)
    of_image = f"image {image_id} of {file.path}"
    require_size(str(truth), target.shape, attention.size, beside=of_image)
    maps = enlarge_maps(attention.maps, attention.size)
    class_ids = torch.from_numpy(attention.class_ids).long()
    curve = ThresholdCurve(num_labels, THRESHOLDS)
    curve.update(torch.from_numpy(maps), class_ids, torch.tensor(target))
    labels, counts = curve.occurring()
    class_ids_shown = _classes_shown(target)
    return ImageCounts(
        labels,
        counts,
        overlap(curve.confusions())[..., labels].int(),
        class_ids,
        class_ids_shown,
        attention.logits,
        border_style(target),
        _places(maps, class_ids.tolist(), target, class_ids_shown) if localisation else None,
    )


def _classes_shown(target: npt.NDArray[np.uint8]) -> list[int]:
    """Classes 1..C that have a pixel in an (H, W) truth."""
    there = np.flatnonzero(np.bincount(target.ravel(), minlength=IGNORE + 1))
    return [label for label in there.tolist() if label not in (0, IGNORE)]


def _places(
    maps: npt.NDArray[np.float32],
    class_ids: list[int],
    target: npt.NDArray[np.uint8],
    class_ids_shown: list[int],
) -> Localisation:
    places, labelled = Localisation(), target != IGNORE
    for class_id in set(class_ids_shown) - set(class_ids):
        places.add_missing(target == class_id)
    for attention_map, class_id in zip(maps, class_ids, strict=True):
        places.add(attention_map, target == class_id, labelled)
    return places
