"""A random walk that spreads class maps up to the edges of objects.

Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations",
CVPR 2019 (IRNet). Two positions are close where no edge lies on the straight path between them.

Different here: the authors square a dense matrix of all pairs of positions eight times, which for
one photograph takes gigabytes. The same 256 steps are taken one after another, each over the few
neighbours that a position has.
"""

import torch
from torch import Tensor

from wsss_cli.ops.position_pairs import affinity, directions, overlap


def walk(
    maps: Tensor, edges: Tensor, radius: int = 5, beta: float = 10, steps: int = 256
) -> Tensor:
    """Spread maps over positions that no edge separates.

    Neighbours are closer than ``radius``. The affinity of two of them is 1 minus the strongest edge
    on the path between them, to the power ``beta``; that of a position to itself is 1. A step
    replaces each value by the mean over its neighbours and itself, weighted by the affinities. The
    walk starts from the maps times 1 - ``edges``.

    Args:
        maps: (K, h, w).
        edges: (h, w) in [0, 1].
        radius: Distance that two neighbours stay below, in positions; 1 or less leaves none.
        beta: Power of the affinities.
        steps: How many steps are taken.

    Returns:
        (K, h, w) of the maps' type, not normalised.
    """
    height, width = edges.shape
    values = maps * (1 - edges)
    links = []
    for offset in directions(radius):
        if offset[0] < height and abs(offset[1]) < width:
            first, second = overlap(offset, height, width)
            links.append((first, second, affinity(edges, offset) ** beta))
    total = torch.ones_like(edges)
    for first, second, weight in links:
        total[first] += weight
        total[second] += weight
    # Divided once here, a step needs no division: each position's own weights sum to 1.
    weighted = [(a, b, w / total[a], w / total[b]) for a, b, w in links]
    own = 1 / total
    for _ in range(steps):
        moved = values * own
        for first, second, into_first, into_second in weighted:
            moved[:, *first] += into_first * values[:, *second]
            moved[:, *second] += into_second * values[:, *first]
        values = moved
    return values
