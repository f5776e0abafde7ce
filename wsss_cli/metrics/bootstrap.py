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
# Resamples held at a time, a byte for each image. Fewer the more images there are would bound the
# memory, but for each part all overlaps are gone through: time would grow with the images' square.
_ROWS = 64
# Images whose overlaps are float64 at a time, few enough for a core's cache.
_IMAGES = 2048


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
        seed: Seed of the draws.
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
        seed: Seed of the draws.

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
    return Difference(float(difference(torch.ones(1, count, dtype=torch.uint8))), low, high)


def resampling_weights(count: int, resamples: int, seed: int) -> Iterator[Tensor]:
    """How often each image is drawn.

    Yields:
        (R, count) uint8 of some resamples, ``resamples`` rows in all; every row sums to ``count``.
        A byte is enough: an image is drawn 256 times with a probability below 1 / 256!.
    """
    generator = torch.Generator().manual_seed(seed)
    increment = torch.ones(1, dtype=torch.uint8)
    for first in range(0, resamples, _ROWS):
        weights = torch.zeros(min(_ROWS, resamples - first), count, dtype=torch.uint8)
        for row in weights:
            drawn = torch.randint(count, (count,), generator=generator)
            row.scatter_add_(0, drawn, increment.expand(count))
        yield weights


def _middle(mious: Tensor) -> list[float]:
    ends: list[float] = mious.quantile(torch.tensor(INTERVAL, dtype=torch.float64)).tolist()
    return ends


def _mious(weights: Tensor, overlaps: Tensor) -> Tensor:
    """(R,) mIoU under each row of (R, N) weights; float64 adds these counts without rounding."""
    counts = overlaps.flatten(1)  # (N, 2 L)
    totals = torch.zeros(len(weights), counts.shape[1], dtype=torch.float64)
    for first in range(0, len(counts), _IMAGES):
        block = slice(first, first + _IMAGES)
        totals.addmm_(weights[:, block].double(), counts[block].double())
    return iou_of(totals.view(-1, *overlaps.shape[1:])).nanmean(dim=-1)
