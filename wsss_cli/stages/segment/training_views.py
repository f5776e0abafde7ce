"""The random views that a segmentation network learns from."""

from typing import TYPE_CHECKING

import numpy as np

from wsss_cli.data.augmentation import JointView
from wsss_cli.data.images import Pixels
from wsss_cli.models.trunks import OXFORD_MEAN

if TYPE_CHECKING:
    from wsss_cli.stages.segment.plan import SegmentPlan

_OUTSIDE = np.round(OXFORD_MEAN).astype(np.uint8)


def drawn_view(plan: "SegmentPlan", number: int, row: int) -> JointView:
    """The view of a training image, by its row, that is drawn with this number."""
    config = plan.config
    rng = np.random.default_rng((config.seed, number))
    scales = (config.scale_low, config.scale_high)
    return JointView.draw(plan.supervision_sizes[row], config.crop, scales, rng)


def seen_image(plan: "SegmentPlan", view: JointView, image_id: str) -> Pixels:
    """(crop, crop, 3) uint8 view of an image, with the mean colour outside.

    Raises:
        WsssError: The image cannot be read.
    """
    return view.of_image(plan.data_set.read_image(image_id), _OUTSIDE)
