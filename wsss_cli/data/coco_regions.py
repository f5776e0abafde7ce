"""COCO's regions as masks: polygons and run lengths, drawn in numpy.

The formats are those of COCO's mask API (Lin et al., "Microsoft COCO: Common Objects in Context",
ECCV 2014; ``maskApi.c`` of its tools). Runs are the same pixels there and here. Of polygons this
takes the pixels whose centre lies inside, COCO's tool those that it finds on a grid five times as
fine with corners rounded to it, so single pixels of an outline differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Region:
    """What of an annotation's ``segmentation`` can be drawn.

    Attributes:
        runs: Run lengths down the columns; None where it is polygons.
        polygons: x and y of each corner in turn.
        left_out: How many further parts cannot be drawn: points, lines, what lies outside.
        flat: Whether it was one polygon without the list around it.
        fault: Why nothing of it can be drawn; empty where something can.
    """

    runs: Sequence[int] | None = None
    polygons: Sequence[Sequence[float]] = ()
    left_out: int = 0
    flat: bool = False
    fault: str = ""

    def mask(self, height: int, width: int) -> Mask:
        """(H, W) of it, nothing where nothing can be drawn."""
        if self.runs is not None:
            return from_runs(self.runs, height, width)
        mask = np.zeros((height, width), np.bool_)
        for polygon in self.polygons:
            mask |= from_polygon(polygon, height, width)
        return mask


def region_mask(written: Any, height: int, width: int) -> Mask:  # noqa: ANN401 - JSON
    """(H, W) of an annotation's ``segmentation``: a list of polygons, or run lengths.

    Raises:
        ValueError: Nothing of it can be drawn into an image of that size.
    """
    region = read_region(written, height, width)
    if region.fault:
        raise ValueError(region.fault)
    return region.mask(height, width)


def read_region(written: Any, height: int, width: int) -> Region:  # noqa: ANN401 - JSON
    """Tell what of a ``segmentation`` can be drawn into an image, without drawing it.

    Args:
        written: A list of polygons, or run lengths with their size; anything else is a fault.
        height: Rows of the image.
        width: Columns of the image.
    """
    if isinstance(written, Mapping):
        try:
            return Region(runs=_runs(written, height, width))
        except (KeyError, TypeError, ValueError, OverflowError):
            return Region(fault="run lengths that do not fit the image")
    if not isinstance(written, list) or not written:
        return Region(fault="no region")
    flat = not any(isinstance(part, list) for part in written)
    parts = [written] if flat else written
    faults = [_fault(part, height, width) for part in parts]
    polygons = [part for part, fault in zip(parts, faults, strict=True) if not fault]
    if not polygons:
        return Region(fault=next((fault for fault in faults if fault != _EMPTY), "no region"))
    return Region(polygons=polygons, left_out=len(parts) - len(polygons), flat=flat)


_EMPTY = "an empty polygon"
_FARTHEST = 1e9


def _fault(part: Any, height: int, width: int) -> str:  # noqa: ANN401 - JSON
    """Why a part of a region cannot be drawn; empty where it can."""
    if part in ([], None):
        return _EMPTY
    try:
        corners = _corners(part)
    except (TypeError, ValueError, OverflowError):
        return "fewer than three corners, or no numbers"
    x, y = corners.T
    if np.abs(corners).max() > _FARTHEST:
        return "coordinates that no image has"
    if not np.ptp(x) or not np.ptp(y):
        return "a line or point"
    if max(height, width) > 1 and x.min() >= 0 and y.min() >= 0 and corners.max() <= 1:
        return "coordinates from 0 to 1 instead of pixels"
    if x.max() <= 0 or y.max() <= 0 or x.min() >= width or y.min() >= height:
        return "a polygon outside the image"
    return ""


def _runs(written: Mapping[str, Any], height: int, width: int) -> Sequence[int]:
    """Run lengths that fill an image.

    Raises:
        ValueError: They do not; other errors of values of other types.
    """
    if list(written["size"]) != [height, width]:
        raise ValueError(f"its size is {written['size']}, its image's {[height, width]}")
    counts = written["counts"]
    runs = uncompressed(counts) if isinstance(counts, str) else counts
    _checked_runs(runs, height, width)
    return list(runs)


def from_polygon(polygon: Sequence[float], height: int, width: int) -> Mask:
    """Pixels whose centre lies inside a polygon, by the even-odd rule.

    Args:
        polygon: x and y of each corner in turn; the pixel in row r and column c spans
            [c, c + 1) x [r, r + 1).
        height: Rows of the mask.
        width: Columns of the mask.

    Raises:
        ValueError: The numbers are no corners.
    """
    start = _corners(polygon)
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


def _corners(polygon: Sequence[float]) -> npt.NDArray[np.float64]:
    """(K, 2) x and y of a polygon's corners.

    Raises:
        ValueError: The numbers are no corners.
    """
    corners = np.asarray(polygon, np.float64)
    if corners.ndim != 1 or len(corners) % 2 or len(corners) < 6 or not np.isfinite(corners).all():
        raise ValueError("a polygon is x, y of three corners or more")
    return corners.reshape(-1, 2)


def from_runs(counts: Sequence[int], height: int, width: int) -> Mask:
    """Pixels by run lengths: outside, inside, outside, ... down the columns.

    Raises:
        ValueError: The runs do not make up the whole mask.
    """
    runs = _checked_runs(counts, height, width)
    inside = np.arange(len(runs)) % 2 == 1
    mask: Mask = np.repeat(inside, runs).reshape(width, height).T
    return mask


def _checked_runs(counts: Sequence[int], height: int, width: int) -> npt.NDArray[np.int64]:
    """Runs that make up the whole mask.

    Raises:
        ValueError: They do not.
    """
    runs = np.asarray(counts, np.int64)
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"its runs do not make up {height} x {width} pixels")
    return runs


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


def compressed(runs: Sequence[int]) -> str:
    """COCO's string of run lengths; :func:`uncompressed` says how it is made."""
    text = []
    for place, run in enumerate(runs):
        number = run - runs[place - 2] if place > 2 else run
        while True:
            bits = number & 31
            number >>= 5  # keeps the sign
            more = number != (-1 if bits & 16 else 0)
            text.append(chr(48 + (bits | 32 if more else bits)))
            if not more:
                break
    return "".join(text)
