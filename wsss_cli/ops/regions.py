"""Attention drawn over by regions of the image, of whatever tool.

The rule is that of Chen et al., "Segment Anything Model (SAM) Enhanced Pseudo Labels for Weakly
Supervised Semantic Segmentation", 2023, for the label map of a class: every region that lies more
than half in the label, or holds at least 85 % of it, is drawn whole; where no region lies the label
stays.

Different here: attention comes back instead of labels. A map is cut at twenty heights, the rule
draws each cut, and a pixel's value is the share of the cuts in which it is drawn. So whatever works
on attention works on the result, too.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CUTS = 20
_OF_REGION, _OF_LABEL = 0.5, 0.85


@dataclass(frozen=True)
class Regions:
    """Regions of one image, which may overlap and leave pixels out.

    Attributes:
        size: (H, W).
        pixels: (M,) pixels row by row, 0..H W - 1: those of the first region, then of the next.
        numbers: (M,) number of the region of each, 0..R - 1.
    """

    size: tuple[int, int]
    pixels: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]


def draw_regions(maps: npt.NDArray[np.floating], regions: Regions) -> npt.NDArray[np.float32]:
    """Draw maps anew by the regions that lie in them.

    Args:
        maps: (K, H, W) in [0, 1].
        regions: Those of the image.

    Returns:
        (K, H, W) in [0, 1], multiples of 1 / 20. A map of zeros stays one.
    """
    pixels, numbers = regions.pixels, regions.numbers
    count = int(numbers.max()) + 1 if len(numbers) else 0
    areas = np.bincount(numbers, minlength=count)
    covered = np.zeros(np.prod(regions.size, dtype=np.int64), np.bool_)
    covered[pixels] = True
    drawn = np.empty(maps.shape, np.float32)
    for number, attention in enumerate(maps):
        # How many of the cuts 1/40, 3/40, ... 39/40 a pixel reaches.
        reached = np.rint(attention.ravel() * CUTS).astype(np.int64)
        # Of each region and of the whole label, the pixels that reach a cut or more.
        within = _at_least(numbers * (CUTS + 1) + reached[pixels], count)  # (R, CUTS)
        whole = _at_least(reached, 1)  # (1, CUTS)
        taken = (within > _OF_REGION * areas[:, None]) | (
            (within >= _OF_LABEL * whole) & (whole > 0)
        )
        votes = np.where(covered, 0, reached)
        for cut in range(CUTS):
            chosen = np.zeros(len(votes), np.bool_)
            chosen[pixels[taken[numbers, cut]]] = True
            votes += chosen
        drawn[number] = (votes / CUTS).reshape(regions.size)
    return drawn


def _at_least(cells: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """(rows, CUTS) how many of a row's pixels reach each cut, by cells of row and cuts reached."""
    counts = np.bincount(cells, minlength=rows * (CUTS + 1)).reshape(rows, CUTS + 1)
    return counts[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
