"""Maps that follow the colours of their image: pixel-adaptive mask refinement (PAMR).

Araslanov and Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR 2020. A position
takes the mean of its neighbours' values, weighted by how much they have its colour, several times
over. Neighbours are near and far ones, so that a region of one colour shares its values within a
few steps, and an edge between two colours stops them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

DILATIONS = (1, 2, 4, 8, 12, 24)
"""Distances of the eight neighbours in positions; the paper's."""

# The deviation of a neighbourhood's colours by which differences are divided counts so much, and
# is at least so large; both are the paper's.
_DEVIATION_WEIGHT = 0.1
_EPSILON = 1e-8


def refine_by_colour(maps: Tensor, image: Tensor, steps: int) -> Tensor:
    """Average maps over positions of similar colours.

    Args:
        maps: (K, h, w) float.
        image: (3, h, w) colours, on any scale.
        steps: How many times; 0 changes nothing.

    Returns:
        (K, h, w), within the range of each map.
    """
    weights = colour_weights(image) if steps else None
    for _ in range(steps):
        refined = torch.zeros_like(maps)
        for number, neighbour in enumerate(_neighbours(maps)):
            refined.addcmul_(neighbour, weights[number])  # type: ignore[index]
        maps = refined
    return maps


def colour_weights(image: Tensor) -> Tensor:
    """How much each neighbour of a position counts.

    Args:
        image: (3, h, w) colours.

    Returns:
        (N, h, w) float32, a sum of 1 over the N neighbours at each position.
    """
    image = image.float()
    neighbours = torch.stack(list(_neighbours(image)))  # (N, 3, h, w)
    deviation = neighbours.std(dim=0)  # (3, h, w)
    difference = (neighbours - image).abs_() / (_EPSILON + _DEVIATION_WEIGHT * deviation)
    return difference.mean(dim=1).neg_().softmax(dim=0)


def _neighbours(values: Tensor) -> Iterator[Tensor]:
    """The (K, h, w) values of each neighbour; beyond the edge they are those at the edge."""
    height, width = values.shape[-2:]
    for dilation in DILATIONS:
        padded = functional.pad(values[:, None], (dilation,) * 4, mode="replicate")[:, 0]
        for row in (0, dilation, 2 * dilation):
            for column in (0, dilation, 2 * dilation):
                if row != dilation or column != dilation:
                    yield padded[..., row : row + height, column : column + width]
