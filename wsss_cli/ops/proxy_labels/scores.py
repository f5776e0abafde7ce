"""Scores of classes at each pixel, and which class has the best one."""

import torch
from torch import Tensor


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


def strongest_class(scores: Tensor, class_ids: Tensor) -> tuple[Tensor, Tensor]:
    """The best class of each pixel; of equal ones the first.

    Args:
        scores: (K, H, W), 0 or more; K may be 0.
        class_ids: (K,) integers 1..C.

    Returns:
        (H, W) best score and (H, W) uint8 class id; both 0 where there is no class.
    """
    if not len(scores):
        nothing = scores.new_zeros(scores.shape[1:])
        return nothing, nothing.to(torch.uint8)
    best, winner = scores.max(dim=0)  # (H, W) each
    return best, class_ids.to(torch.uint8)[winner]


def cut_low(attention: Tensor, threshold: float) -> Tensor:
    """Set attention below the threshold to 0; shape and type stay."""
    return attention.masked_fill(attention < threshold, 0)
