"""Pairs of near positions, and how close the edges on the path between them leave the two.

As in Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel
Relations", CVPR 2019 (IRNet).
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

Offset = tuple[int, int]
Slices = tuple[slice, slice]


def directions(radius: int) -> Iterator[Offset]:
    """Offsets (down, right) to half of the neighbours nearer than ``radius``.

    The others are their opposites.
    """
    for right in range(1, radius):
        yield 0, right
    for down in range(1, radius):
        for right in range(-radius + 1, radius):
            if down**2 + right**2 < radius**2:
                yield down, right


def overlap(offset: Offset, height: int, width: int) -> tuple[Slices, Slices]:
    """The positions that have a neighbour at an offset (down >= 0, right), and these neighbours."""
    down, right = offset
    left, beyond = max(0, -right), max(0, right)
    first = slice(0, height - down), slice(left, width - beyond)
    second = slice(down, height), slice(left + right, width - beyond + right)
    return first, second


def affinity(edges: Tensor, offset: Offset) -> Tensor:
    """1 minus the strongest edge on the path from each position to its neighbour at an offset.

    Args:
        edges: (..., h, w) in [0, 1].
        offset: One of :func:`directions`, with down < h and abs(right) < w.

    Returns:
        (..., h - down, w - abs(right)), in the order of the first positions of :func:`overlap`.
    """
    return 1 - _StrongestOnPath.apply(edges, offset)  # type: ignore[no-any-return]


class _StrongestOnPath(torch.autograd.Function):
    """The maximum over the cells of each path, whose gradient is that of the cell that has it.

    As a chain of ``torch.maximum`` the paths of a training step are thousands of operations that
    autograd has to remember, and take several times as long.
    """

    @staticmethod
    def forward(ctx: Any, edges: Tensor, offset: Offset) -> Tensor:  # noqa: ANN401 - torch's
        first, *others = _cells(edges, offset)
        strongest = first.clone()
        for cells in others:
            torch.maximum(strongest, cells, out=strongest)
        ctx.save_for_backward(edges, strongest)
        ctx.offset = offset
        return strongest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch's
        edges, strongest = ctx.saved_tensors
        of_edges, left = torch.zeros_like(edges), gradient.clone()
        for cells, into in zip(
            _cells(edges, ctx.offset), _cells(of_edges, ctx.offset), strict=True
        ):
            here = left * (cells == strongest)
            into += here
            left -= here
        return of_edges, None


def _cells(edges: Tensor, offset: Offset) -> Iterator[Tensor]:
    """Views (..., h - down, w - abs(right)) of the paths' cells, one place on the path each."""
    (rows, columns), _ = overlap(offset, *edges.shape[-2:])
    for down, right in _path(*offset):
        yield edges[..., _moved(rows, down), _moved(columns, right)]


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _path(down: int, right: int) -> Iterator[Offset]:
    """Cells of the offset's bounding box whose squared distance to the line is below 1."""
    step = 1 if right >= 0 else -1
    for y in range(down + 1):
        for x in range(0, right + step, step):
            if (down * x - right * y) ** 2 < down**2 + right**2:
                yield y, x
