"""A random walk that spreads class maps up to the edges of objects.

Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations",
CVPR 2019 (IRNet). Two positions are close where no edge lies on the straight path between them.

Different here: the authors square a dense matrix of all pairs of positions eight times, which for
one photograph takes gigabytes. The same 256 steps are taken one after another, each over the few
neighbours that a position has.
"""

from collections.abc import Iterator

import torch
from torch import Tensor


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
    for down, right in _directions(radius):
        if down < height and abs(right) < width:
            first, second = _overlap((down, right), height, width)
            links.append((first, second, _affinity(edges, (down, right)) ** beta))
    total = torch.ones_like(edges)
    for first, second, affinity in links:
        total[first] += affinity
        total[second] += affinity
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


Slices = tuple[slice, slice]


def _directions(radius: int) -> Iterator[tuple[int, int]]:
    """Offsets (down, right) to half of the neighbours; the others are their opposites."""
    for right in range(1, radius):
        yield 0, right
    for down in range(1, radius):
        for right in range(-radius + 1, radius):
            if down**2 + right**2 < radius**2:
                yield down, right


def _overlap(offset: tuple[int, int], height: int, width: int) -> tuple[Slices, Slices]:
    """The positions that have a neighbour at an offset (down >= 0, right), and these neighbours."""
    down, right = offset
    left, beyond = max(0, -right), max(0, right)
    first = slice(0, height - down), slice(left, width - beyond)
    second = slice(down, height), slice(left + right, width - beyond + right)
    return first, second


def _affinity(edges: Tensor, offset: tuple[int, int]) -> Tensor:
    """1 minus the strongest edge on the path from each position to its neighbour at an offset."""
    height, width = edges.shape
    (rows, columns), _ = _overlap(offset, height, width)
    strongest = torch.zeros_like(edges[rows, columns])
    for down, right in _path(*offset):
        part = edges[
            rows.start + down : rows.stop + down, columns.start + right : columns.stop + right
        ]
        strongest = torch.maximum(strongest, part)
    return 1 - strongest


def _path(down: int, right: int) -> Iterator[tuple[int, int]]:
    """Cells of the offset's bounding box whose squared distance to the line is below 1."""
    step = 1 if right >= 0 else -1
    for y in range(down + 1):
        for x in range(0, right + step, step):
            if (down * x - right * y) ** 2 < down**2 + right**2:
                yield y, x
