"""mIoU near the true contours, by how near: the trimap curve.

Kohli, Ladicky and Torr, "Robust Higher Order Potentials for Enforcing Label Consistency" (IJCV
2009), and after them DeepLab (Chen et al., 2015, figure 7) score only the pixels in a band around
the contours of the truth, for bands of growing width; both are cited from memory. A system whose
curve falls steeply towards the narrow bands finds its objects and misses their outlines.

Done differently: a contour is wherever the truth changes, from label to label or from label to
255, so VOC's border and truth without one are treated alike; distance is counted in steps to any of
the eight neighbours, as in Boundary IoU.
"""

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.labels import IGNORE
from wsss_cli.metrics.predicted_ignore import LabelMap, settled

# In pixels to either side of the contour; DeepLab's figure goes to 40.
WIDTHS = (1, 2, 4, 8, 16, 32)


def contour_distance(label_map: LabelMap) -> npt.NDArray[np.float32]:
    """Steps from each pixel to the nearest one beside which the label changes.

    Args:
        label_map: (H, W) uint8.

    Returns:
        (H, W) float32: 0 on either side of a change, larger than any image where there is none.
    """
    inside = np.ones(label_map.shape, np.uint8)
    across = label_map[:, 1:] != label_map[:, :-1]
    down = label_map[1:] != label_map[:-1]
    for side, change in (
        (inside[:, 1:], across),
        (inside[:, :-1], across),
        (inside[1:], down),
        (inside[:-1], down),
    ):
        side[change] = 0
    if inside.all():
        return np.full(label_map.shape, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_C, 3), np.float32)


def trimap_overlaps(
    prediction: LabelMap, target: LabelMap, num_labels: int, predicted_ignore: str
) -> Tensor:
    """Intersection and union in the band of each width.

    Args:
        prediction: (H, W) uint8 labels or 255.
        target: (H, W) uint8 labels or 255; the band is around its contours.
        num_labels: Labels including background.
        predicted_ignore: What a predicted 255 counts as.

    Returns:
        (W, 2, num_labels) int64 for the W widths of ``WIDTHS``, to be summed over images for
        :func:`segmentation.iou_of`.
    """
    # Ring r: nearer than width number r, not nearer than the one before.
    distance = contour_distance(target)
    near = distance < WIDTHS[-1]
    ring = np.searchsorted(WIDTHS, distance[near], side="right")
    prediction, target = (labels[near] for labels in settled(prediction, target, predicted_ignore))

    def count(selection: npt.NDArray[np.bool_], labels: LabelMap) -> npt.NDArray[np.int64]:
        cells = ring[selection] * (IGNORE + 1) + labels[selection]
        counts = np.bincount(cells, minlength=len(WIDTHS) * (IGNORE + 1))
        return counts.reshape(len(WIDTHS), IGNORE + 1)[:, :num_labels].cumsum(axis=0)

    everywhere = np.ones(target.shape, np.bool_)
    both = count(prediction == target, target)
    either = count(everywhere, prediction) + count(everywhere, target) - both
    return torch.from_numpy(np.stack((both, either), axis=1))
