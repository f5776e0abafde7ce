"""How well attention finds boxes and ranks pixels: MaxBoxAccV2 and PxAP.

Choe, Oh, Lee, Chun, Akata and Shim, "Evaluating Weakly Supervised Object Localization Methods
Right", CVPR 2020, and its journal version (2022), which has MaxBoxAccV2. The maps of weak
localisation have no threshold of their own, so MaxBoxAccV2 takes for each IoU (.3, .5, .7) the
threshold that is best over the data set, counts an object as found where the box of any contour
reaches that IoU with any true box, and averages the three. PxAP is the area under the precision and
recall of pixels, pooled over the data set. Both look at each map between its own least and largest
value. From memory of the paper and of its code.

Done differently: a case is an image and one of its classes, since images of VOC have several; the
true boxes are those of the connected regions of the class in the mask, since any truth given here
has a mask (touching objects are one box, objects behind a pole are two); boxes end where their
pixels do, while the paper's code makes them a pixel larger; and 100 thresholds, not 1000.
"""

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Boxes = npt.NDArray[np.int64]

IOUS = (0.3, 0.5, 0.7)
# Shares of the range of each map; at 0 everything is lit.
SHARES = np.arange(100, dtype=np.float32) / 100
_BINS = 1000


class Localisation:
    """Counts over cases, each an image and one of its classes."""

    def __init__(self) -> None:
        """Start with no case."""
        self._hits = np.zeros((len(SHARES), len(IOUS)), np.int64)
        self._cases = 0
        self._pixels = np.zeros((2, _BINS), np.int64)  # not of the class, of the class
        self._unseen = 0  # pixels of classes without a map

    def add(self, attention: FloatArray, truth: Mask, counted: Mask) -> None:
        """Count one case.

        Args:
            attention: (H, W) map of one class.
            truth: (H, W) where the class is; a case without any such pixel has no box to find, and
                what is lit there is not of the class.
            counted: (H, W) where the truth is known, not 255.
        """
        spread = attention - attention.min()
        largest = spread.max()
        scaled = spread / largest if largest > 0 else spread
        bins = np.minimum(scaled[counted] * np.float32(_BINS), _BINS - 1).astype(np.int64)
        cells = bins + _BINS * truth[counted]
        self._pixels += np.bincount(cells, minlength=2 * _BINS).reshape(2, _BINS)
        if truth.any():
            true_boxes = region_boxes(truth)
            for number, share in enumerate(SHARES):
                boxes = contour_boxes(scaled >= share)
                best = box_ious(boxes, true_boxes).max(initial=0)
                self._hits[number] += best >= np.array(IOUS)
            self._cases += 1

    def add_missing(self, truth: Mask) -> None:
        """Count a case whose class has no map: no threshold finds its boxes or its pixels.

        Args:
            truth: (H, W) where the class is, somewhere.
        """
        self._cases += 1
        self._unseen += int(truth.sum())

    def merge(self, other: "Localisation") -> None:
        """Add the cases of another count."""
        self._hits += other._hits
        self._cases += other._cases
        self._pixels += other._pixels
        self._unseen += other._unseen

    def box_accuracy(self) -> float:
        """MaxBoxAccV2 in [0, 1]; nan without a case."""
        if not self._cases:
            return float("nan")
        return float((self._hits.max(axis=0) / self._cases).mean())

    def pixel_average_precision(self) -> float:
        """PxAP in [0, 1]; nan without a pixel of any class."""
        negative, positive = self._pixels[:, ::-1].cumsum(axis=1)  # lit from each bin upwards
        true = positive[-1] + self._unseen
        if not true:
            return float("nan")
        precision = positive / np.maximum(positive + negative, 1)
        gained = np.diff(positive, prepend=0) / true
        return float((precision * gained).sum())


def contour_boxes(lit: Mask) -> Boxes:
    """(N, 4) left, top, right, bottom (exclusive) of every contour, those of holes too."""
    contours, _ = cv2.findContours(lit.astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    rectangles = np.array([cv2.boundingRect(contour) for contour in contours], np.int64)
    rectangles = rectangles.reshape(-1, 4)
    return np.hstack((rectangles[:, :2], rectangles[:, :2] + rectangles[:, 2:]))


def region_boxes(mask: Mask) -> Boxes:
    """(N, 4) left, top, right, bottom (exclusive) of the regions that touch, also at corners."""
    _, _, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    rectangles = statistics[1:, :4].astype(np.int64)  # without the background
    return np.hstack((rectangles[:, :2], rectangles[:, :2] + rectangles[:, 2:]))


def box_ious(a: Boxes, b: Boxes) -> npt.NDArray[np.float64]:
    """(N, M) intersection over union of (N, 4) and (M, 4) boxes."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=-1)  # (N, M)
    of_a, of_b = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (a, b))
    ious: npt.NDArray[np.float64] = shared / (of_a[:, None] + of_b[None] - shared)
    return ious
