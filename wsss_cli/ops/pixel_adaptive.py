"""Class probabilities that follow the colours of the image.

The pixel-adaptive mask refinement of Araslanov and Roth, "Single-Stage Semantic Segmentation from
Image Labels", CVPR 2020.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

# Of the deviation in the kernel's exponent, and what keeps it above zero; the authors' values.
_SHARPNESS = 0.1
_EPSILON = 1e-8
DILATIONS = (1, 2, 4)
ITERATIONS = 10


@torch.no_grad()
def refine_by_colour(
    probabilities: Tensor,
    images: Tensor,
    *,
    dilations: Sequence[int] = DILATIONS,
    iterations: int = ITERATIONS,
) -> Tensor:
    """Average probabilities over neighbours of a similar colour, again and again.

    A neighbour weighs the softmax, over all neighbours, of minus the difference in colour divided
    by a tenth of the local deviation, averaged over the channels of colour.

    Args:
        probabilities: (B, K, h, w).
        images: (B, 3, h, w) RGB in any range.
        dilations: Distances of the eight neighbours that are looked at, in positions.
        iterations: How often.

    Returns:
        (B, K, h, w) float32, of the same sum over K as before.
    """
    probabilities, images = probabilities.float(), images.float()
    neighbours = torch.stack(list(_neighbours(images, dilations)), dim=1)  # (B, N, 3, h, w)
    deviation = neighbours.std(dim=1, keepdim=True)  # (B, 1, 3, h, w)
    distance = (neighbours - images[:, None]).abs() / (_EPSILON + _SHARPNESS * deviation)
    weights = (-distance.mean(dim=2)).softmax(dim=1)  # (B, N, h, w)
    for _ in range(iterations):
        averaged = torch.zeros_like(probabilities)
        for number, shifted in enumerate(_neighbours(probabilities, dilations)):
            averaged += weights[:, number, None] * shifted
        probabilities = averaged
    return probabilities


def _neighbours(maps: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """The maps (B, K, h, w) as each neighbour of a position sees them; edges repeat."""
    height, width = maps.shape[-2:]
    most = max(dilations)
    padded = functional.pad(maps, (most, most, most, most), mode="replicate")
    for dilation in dilations:
        for down in (-dilation, 0, dilation):
            for right in (-dilation, 0, dilation):
                if down or right:
                    top, left = most + down, most + right
                    yield padded[:, :, top : top + height, left : left + width]
