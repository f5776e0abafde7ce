"""Pixels that a proxy leaves out because their label is in doubt."""

from torch import Tensor

from wsss_cli.labels import IGNORE


def ignore_conflicts(label_map: Tensor, attention: Tensor, threshold: float) -> Tensor:
    """Ignore object pixels that two classes claim at once.

    Advice of SeeNet's author to readers whose proxies came out poor.

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


def ignore_crowded(
    label_map: Tensor, attention: Tensor, background: Tensor, threshold: float, most: int
) -> Tensor:
    """Ignore pixels that too many labels are sure of, the background counted like a class.

    Args:
        label_map: (H, W) uint8.
        attention: (K, H, W) in [0, 1].
        background: (H, W) score of the background in [0, 1].
        threshold: A label is sure of a pixel where its score is above it.
        most: How many labels may be sure of one pixel.

    Returns:
        (H, W) uint8 with 255 where more than ``most`` labels are sure, whatever the label was.
    """
    sure = (attention > threshold).sum(dim=0) + (background > threshold)  # (H, W)
    return label_map.masked_fill(sure > most, IGNORE)
