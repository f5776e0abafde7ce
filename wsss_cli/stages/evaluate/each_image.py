"""What each image is worth by itself: which went well and which did not."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from wsss_cli.metrics.segmentation import iou_of

# More digits than an image has pixels to tell apart.
_DIGITS = 6


def image_scores(
    image_ids: Sequence[str],
    overlaps: Sequence[Tensor],
    present: Sequence[Tensor],
    class_names: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """IoU of each image, counted over its own pixels alone.

    The mean is over the labels that its truth or its prediction has, so that a class that is not
    there costs as much as one that is not found. It is not what the mIoU of a data set is the mean
    of: that sums the pixels of all images first.

    Args:
        image_ids: In the order scored.
        overlaps: (2, L) intersection and union of each image.
        present: (L,) bool, the labels that its truth has.
        class_names: Of classes 1..C.

    Returns:
        By image id its ``miou``, null where the truth is 255 throughout, and ``iou`` of each
        label that its truth has.
    """
    names = ("background", *class_names)
    ious = iou_of(torch.stack(list(overlaps)))  # (N, L)
    return {
        image_id: {
            "miou": _number(of_image.nanmean()),
            "iou": {
                names[label]: _number(of_image[label])
                for label in there.nonzero().flatten().tolist()
            },
        }
        for image_id, of_image, there in zip(image_ids, ious, present, strict=True)
    }


def _number(value: Tensor) -> float | None:
    return None if value.isnan() else round(float(value), _DIGITS)
