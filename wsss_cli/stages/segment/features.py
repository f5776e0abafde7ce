"""The features of ``segment --heads-only``: those of one random view of each training image.

The same view of the label map, and of whatever else lies beside it, is learned from.
"""

from typing import TYPE_CHECKING

import torch

from wsss_cli.artifacts.feature_cache import FeatureCache
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.configs.stages import FEATURES_FILE
from wsss_cli.data.images import Pixels
from wsss_cli.errors import UsageError
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.models.pretrained import InitialWeights
from wsss_cli.models.trunks import PrecomputedFeatures
from wsss_cli.stages.input_kinds import images_input
from wsss_cli.stages.kept_features import (
    ImagesToPass,
    NetworkOnFeatures,
    compute_features,
    require_one_process,
    require_room,
)
from wsss_cli.stages.segment.training_views import drawn_view, seen_image
from wsss_cli.tracking import Track

if TYPE_CHECKING:
    from wsss_cli.stages.segment.plan import SegmentPlan


def cache_of(plan: "SegmentPlan") -> FeatureCache:
    """The features that a training keeps, whether or not they are there yet."""
    config = plan.config
    with torch.device("meta"):  # shapes alone
        network = deeplab_largefov.build(plan.model, plan.num_labels)
        view = network.features(torch.empty(1, 3, config.crop, config.crop))
    identity = {
        "version": plan.directory.stage_version,
        "data": images_input(plan.data_set, list(plan.supervision)).fingerprint,
        "weights": plan.weights.fingerprint,
        "model": plan.model,
        "views": [config.crop, config.scale_low, config.scale_high, config.seed],
        "precision": plan.precision,
        "batch": config.batch_size,  # for the last bits
    }
    _, channels, height, width = view.shape
    path = plan.directory.path / FEATURES_FILE
    return FeatureCache(path, (channels, height, width), identity)


def require_features(plan: "SegmentPlan") -> None:
    """Refuse a training of heads alone that cannot be.

    Raises:
        UsageError: The trunk has no weights to start from, or several processes are to share it.
        WsssError: The disk has no room for the features.
    """
    require_one_process()
    require_pretrained(plan.weights)
    require_room(cache_of(plan), len(plan.supervision))


def require_pretrained(weights: InitialWeights) -> None:
    """Refuse heads alone on a trunk that has learned nothing.

    Raises:
        UsageError: The trunk has no weights to start from.
    """
    if weights.read is None:
        raise UsageError(
            "--heads-only learns from what a pretrained trunk sees, and the run's training began "
            "without weights; give --weights FILE, or leave --heads-only out"
        )


def pass_images(plan: "SegmentPlan", network: DeepLabLargeFOV, track: Track) -> NetworkOnFeatures:
    """Pass the view of every training image through the trunk, but for those that have passed.

    Args:
        plan: Its directory is begun.
        network: On the device; afterwards its trunk stands aside.
        track: Shown the progress.

    Raises:
        WsssError: An image cannot be read, or the disk is full.
    """
    image_ids = list(plan.supervision)

    def view(row: int) -> Pixels:
        return seen_image(plan, drawn_view(plan, row, row), image_ids[row])

    images = ImagesToPass(
        len(image_ids),
        view,
        SEGMENTATION_MODELS[plan.model].backbone,
        features_of=network.features,
        stand_in=PrecomputedFeatures(network.trunk),
    )
    return compute_features(plan, network, images, cache_of(plan), track)
