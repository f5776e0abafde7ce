"""The random views that a segmentation network learns from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.augmentation import JointView
from wsss_cli.data.images import Pixels
from wsss_cli.models.trunks import OXFORD_MEAN

if TYPE_CHECKING:
    from wsss_cli.stages.segment.plan import SegmentPlan

# Crops that show less of the usual photograph than this are told.
_LEAST_SHOWN = 0.15
_OUTSIDE = np.round(OXFORD_MEAN).astype(np.uint8)


def drawn_view(plan: "SegmentPlan", number: int, row: int) -> JointView:
    """The view of a training image, by its row, that is drawn with this number."""
    config = plan.config
    rng = np.random.default_rng((config.seed, number))
    scales = (config.scale_low, config.scale_high)
    return JointView.draw(plan.supervision_sizes[row], config.crop, scales, rng)


def narrow_views(config: SegmentConfig, sizes: Sequence[tuple[int, int]]) -> str | None:
    """A remark where crops are small beside the photographs; None where they are not.

    Args:
        config: ``crop`` and the range of scales.
        sizes: (H, W) of the images that are learned from.
    """
    height, width = (int(side) for side in np.median(np.array(sizes), axis=0))
    scale = (config.scale_low + config.scale_high) / 2
    shown = min(1, config.crop / (height * scale)) * min(1, config.crop / (width * scale))
    if shown >= _LEAST_SHOWN:
        return None
    fitting = config.crop / max(height, width)
    return (
        f"crops of {config.crop} pixels show {shown:.0%} of a photograph of {height} x {width}, "
        f"the usual size here; with --scale-low {fitting:.2g} --scale-high {fitting:.2g} they show "
        "all of it"
    )


def seen_image(plan: "SegmentPlan", view: JointView, image_id: str) -> Pixels:
    """(crop, crop, 3) uint8 view of an image, with the mean colour outside.

    Raises:
        WsssError: The image cannot be read.
    """
    return view.of_image(plan.data_set.read_image(image_id), _OUTSIDE)
