"""Segmentation quality of attention maps at every threshold, in one pass over the maps.

A mIoU at one threshold mixes two things that erasing sets against each other: how much of the
object is found and how much of the background is lit. :func:`object_found` and
:func:`background_lit` tell them apart at each threshold, and :func:`lit_at_recall` compares systems
where they find equally much.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

from wsss_cli.labels import IGNORE
from wsss_cli.metrics.segmentation import require_labels


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
            thresholds: (T,) ascending.
        """
        self.num_labels = num_labels
        self.thresholds = torch.as_tensor(thresholds, dtype=torch.float32).contiguous()
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
        valid = target != IGNORE
        # Background that no threshold passes: the answer where no class is present.
        nothing = maps.new_full((1, *maps.shape[1:]), -torch.inf)
        score, index = torch.cat((maps, nothing))[:, valid].float().max(dim=0)  # (pixels,)
        winner = torch.cat((class_ids, class_ids.new_zeros(1)))[index]
        passed = torch.searchsorted(self.thresholds, score, right=True)
        cells = (passed * self.num_labels + target[valid].long()) * self.num_labels + winner
        self._counts += torch.bincount(cells, minlength=self._counts.numel()).view_as(self._counts)

    def add(self, other: "ThresholdCurve") -> None:
        """Add the counts of other images, made with the same labels and thresholds."""
        self._counts += other._counts

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
        found = self._counts.flip(0).cumsum(0).flip(0)[1:]  # (T, L, L) at or above the threshold
        confusion = found.clone()
        confusion[:, :, 0] += (total - found).sum(dim=-1)  # below it: background
        return confusion


def object_found(confusions: Tensor) -> Tensor:
    """Share of the true object pixels that carry their own class.

    Args:
        confusions: (..., L, L) counts, rows target, columns prediction.

    Returns:
        (...) float64 in [0, 1]; nan without any object pixel.
    """
    found = confusions.diagonal(dim1=-2, dim2=-1)[..., 1:].sum(dim=-1).double()
    return found / confusions[..., 1:, :].sum(dim=(-2, -1))


def background_lit(confusions: Tensor) -> Tensor:
    """Share of the true background pixels that carry any class.

    Args:
        confusions: (..., L, L) counts, rows target, columns prediction.

    Returns:
        (...) float64 in [0, 1]; nan without any background pixel.
    """
    background = confusions[..., 0, :]  # (..., L)
    return background[..., 1:].sum(dim=-1).double() / background.sum(dim=-1)


def lit_at_recall(found: Tensor, lit: Tensor, recall: float) -> float | None:
    """The background lit where a given share of the object is found, between thresholds linearly.

    Above the largest value nothing is found and nothing lit, so the curve starts at (0, 0); it ends
    at the lowest threshold. Where several thresholds find exactly the share, the highest counts.

    Args:
        found: (T,) :func:`object_found` at ascending thresholds, so descending.
        lit: (T,) :func:`background_lit` at the same thresholds.
        recall: Share of the object, in (0, 1].

    Returns:
        In [0, 1]; None where even the lowest threshold finds less, or a share is not defined.
    """
    ends = [(0.0, 0.0), *zip(found.flip(0).tolist(), lit.flip(0).tolist(), strict=True)]
    for (found_before, lit_before), (found_after, lit_after) in pairwise(ends):
        if found_after >= recall:
            way = (recall - found_before) / (found_after - found_before)
            at_recall = lit_before + way * (lit_after - lit_before)
            return None if math.isnan(at_recall) else at_recall
    return None
