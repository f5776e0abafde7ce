"""Scores of each image by itself: which went well and which did not."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from wsss_cli.metrics.segmentation import iou_of

# More digits than an image has pixels to tell apart.
_DIGITS = 6


def image_scores(
    image_ids: Sequence[str],
    overlaps: Tensor,
    present: Tensor,
    class_names: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """IoU of each image, counted over its own pixels alone.

    The mean is over the labels that its truth or its prediction has, so that a class that is not
    there costs as much as one that is not found. It is not what the mIoU of a data set is the mean
    of: that sums the pixels of all images first.

    Args:
        image_ids: In the order scored.
        overlaps: (N, 2, L) intersection and union of each label in each image.
        present: (N, L) bool, the labels that their truth has.
        class_names: Names of classes 1..C.

    Returns:
        By image id its ``miou``, null where the truth is 255 throughout, and ``iou`` of each
        label that its truth has.
    """
    names = ("background", *class_names)
    ious = iou_of(overlaps)  # (N, L)
    means = ious.nanmean(dim=-1).tolist()
    return {
        image_id: {
            "miou": number(mean),
            "iou": {
                name: number(value)
                for name, value, here in zip(names, of_image, there, strict=True)
                if here
            },
        }
        for image_id, mean, of_image, there in zip(
            image_ids, means, ious.tolist(), present.tolist(), strict=True
        )
    }


def number(value: float) -> float | None:
    """A score as the JSON has it: null where it is not defined."""
    return None if math.isnan(value) else round(value, _DIGITS)
