"""Gaussian filtering in many dimensions on the permutohedral lattice.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice",
Eurographics 2010. Every point lies in one simplex of a lattice; its values are *splatted* onto the
simplex's corners, *blurred* along each lattice direction by (1/2, 1, 1/2), and *sliced* back by the
same barycentric weights. The cost grows with the number of points, not with its square, because
only corners that some point touches exist.

The arithmetic is that of the implementation by Krähenbühl and Koltun, in float32: the same points
fall into the same simplices. What differs is how corners are found. Theirs live in a hash table
that is filled point by point; here they are integers that are sorted, and each of the three steps
is a sum of weighted rows, which ``torch`` does for all points at once with no compiler at hand.
"""

import math
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import mul
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wsss_cli.errors import WsssError

BLUR = (1.0, 0.5, 0.5)  # a corner, its neighbour on one side, its neighbour on the other


@dataclass(frozen=True)
class Lattice:
    """A filter of N points in d dimensions whose simplices have M corners in all.

    Corner number M stands for every neighbour that does not exist: its values are always 0.

    Attributes:
        points: (N (d + 1),) int32, the points that touch each corner, corner by corner.
        starts: (M + 1,) int32, where in `points` each corner begins.
        splat_weights: (N (d + 1),) float32, of `points`.
        neighbours: For each of the d + 1 directions (M + 1, 3) int32: every corner itself and its
            two neighbours.
        corners: (N, d + 1) int32, the corners that each point touches.
        slice_weights: (N, d + 1) float32, of `corners`.
    """

    points: Tensor
    starts: Tensor
    splat_weights: Tensor
    neighbours: tuple[Tensor, ...]
    corners: Tensor
    slice_weights: Tensor

    @classmethod
    def build(cls, features: Tensor) -> Self:
        """Find the simplex of every point and the neighbours of every corner.

        Args:
            features: (d, N) float32 coordinates, in standard deviations of the Gaussian; N > 0.

        Raises:
            WsssError: The points are spread over more of the lattice than 63 bits can number.
        """
        cells, order, weights = _simplices(features)
        keys, bits, code = _corner_keys(cells, order)
        _sort_rows(keys)
        owners = (keys >> bits).flatten()  # ascending: the corner of each entry
        points = keys.bitwise_and_((1 << bits) - 1)  # (d + 1, N)
        first = torch.ones_like(owners, dtype=torch.bool)
        torch.ne(owners[1:], owners[:-1], out=first[1:])
        numbers = first.cumsum(0, dtype=torch.int32).sub_(1).view_as(points)
        starts = first.nonzero().flatten()
        neighbours = _neighbours(owners[starts], code)
        corners = torch.empty_like(numbers).scatter_(1, points, numbers)
        alpha = 1 / (1 + 2 ** -len(features))  # makes up for what the blur adds
        return cls(
            points=points.flatten().int(),
            starts=functional.pad(starts.int(), (0, 1), value=len(first)),
            splat_weights=weights.gather(1, points).flatten(),
            neighbours=neighbours,
            corners=corners.T.contiguous(),
            slice_weights=weights.T.contiguous().mul_(alpha),
        )

    def filter(self, values: Tensor) -> Tensor:
        """Replace every value by the Gaussian-weighted sum of all.

        Args:
            values: (N, C) float32.

        Returns:
            (N, C) float32.
        """
        lattice = functional.embedding_bag(
            self.points, values, self.starts, mode="sum", per_sample_weights=self.splat_weights
        )  # (M + 1, C)
        blur = torch.stack([lattice.new_full((len(lattice),), share) for share in BLUR], dim=1)
        for neighbours in self.neighbours:
            lattice = _weighted_rows(lattice, neighbours, blur)
        return _weighted_rows(lattice, self.corners, self.slice_weights)

    def scaled(self, before: Tensor, after: Tensor) -> Self:
        """The filter that also multiplies each point's values, (N,) before and (N,) after."""
        return replace(
            self,
            splat_weights=before.index_select(0, self.points).mul_(self.splat_weights),
            slice_weights=self.slice_weights * after[:, None],
        )


def _weighted_rows(table: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """For each row of (R, K) indices and weights, the weighted sum of those rows of the table."""
    return functional.embedding_bag(indices, table, mode="sum", per_sample_weights=weights)


def _simplices(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Say in which simplex each point lies and where in it.

    The lattice lives in the plane of d + 1 coordinates with sum 0. A corner of remainder r has
    coordinates that all equal r modulo d + 1; a simplex has one corner of every remainder.

    Returns:
        (d + 1, N) int64: the coordinates of the corner of remainder 0, divided by d + 1;
        (d + 1, N) int64: the place of each coordinate when ordered by how far the point lies
            beyond that corner, 0 for the least;
        (d + 1, N) float32: barycentric weight of the corner of each remainder.
    """
    period = len(features) + 1
    elevated = _elevate(features)
    nearest = (elevated * _float32(1 / period)).round_()
    beyond = elevated - nearest * period
    places = torch.zeros_like(beyond, dtype=torch.int8)
    for i in range(period):
        for j in range(i + 1, period):
            less = beyond[i] < beyond[j]
            places[j] += less
            places[i] += ~less
    # Where rounding has left the plane, the coordinates that were rounded the furthest go back.
    places -= nearest.sum(dim=0).to(torch.int8)
    back = (places >= period).to(torch.int8) - (places < 0).to(torch.int8)
    places -= back * period
    nearest += back
    order = places.long()
    share = elevated.sub_(nearest * period).mul_(_float32(1 / period))
    ascending = beyond.scatter_(0, order, share)
    weights = share
    torch.sub(ascending[1:], ascending[:-1], out=weights[1:])
    torch.add(ascending[0], 1 - ascending[-1], out=weights[0])
    return nearest.long(), order, weights


def _elevate(features: Tensor) -> Tensor:
    """Map (d, N) features isometrically, but for the scale, to the plane of d + 1 coordinates."""
    dimensions = len(features)
    # The standard deviation of splat, blur and slice together is 1 after this (Adams, page 6).
    deviation = _float32(math.sqrt(2 / 3) * (dimensions + 1))
    elevated = features.new_empty((dimensions + 1, features.shape[1]))
    total = torch.zeros_like(features[0])
    for axis in range(dimensions, 0, -1):
        scaled = features[axis - 1] * _float32(deviation / math.sqrt((axis + 1) * axis))
        torch.sub(total, axis * scaled, out=elevated[axis])
        total = total + scaled
    elevated[0] = total
    return elevated


def _float32(number: float) -> float:
    """Round as the C++ implementation does where it stores a constant."""
    return float(np.float32(number))


@dataclass(frozen=True)
class _Code:
    """How a corner becomes one integer: its remainder, then its coordinates in mixed radix.

    Attributes:
        bases: For each of the d + 1 coordinates what 1 counts; 0 for the last, which the others
            determine.
        size: What 1 counts of the remainder.
    """

    bases: tuple[int, ...]
    size: int


def _corner_keys(cells: Tensor, order: Tensor) -> tuple[Tensor, int, _Code]:
    """Number every corner of every point's simplex.

    Returns:
        (d + 1, N) int64, by remainder: the corner's number, then in the lowest bits the point's;
        how many bits the point's number takes; the code of the corners.
    """
    dimensions, count = len(cells) - 1, cells.shape[1]
    low, high = (side.tolist() for side in torch.aminmax(cells[:-1], dim=1))
    # A corner lies up to 1 below its cell, a neighbour up to 1 beyond on either side.
    spans = [largest - least + 4 for least, largest in zip(low, high, strict=True)]
    bases = (*accumulate(spans[:-1], mul, initial=1), 0)
    code = _Code(bases, math.prod(spans))
    bits = (count - 1).bit_length()
    if (dimensions + 1) * code.size << bits >= 1 << 63:
        raise WsssError(
            "The features of the Gaussian filter spread too far to number the lattice; "
            "widen its standard deviations"
        )
    keys = torch.empty_like(cells)
    keys[0] = torch.arange(count, device=cells.device)
    for base, cell, least in zip(bases, cells, low, strict=False):
        keys[0] += (cell - (least - 2)) * (base << bits)
    # From one remainder to the next, all coordinates rise by 1 and one of them, the least of those
    # that have not, falls by d + 1: of what is numbered here, only that one changes.
    steps = (code.size - torch.tensor(bases, device=cells.device)) << bits  # (d + 1,)
    steps = torch.empty_like(cells).scatter_(0, order, steps[:, None].expand_as(cells))
    for remainder in range(dimensions):
        torch.add(keys[remainder], steps[remainder], out=keys[remainder + 1])
    return keys, bits, code


def _neighbours(corners: Tensor, code: _Code) -> tuple[Tensor, ...]:
    """Find the neighbours of all corners, given as (M,) ascending numbers.

    Along direction j a corner's coordinates all fall by 1 but for number j, which rises by d. So
    the remainder falls by 1 and, divided by d + 1 and rounded down, only coordinate j rises by 1;
    from remainder 0 one comes to remainder d and all the others fall by 1.
    """
    count = len(corners)
    dimensions = len(code.bases) - 1
    corner_numbers = torch.arange(count + 1, dtype=torch.int32, device=corners.device)
    wrapped = dimensions * code.size - sum(code.bases)
    below = torch.where(corners < code.size, corners + wrapped, corners - code.size)
    split = int(_positions(corners, corners.new_tensor([code.size])))
    tables = []
    for base in code.bases:
        sought = below + base
        # Two ascending runs, which are found faster than one unordered lot.
        positions = torch.cat([_positions(corners, part) for part in sought.tensor_split([split])])
        positions.clamp_(max=count - 1)
        positions.masked_fill_(corners.index_select(0, positions) != sought, count)
        table = torch.full((count + 1, 3), count, dtype=torch.int32, device=corners.device)
        table[:, 0] = corner_numbers
        table[:count, 1] = positions
        table[:, 2].scatter_(0, positions, corner_numbers[:count])
        table[count] = count
        tables.append(table)
    return tuple(tables)


def _sort_rows(keys: Tensor) -> None:
    """Sort each row in place; numpy has vector instructions for it, ten times as fast as torch."""
    if keys.device.type == "cpu":
        keys.numpy().sort()
    else:
        keys.copy_(keys.sort().values)


def _positions(ascending: Tensor, sought: Tensor) -> Tensor:
    """Where each number belongs; numpy's search profits from an order of what is sought."""
    if ascending.device.type == "cpu":
        return torch.from_numpy(np.searchsorted(ascending.numpy(), sought.numpy()))
    return torch.searchsorted(ascending, sought)
