"""Label maps that need no learning of shape: what any method has to beat."""

import torch
from torch import Tensor

SALIENT = 0.5
# Side of the centre box as a share of the image's: about half of the area.
BOX_SIDE = 0.7


def painted_saliency(saliency: Tensor, label: int) -> Tensor:
    """Give every salient pixel one label.

    Args:
        saliency: (H, W) in [0, 1].
        label: 1..C.

    Returns:
        (H, W) uint8.
    """
    return (saliency > SALIENT).to(torch.uint8) * label


def centre_box(size: tuple[int, int], label: int) -> Tensor:
    """Give the middle of the image one label.

    Args:
        size: (H, W).
        label: 1..C.

    Returns:
        (H, W) uint8.
    """
    label_map = torch.zeros(size, dtype=torch.uint8)
    top, left = (round(side * (1 - BOX_SIDE) / 2) for side in size)
    label_map[top : size[0] - top, left : size[1] - left] = label
    return label_map
