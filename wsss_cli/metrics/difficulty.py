"""What makes an image difficult, told from its truth and its colours alone."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.labels import IGNORE

# Below this share of the image a region is a crumb: a leg seen between two others.
LEAST_SHARE = 0.001
# Levels of each of L, a and b: fine enough to tell grass from a sheep, coarse enough that a
# thousand pixels fill a bin.
LEVELS = 8

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Difficulty:
    """Two reasons why an image is hard to segment.

    Attributes:
        regions: See :func:`most_regions`.
        colours_shared: See :func:`colour_overlap`.
    """

    regions: int
    colours_shared: float


def difficulty(image: Pixels, target: Pixels) -> Difficulty:
    """Measure both for an image, (H, W, 3) RGB, and its true label map, (H, W)."""
    return Difficulty(most_regions(target), colour_overlap(image, target))


def most_regions(target: Pixels) -> int:
    """Count the separate regions of the class that has the most of them.

    Objects that touch are apart where the truth has a border of 255 between them, as VOC's masks
    have; an object that something stands in front of may count twice.

    Args:
        target: (H, W) label map; regions are connected over edges and corners, and smaller ones
            than ``LEAST_SHARE`` of the image are not counted.
    """
    least = LEAST_SHARE * target.size
    count = 0
    for label in np.unique(target):
        if label in (0, IGNORE):
            continue
        of_label = (target == label).astype(np.uint8)
        _, _, facts, _ = cv2.connectedComponentsWithStats(of_label, connectivity=8)
        count = max(count, int((facts[1:, cv2.CC_STAT_AREA] >= least).sum()))
    return count


def colour_overlap(image: Pixels, target: Pixels) -> float:
    """How much of their colours objects and background have in common.

    The intersection of two histograms (Swain and Ballard, "Color Indexing", IJCV 1991): the sum
    over bins of the lesser share.

    Args:
        image: (H, W, 3) RGB.
        target: (H, W) label map.

    Returns:
        0 (no colour in common) to 1 (the same colours as often); nan where there is no object or
        no background.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int64) * LEVELS // 256  # (H, W, 3)
    bins = (lab[..., 0] * LEVELS + lab[..., 1]) * LEVELS + lab[..., 2]
    shares = []
    for where in ((target != 0) & (target != IGNORE), target == 0):
        if not where.any():
            return float("nan")
        shares.append(np.bincount(bins[where], minlength=LEVELS**3) / where.sum())
    return float(np.minimum(*shares).sum())
