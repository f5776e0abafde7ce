"""Rules that turn attention, saliency and image-level labels into proxy ground truth."""

import torch
from torch import Tensor

IGNORE = 255


def seenet_proxy(
    attention: Tensor, class_ids: Tensor, saliency: Tensor, w: float = 200.0
) -> Tensor:
    """Label each pixel by the weighted harmonic mean of attention and saliency.

    Hou et al. 2018, algorithm 1: background scores ``Q_0 = 1 - D``, each present class
    ``Q_c = (w + 1) / (w / A_c + 1 / D)``, the largest wins; ``w = 1`` is the plain harmonic mean.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        saliency: (H, W) in [0, 1].
        w: Weight of the attention against the saliency, above 0.

    Returns:
        (H, W) uint8: 0 or one of ``class_ids``; a tie goes to background, then to the first class.
    """
    attention, saliency = attention.float(), saliency.float()
    if not len(attention):
        return torch.zeros_like(saliency, dtype=torch.uint8)
    # Multiplied out, the mean needs no division by a zero attention or saliency.
    scores = (w + 1) * attention * saliency  # (K, H, W)
    scores /= (w * saliency + attention).clamp_min_(torch.finfo(torch.float32).tiny)
    best, winner = scores.max(dim=0)  # (H, W) each
    label_map = class_ids.to(torch.uint8)[winner]
    label_map[best <= 1.0 - saliency] = 0
    return label_map


def ignore_conflicts(label_map: Tensor, attention: Tensor, threshold: float) -> Tensor:
    """Ignore pixels that two classes claim at once.

    Advice of the paper's author to readers whose proxies came out poor.

    Args:
        label_map: (H, W) uint8.
        attention: (K, H, W) in [0, 1].
        threshold: A class claims a pixel where its attention is above it.

    Returns:
        (H, W) uint8 with 255 where two or more classes claim a pixel that is not background.
    """
    claims = (attention > threshold).sum(dim=0)  # (H, W)
    return label_map.masked_fill((claims > 1) & (label_map != 0), IGNORE)


def ignore_salient_background(label_map: Tensor, saliency: Tensor, threshold: float) -> Tensor:
    """Ignore pixels that stand out and yet were claimed by no class.

    Args:
        label_map: (H, W) uint8.
        saliency: (H, W) in [0, 1].
        threshold: A pixel stands out where its saliency is above it.

    Returns:
        (H, W) uint8 with 255 on salient pixels labelled background.
    """
    return label_map.masked_fill((saliency > threshold) & (label_map == 0), IGNORE)
