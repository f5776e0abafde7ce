"""Is the difference of two mIoUs more than the choice of the images?

The paired bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993): draw as many
images as there are, with replacement, and score both systems on the same draw. What makes an image
hard makes it hard for both, so the difference varies much less than either score.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from wsss_cli.metrics.segmentation import iou

RESAMPLES = 1000
# The middle 95 %.
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Difference:
    """A difference of two mIoUs and the interval in which it lies for 95 % of the resamples."""

    difference: float
    low: float
    high: float


def paired_bootstrap(
    counts_a: Tensor, counts_b: Tensor, *, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Compare two systems on the same images.

    Args:
        counts_a: (N, L, L + 1) pixels of each image, rows target, columns prediction; the last
            column holds further false negatives, such as pixels predicted 255.
        counts_b: Those of the other system, images in the same order.
        resamples: How many times the images are drawn.
        seed: Of the draws.

    Returns:
        mIoU of b minus mIoU of a.

    Raises:
        ValueError: The shapes differ.
    """
    if counts_a.shape != counts_b.shape:
        raise ValueError(f"counts of {tuple(counts_a.shape)} and {tuple(counts_b.shape)}")
    weights = resampling_weights(len(counts_a), resamples, seed)
    differences = _mious(weights, counts_b) - _mious(weights, counts_a)  # (R,)
    low, high = torch.quantile(differences, torch.tensor(INTERVAL, dtype=torch.float64)).tolist()
    everything = torch.ones(1, len(counts_a), dtype=torch.float64)
    whole = _mious(everything, counts_b) - _mious(everything, counts_a)
    return Difference(float(whole), low, high)


def resampling_weights(count: int, resamples: int, seed: int) -> Tensor:
    """How often each image is drawn: (resamples, count) float64, every row sums to ``count``."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(count, (resamples, count), generator=generator)
    weights = torch.zeros(resamples, count, dtype=torch.float64)
    return weights.scatter_add_(1, drawn, torch.ones_like(weights))


def _mious(weights: Tensor, counts: Tensor) -> Tensor:
    """(R,) mIoU under each row of (R, N) weights; float64 holds these counts exactly."""
    totals = (weights @ counts.flatten(1).double()).view(-1, *counts.shape[1:])  # (R, L, L + 1)
    return iou(totals[..., :-1], totals[..., -1]).nanmean(dim=-1)
