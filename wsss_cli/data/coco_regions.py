"""COCO's regions as masks: polygons and run lengths, drawn in numpy.

The formats are those of COCO's mask API (Lin et al., "Microsoft COCO: Common Objects in Context",
ECCV 2014; ``maskApi.c`` of its tools). Runs are the same pixels there and here. Of polygons this
takes the pixels whose centre lies inside, COCO's tool those that it finds on a grid five times as
fine with corners rounded to it, so single pixels of an outline differ.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def region_mask(region: Any, height: int, width: int) -> Mask:  # noqa: ANN401 - JSON
    """(H, W) of an annotation's ``segmentation``: a list of polygons, or run lengths.

    Raises:
        ValueError: It is neither, or does not fit the size.
    """
    if isinstance(region, Mapping):
        counts = region["counts"]
        if list(region["size"]) != [height, width]:
            raise ValueError(f"its size is {region['size']}, its image's {[height, width]}")
        return from_runs(uncompressed(counts) if isinstance(counts, str) else counts, height, width)
    mask = np.zeros((height, width), np.bool_)
    for polygon in region:
        mask |= from_polygon(polygon, height, width)
    return mask


def from_polygon(polygon: Sequence[float], height: int, width: int) -> Mask:
    """Pixels whose centre lies inside a polygon, by the even-odd rule.

    Args:
        polygon: x and y of each corner in turn; the pixel in row r and column c spans
            [c, c + 1) x [r, r + 1).
        height: Of the mask.
        width: Of the mask.

    Raises:
        ValueError: The numbers are no corners.
    """
    corners = np.asarray(polygon, np.float64)
    if corners.ndim != 1 or len(corners) % 2 or len(corners) < 6 or not np.isfinite(corners).all():
        raise ValueError("a polygon is x, y of three corners or more")
    start = corners.reshape(-1, 2)
    end = np.roll(start, -1, axis=0)
    # An edge crosses the rows whose centre r + 0.5 lies in [top, bottom).
    top, bottom = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(top - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(bottom - 0.5), 0, height).astype(np.int64)
    edge = np.repeat(np.arange(len(start)), last - first)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    rows += first[edge]
    along = (rows + 0.5 - start[edge, 1]) / (end[edge, 1] - start[edge, 1])
    x = start[edge, 0] + along * (end[edge, 0] - start[edge, 0])
    # Each crossing turns inside and outside round for the pixels right of it. Rows have an even
    # number of them, so beyond the polygon's own extent nothing is inside.
    columns = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    mask = np.zeros((height, width), np.bool_)
    if len(edge):
        high, low, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max()
        across = int(right - left) + 1
        at = (rows - high) * across + columns - left
        turns = np.bincount(at, minlength=int(low - high) * across).reshape(-1, across)
        mask[high:low, left:right] = turns.cumsum(axis=1)[:, :-1] % 2
    return mask


def from_runs(counts: Sequence[int], height: int, width: int) -> Mask:
    """Pixels by run lengths: outside, inside, outside, ... down the columns.

    Raises:
        ValueError: The runs do not make up the whole mask.
    """
    runs = np.asarray(counts, np.int64)
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"its runs do not make up {height} x {width} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    mask: Mask = np.repeat(inside, runs).reshape(width, height).T
    return mask


def uncompressed(text: str) -> list[int]:
    """Run lengths from COCO's compressed string.

    Each character is 48 more than six bits: five of a number, the lowest first, and whether more
    follow; the last one's fifth bit is the sign. From the fourth number on it is the difference to
    the run two before.

    Raises:
        ValueError: It is no such string.
    """
    runs: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError("its counts are no run lengths")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number = shift = 0
    if shift:
        raise ValueError("its counts end in the middle of a number")
    return runs
