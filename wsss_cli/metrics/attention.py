"""Segmentation quality of attention maps at every threshold, in one pass over the maps.

A mIoU at one threshold mixes two things that erasing sets against each other: how much of the
object is found and how much of the background is lit. :func:`object_found` and
:func:`background_lit` tell them apart at each threshold, and :func:`lit_at_recall` compares systems
where they find equally much.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.metrics.segmentation import require_labels

FloatArray = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

# OpenCV counts in float32, which holds every integer up to here.
_EXACT = 2**24
# Of the table of thresholds; a power of two, so that finding a score's cell does not round.
_CELLS = 1024


class ThresholdCurve:
    """Confusion matrices of thresholded attention, one per threshold.

    At threshold t a pixel belongs to the class whose map is largest there (the first on ties)
    where that value is at least t, and to the background elsewhere. The winner does not depend on
    t, so one count over (winner, truth, thresholds passed) and a cumulative sum give all curves.
    """

    def __init__(self, num_labels: int, thresholds: Tensor) -> None:
        """Prepare empty counts.

        Args:
            num_labels: Labels including background.
            thresholds: (T,) ascending in [0, 1], 1/1024 or more apart, at most 255.

        Raises:
            ValueError: The thresholds are others.
        """
        self.num_labels = num_labels
        self.thresholds = torch.as_tensor(thresholds, dtype=torch.float32).contiguous()
        self._steps = _Steps(self.thresholds.numpy())
        buckets = len(self.thresholds) + 1
        # counts[b, truth, winner]: pixels whose score passes exactly the first b thresholds
        self._counts = torch.zeros(buckets, num_labels, num_labels, dtype=torch.int64)

    def update(self, maps: Tensor, class_ids: Tensor, target: Tensor) -> None:
        """Count one image.

        Args:
            maps: (K, H, W) attention of the present classes, in [0, 1]; K may be 0.
            class_ids: (K,) integers 1..C.
            target: (H, W) integer labels; 255 is not counted.

        Raises:
            ValueError: A class id or a target value is no label.
        """
        maps, target = torch.as_tensor(maps), torch.as_tensor(target)
        class_ids = torch.as_tensor(class_ids).long()
        require_labels("target", target, self.num_labels)
        require_labels("class_ids", class_ids, self.num_labels)
        score, winner = _strongest(maps.float().numpy(), class_ids.tolist())  # (H, W) each
        passed = self._steps.passed(score)
        sizes = list(self._counts.shape)
        ranges = [end for size in sizes for end in (0, size)]  # beyond them, as 255 is, uncounted
        pixels = [plane.reshape(1, -1) for plane in (passed, target.byte().numpy(), winner)]
        for first in range(0, target.numel(), _EXACT):
            part = [plane[:, first : first + _EXACT] for plane in pixels]
            histogram = cv2.calcHist(part, [0, 1, 2], None, sizes, ranges)
            self._counts += torch.from_numpy(histogram.astype(np.int64))

    def occurring(self) -> tuple[Tensor, Tensor]:
        """The counts among the labels that occur: of one image, some kilobytes.

        Returns:
            (l,) ascending labels, background among them, and (T + 1, l, l) int32 counts of truth
            and winner for each number of thresholds passed.
        """
        occurs = self._counts.sum(dim=(0, 1)) + self._counts.sum(dim=(0, 2)) > 0  # (L,)
        occurs[0] = True
        labels = occurs.nonzero().flatten()
        return labels, self._counts[:, labels][:, :, labels].int()

    def add(self, labels: Tensor, counts: Tensor) -> None:
        """Add what :meth:`occurring` gave of other images, with the same thresholds."""
        self._counts[:, labels[:, None], labels] += counts

    def confusion_at(self, threshold: float) -> Tensor:
        """(L, L) int64 confusion matrix at one of the thresholds.

        Raises:
            ValueError: It is none of them.
        """
        near = torch.isclose(self.thresholds, torch.tensor(threshold)).nonzero()
        if not len(near):
            raise ValueError(f"{threshold} is none of the curve's thresholds")
        passed = self._counts[int(near[0]) + 1 :].sum(dim=0)  # (L, L) by truth and winner
        confusion = passed.clone()
        confusion[:, 0] += (self._counts.sum(dim=0) - passed).sum(dim=-1)
        return confusion

    def confusions(self) -> Tensor:
        """(T, L, L) int64 confusion matrix at each threshold, rows target, columns prediction."""
        total = self._counts.sum(dim=0)  # (L, L) by truth and winner
        counts = self._counts.flip(0).cumsum(0).flip(0)[1:]  # (T, L, L) at or above the threshold
        confusion = counts.clone()
        confusion[:, :, 0] += (total - counts).sum(dim=-1)  # below it: background
        return confusion


class _Steps:
    """How many thresholds a score passes: a table lookup and one comparison.

    A cell of the table holds one threshold at most, so whether that one is passed is all that the
    table leaves open. This is exact: multiplying by a power of two does not round.
    """

    def __init__(self, thresholds: FloatArray) -> None:
        """Prepare the table for (T,) float32 thresholds."""
        if len(thresholds) > 255 or (thresholds < 0).any():
            raise ValueError("there must be at most 255 thresholds, of 0 or more")
        cells = (thresholds * _CELLS).astype(np.int64)
        if len(set(cells.tolist())) < len(cells) or (np.diff(thresholds) <= 0).any():
            raise ValueError("thresholds must ascend by 1/1024 or more")
        self._below = np.searchsorted(cells, np.arange(_CELLS + 2)).astype(np.uint8)
        self._next = np.append(thresholds, np.inf).astype(np.float32)

    def passed(self, score: FloatArray) -> Bytes:
        """(H, W) uint8 number of thresholds that are at most the (H, W) score."""
        cell = np.minimum(score * np.float32(_CELLS), _CELLS + 1).astype(np.int16)
        number: Bytes = self._below.take(cell)
        number += score >= self._next.take(number)
        return number


def _strongest(maps: FloatArray, class_ids: Sequence[int]) -> tuple[FloatArray, Bytes]:
    """The (H, W) largest value at each pixel and the class it belongs to, the first on ties.

    Without maps the value is 0 and the class the background.
    """
    if not len(maps):
        nothing = maps.shape[1:]
        return np.zeros(nothing, np.float32), np.zeros(nothing, np.uint8)
    score, winner = maps[0], np.full(maps.shape[1:], class_ids[0], np.uint8)
    for attention, class_id in zip(maps[1:], class_ids[1:], strict=True):
        winner[attention > score] = class_id
        score = np.maximum(score, attention)
    return score, winner


def object_found(confusions: Tensor) -> Tensor:
    """Share of the true object pixels that carry their own class.

    Args:
        confusions: (..., L, L) counts, rows target, columns prediction.

    Returns:
        (...) float64 in [0, 1]; nan without any object pixel.
    """
    hits = confusions.diagonal(dim1=-2, dim2=-1)[..., 1:].sum(dim=-1).double()
    return hits / confusions[..., 1:, :].sum(dim=(-2, -1))


def background_lit(confusions: Tensor) -> Tensor:
    """Share of the true background pixels that carry any class.

    Args:
        confusions: (..., L, L) counts, rows target, columns prediction.

    Returns:
        (...) float64 in [0, 1]; nan without any background pixel.
    """
    background = confusions[..., 0, :]  # (..., L)
    return background[..., 1:].sum(dim=-1).double() / background.sum(dim=-1)


def lit_at_recall(recalls: Tensor, lit: Tensor, recall: float) -> float | None:
    """The background lit where a given share of the object is found, between thresholds linearly.

    Above the largest value nothing is found and nothing lit, so the curve starts at (0, 0); it ends
    at the lowest threshold. Where several thresholds find exactly the share, the highest counts.

    Args:
        recalls: (T,) :func:`object_found` at ascending thresholds, so descending.
        lit: (T,) :func:`background_lit` at the same thresholds.
        recall: Share of the object, in (0, 1].

    Returns:
        In [0, 1]; None where even the lowest threshold finds less, or a share is not defined.
    """
    ends = [(0.0, 0.0), *zip(recalls.flip(0).tolist(), lit.flip(0).tolist(), strict=True)]
    for (found_before, lit_before), (found_after, lit_after) in pairwise(ends):
        if found_after >= recall:
            way = (recall - found_before) / (found_after - found_before)
            at_recall = lit_before + way * (lit_after - lit_before)
            return None if math.isnan(at_recall) else at_recall
    return None
