"""Regions of a label map, their run lengths and their outlines."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.data.images import Pixels
from wsss_cli.labels import IGNORE

Mask = npt.NDArray[np.bool_]
Ring = list[tuple[int, int]]
"""A closed outline: (x, y) corners of pixels, the first not repeated."""

Side = tuple[int, int, int]
"""A side of a pixel: where it begins (x, y) and its direction, with the pixel on the right."""

# Steps along the sides of pixels in the order of a turn to the right; y points down.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def classes_of(label_map: Pixels) -> list[int]:
    """The classes that a label map shows, ascending; neither background nor 255."""
    return [label for label in np.unique(label_map).tolist() if label not in (0, IGNORE)]


def parts_of(mask: Mask) -> Iterator[Mask]:
    """The parts of an (H, W) mask whose pixels are connected by their sides."""
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    for number in range(1, count):
        yield numbers == number


def run_lengths(values: npt.NDArray[np.generic]) -> list[int]:
    """Lengths of the runs of a flat array of bools, beginning with False; the first may be 0."""
    flat = values.astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate(([0], changes, [len(flat)]))
    lengths: list[int] = np.diff(bounds).tolist()
    return [0, *lengths] if len(flat) and flat[0] else lengths


def outlines(mask: Mask) -> tuple[list[Ring], list[Ring]]:
    """Trace the sides of the pixels around a mask.

    Args:
        mask: (H, W).

    Returns:
        The outer outlines, clockwise as seen, and those of the holes, the other way round. Where
        two pixels of the mask touch at a corner alone the outline keeps them apart.
    """
    inside = np.pad(mask, 1)
    sides: set[Side] = set()
    for direction, (row, column), corner in (
        (0, (0, 1), (0, 0)),
        (1, (1, 2), (1, 0)),
        (2, (2, 1), (1, 1)),
        (3, (1, 0), (0, 1)),
    ):
        height, width = mask.shape
        neighbour = inside[row : row + height, column : column + width]
        ys, xs = (mask & ~neighbour).nonzero()
        sides |= {
            (x + corner[0], y + corner[1], direction)
            for x, y in zip(xs.tolist(), ys.tolist(), strict=True)
        }
    outer: list[Ring] = []
    holes: list[Ring] = []
    left = dict.fromkeys(sorted(sides))
    while left:
        ring = _ring(next(iter(left)), sides, left)
        (outer if _signed_area(ring) > 0 else holes).append(ring)
    return outer, holes


def _ring(start: Side, sides: set[Side], left: dict[Side, None]) -> Ring:
    """Walk from a side until it comes again, and take the sides on the way from those left."""
    ring: Ring = []
    side, previous = start, -1
    while True:
        del left[side]
        x, y, direction = side
        if direction != previous:
            ring.append((x, y))
        x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
        # To the right first: around the same pixel where another one touches at this corner.
        turns = ((x, y, (direction + turn) % 4) for turn in (1, 0, 3))
        side, previous = next(turn for turn in turns if turn in sides), direction
        if side == start:
            return ring[1:] if previous == start[2] else ring


def _signed_area(ring: Ring) -> int:
    """Twice the area, above 0 for a ring that is clockwise as seen, y pointing down."""
    following = [*ring[1:], ring[0]]
    return sum(x * v - u * y for (x, y), (u, v) in zip(ring, following, strict=True))


def with_holes(ring: Ring, holes: Sequence[Ring]) -> Ring:
    """Join an outline with the holes inside it to a single one, by a way there and back to each.

    By the even-odd rule the way there and back encloses nothing, so the mask is the same.
    """
    joined = list(ring)
    for hole in holes:
        corners, targets = np.array(joined), np.array(hole)
        far = np.abs(corners[:, None] - targets[None]).sum(axis=2)  # (R, H)
        here, there = np.unravel_index(far.argmin(), far.shape)
        around = [*hole[there:], *hole[: there + 1]]
        joined = [*joined[: here + 1], *around, *joined[here:]]
    return joined
