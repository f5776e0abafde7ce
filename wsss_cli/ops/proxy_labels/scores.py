"""Scores of classes at each pixel."""

import torch
from torch import Tensor

# The guard in OAA's normalisation; a constant map becomes 0.
EPSILON = 1e-8


def harmonic_mean(attention: Tensor, saliency: Tensor, w: float = 1.0) -> Tensor:
    """Weighted harmonic mean ``(w + 1) / (w / A + 1 / D)``, 0 where either is 0.

    Args:
        attention: (K, H, W) in [0, 1].
        saliency: (H, W) in [0, 1].
        w: Weight of the attention against the saliency, above 0.

    Returns:
        (K, H, W) in [0, 1].
    """
    # Multiplied out, the mean needs no division by a zero attention or saliency.
    mean = (w + 1) * attention * saliency
    mean /= (w * saliency + attention).clamp_min_(torch.finfo(mean.dtype).tiny)
    return mean


def cut_low(attention: Tensor, threshold: float) -> Tensor:
    """Set attention below the threshold to 0; shape and type stay."""
    return attention.masked_fill(attention < threshold, 0)


def min_max_normalised(attention: Tensor) -> Tensor:
    """(K, H, W) maps, each stretched to the range 0..1."""
    lowest = attention.amin(dim=(-2, -1), keepdim=True)  # (K, 1, 1)
    highest = attention.amax(dim=(-2, -1), keepdim=True)  # (K, 1, 1)
    return (attention - lowest) / (highest - lowest + EPSILON)
