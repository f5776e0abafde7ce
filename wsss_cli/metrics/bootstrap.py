"""How far does a mIoU, or the difference of two, depend on the choice of the images?

The bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993): draw as many images
as there are, with replacement, and score each draw; the middle 95 % of the scores are the interval.
Of two systems both are scored on the same draw (paired): what makes an image hard makes it hard for
both, so the difference varies much less than either score.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from wsss_cli.metrics.segmentation import iou_of

RESAMPLES = 1000
# The middle 95 %.
INTERVAL = (0.025, 0.975)
CONFIDENCE = 0.95
# Weights held at a time, 32 MiB, however many images there are.
_WEIGHTS = 2**22


@dataclass(frozen=True)
class Interval:
    """Where a mIoU lies for 95 % of the resamples."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A difference of two mIoUs and the interval in which it lies for 95 % of the resamples."""

    difference: float
    low: float
    high: float

    @property
    def real(self) -> bool:
        """Whether the interval leaves 0 out: another choice of images would hardly undo it."""
        return self.low > 0 or self.high < 0


def bootstrap(overlaps: Tensor, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The interval of one system's mIoU.

    Args:
        overlaps: (N, 2, L) intersection and union of each label in each image, in pixels.
        resamples: How many times the images are drawn.
        seed: Of the draws.
    """
    draws = resampling_weights(len(overlaps), resamples, seed)
    return Interval(*_middle(torch.cat([_mious(weights, overlaps) for weights in draws])))


def paired_bootstrap(
    overlaps_a: Tensor, overlaps_b: Tensor, *, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Compare two systems on the same images.

    Args:
        overlaps_a: (N, 2, L) intersection and union of each label in each image, in pixels.
        overlaps_b: Those of the other system, images in the same order.
        resamples: How many times the images are drawn.
        seed: Of the draws.

    Returns:
        mIoU of b minus mIoU of a.

    Raises:
        ValueError: The shapes differ.
    """
    if overlaps_a.shape != overlaps_b.shape:
        raise ValueError(f"overlaps of {tuple(overlaps_a.shape)} and {tuple(overlaps_b.shape)}")

    def difference(weights: Tensor) -> Tensor:
        return _mious(weights, overlaps_b) - _mious(weights, overlaps_a)

    count = len(overlaps_a)
    draws = resampling_weights(count, resamples, seed)
    low, high = _middle(torch.cat([difference(weights) for weights in draws]))
    return Difference(float(difference(torch.ones(1, count, dtype=torch.float64))), low, high)


def resampling_weights(count: int, resamples: int, seed: int) -> Iterator[Tensor]:
    """How often each image is drawn.

    Yields:
        (R, count) float64 of some resamples, ``resamples`` rows in all; every row sums to
        ``count``.
    """
    generator = torch.Generator().manual_seed(seed)
    most = max(1, _WEIGHTS // count)
    for first in range(0, resamples, most):
        rows = min(most, resamples - first)
        drawn = torch.randint(count, (rows, count), generator=generator)
        weights = torch.zeros(rows, count, dtype=torch.float64)
        yield weights.scatter_add_(1, drawn, weights.new_ones(1, 1).expand(rows, count))


def _middle(mious: Tensor) -> list[float]:
    ends: list[float] = mious.quantile(torch.tensor(INTERVAL, dtype=torch.float64)).tolist()
    return ends


def _mious(weights: Tensor, overlaps: Tensor) -> Tensor:
    """(R,) mIoU under each row of (R, N) weights; float64 holds these counts exactly."""
    totals = (weights @ overlaps.flatten(1).double()).view(-1, *overlaps.shape[1:])  # (R, 2, L)
    return iou_of(totals).nanmean(dim=-1)
