"""Boundary IoU: how well contours fit, whatever the size of what they enclose.

Cheng, Girshick, Dollar, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image
Segmentation Evaluation", CVPR 2021. IoU of large objects hardly sees their contours. Boundary IoU
compares only the pixels of either mask that are nearer to its own contour than a distance, 2 % of
the image diagonal; the edge of the image is a contour.

Done differently: intersections and unions are summed over the data set before they are divided, as
those of the mIoU beside it are. And VOC's truth has a border of 255 where its contours should be:
what the truth ignores is cut out of the prediction too before its contours are taken, so that a
perfect prediction scores 1.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.labels import IGNORE
from wsss_cli.metrics.predicted_ignore import LabelMap, settled

# Of the image diagonal; section 4 of the paper, and its code (``dilation_ratio=0.02``).
DISTANCE = 0.02


def boundary_region(label_map: LabelMap, width: int) -> npt.NDArray[np.bool_]:
    """Pixels within ``width`` of something else than their own label, or of the image's edge.

    Distance is counted in steps to any of the eight neighbours, as by eroding each label's mask
    ``width`` times with a 3 x 3 square; minimum and maximum of a window do all labels at once.

    Args:
        label_map: (H, W) uint8; 255 is something else than every label.
        width: In pixels, 1 or more.

    Returns:
        (H, W) bool.
    """
    window = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * width + 1, 2 * width + 1))
    outside = cv2.BORDER_CONSTANT
    largest = cv2.dilate(label_map, window, borderType=outside, borderValue=IGNORE)
    smallest = cv2.erode(label_map, window, borderType=outside, borderValue=IGNORE)
    return np.not_equal(largest, smallest)


def boundary_overlap(
    prediction: LabelMap, target: LabelMap, num_labels: int, predicted_ignore: str
) -> Tensor:
    """Intersection and union of the boundary regions of one image.

    Args:
        prediction: (H, W) uint8 labels or 255.
        target: (H, W) uint8 labels or 255.
        num_labels: Labels including background.
        predicted_ignore: What a predicted 255 counts as.

    Returns:
        (2, num_labels) int64, to be summed over images for :func:`segmentation.iou_of`.
    """
    prediction, target = settled(prediction, target, predicted_ignore)
    width = max(1, round(DISTANCE * math.hypot(*target.shape)))

    def count(labels: LabelMap) -> npt.NDArray[np.int64]:
        return np.bincount(labels, minlength=IGNORE + 1)[:num_labels]

    of_prediction, of_target = boundary_region(prediction, width), boundary_region(target, width)
    both = count(target[of_prediction & of_target & (prediction == target)])
    either = count(prediction[of_prediction]) + count(target[of_target]) - both
    return torch.from_numpy(np.stack((both, either)))
