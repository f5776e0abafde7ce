"""The features of ``train --heads-only``: those of whole images and of their mirror images.

An image is resized to the square that ``--crop`` names, as ``attend`` resizes it; a view of
training is its features themselves or their mirror image. A method that compares several blocks of
the trunk finds all of them on the grid of the last one.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from wsss_cli.artifacts.feature_cache import FeatureCache
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.stages import FEATURES_FILE
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.augmentation import MIRRORED
from wsss_cli.data.images import Pixels
from wsss_cli.data.loading import prefetch, training_positions
from wsss_cli.data.mined_regions import MinedRegions
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import moved, pinned, resolve_workers
from wsss_cli.models.trunks import PrecomputedFeatures, build_trunk
from wsss_cli.stages.input_kinds import images_input
from wsss_cli.stages.kept_features import (
    ImagesToPass,
    NetworkOnFeatures,
    compute_features,
    require_one_process,
    require_room,
)
from wsss_cli.stages.train.taught_saliency import ReadSaliency
from wsss_cli.tracking import Track

if TYPE_CHECKING:
    from wsss_cli.stages.train.plan import TrainPlan


def features_shape(plan: "TrainPlan") -> tuple[int, int, int]:
    """(K, h, w) of the features of an image."""
    config = plan.config
    with torch.device("meta"):  # shapes alone
        trunk = build_trunk(config.backbone, config.stride)
        square = torch.empty(1, 3, config.crop, config.crop)
        features = trunk.joined_blocks(square, METHODS[config.method].feature_blocks)
    _, channels, height, width = features.shape
    return channels, height, width


def ids_of_features(plan: "TrainPlan") -> list[str]:
    """The images that are learned from, then those that are measured and not among them.

    What is erased from is not what is measured, so there all that are measured follow.
    """
    measured: Sequence[str] = () if plan.measured is None else plan.measured.image_ids
    learned = set(plan.image_ids) if plan.config.erase is None else set()
    return [*plan.image_ids, *(name for name in measured if name not in learned)]


def _settings_of_features(config: TrainConfig) -> dict[str, Any]:
    """The settings that features depend on by their values alone."""
    return {
        "backbone": config.backbone,
        "stride": config.stride,
        "crop": config.crop,
        "blocks": METHODS[config.method].feature_blocks,
        "erase_threshold": None if config.erase is None else config.erase_threshold,
        "batch": config.batch_size,  # for the last bits
    }


def may_share_features(config: TrainConfig, other: TrainConfig) -> bool:
    """Whether two trainings learn from the same features, as far as settings tell: at no cost."""
    both = config.heads_only and other.heads_only
    return both and _settings_of_features(config) == _settings_of_features(other)


def cache_of(plan: "TrainPlan") -> FeatureCache:
    """The features that a training keeps, whether or not they are there yet."""
    config, measured = plan.config, plan.measured
    erase = plan.directory.inputs.get("erase")
    identity = {
        **_settings_of_features(config),
        "version": plan.directory.stage_version,
        "data": images_input(plan.data_set, ids_of_features(plan)).fingerprint,
        "weights": plan.weights.fingerprint,
        "erase": None if erase is None else erase.fingerprint,
        "measured": 0 if measured is None else len(measured.image_ids),
        "precision": plan.precision,
    }
    return FeatureCache(plan.directory.path / FEATURES_FILE, features_shape(plan), identity)


def has_all_features(plan: "TrainPlan") -> bool:
    """Whether every image has passed the trunk already, and what it saw is still there."""
    return cache_of(plan).done() == len(ids_of_features(plan))


def require_features(plan: "TrainPlan", gone_before: Sequence[Path] = ()) -> None:
    """Refuse a training of heads alone that cannot be.

    Args:
        plan: The training.
        gone_before: As :func:`require_room` has it.

    Raises:
        UsageError: The trunk has no weights to start from, or several processes are to share it.
        WsssError: The disk has no room for the features.
    """
    require_one_process()
    plan.config.check_command()
    require_room(cache_of(plan), len(ids_of_features(plan)), gone_before)


def features_by_id(plan: "TrainPlan", on_features: NetworkOnFeatures) -> Callable[[str], Tensor]:
    """(K, h, w) float32 features of a measured image, by its id."""
    # Of two rows of an image the later one, from which nothing is erased.
    rows = {image_id: row for row, image_id in enumerate(ids_of_features(plan))}
    return lambda image_id: on_features.features(rows[image_id])


def feature_batches(
    plan: "TrainPlan", on_features: NetworkOnFeatures, saliency: ReadSaliency | None, start: int
) -> Iterator[tuple[Tensor, ...]]:
    """Batches from iteration ``start`` on, on the device.

    Args:
        plan: The training's plan.
        on_features: Its rows are those of :func:`ids_of_features`.
        saliency: Reads the maps to learn from; None for a method that learns from none.
        start: First iteration.

    Yields:
        Features (B, K, h, w) float32, labels (B, C) float32 and, for a method that learns from
        saliency, saliency (B, crop, crop) in [0, 1].
    """
    config = plan.config
    square = (config.crop, config.crop)

    def view(sample: int, index: int) -> list[Tensor]:
        image_id = plan.image_ids[index]
        maps = [] if saliency is None else [saliency(image_id, square)]
        views = [on_features.features(index), *(torch.from_numpy(m).float() / 255 for m in maps)]
        mirrored = np.random.default_rng((config.seed, sample)).random() < MIRRORED
        return [each.flip(-1) for each in views] if mirrored else views

    def load(batch: list[tuple[int, int]]) -> tuple[Tensor, ...]:
        views = zip(*(view(sample, index) for sample, index in batch), strict=True)
        features, *maps = (torch.stack(each) for each in views)
        labels = torch.from_numpy(plan.labels[[index for _, index in batch]])
        return pinned((features, labels.float(), *maps), plan.device)

    positions = training_positions(
        len(plan.image_ids), config.batch_size, config.seed, start, config.iterations
    )
    for batch in prefetch(load, positions, resolve_workers(config.workers)):
        yield moved(batch, plan.device)


def pass_images(
    plan: "TrainPlan",
    network: Any,  # noqa: ANN401 - any method's
    mined: MinedRegions | None,
    track: Track,
) -> NetworkOnFeatures:
    """Pass every image through the trunk, but for those that have passed before.

    Args:
        plan: The training's plan; its directory is begun.
        network: On the device; afterwards it takes features.
        mined: Erases from the images that are learned from.
        track: Shown the progress.

    Raises:
        WsssError: An image cannot be read, or the disk is full.
    """
    config, names, learned = plan.config, ids_of_features(plan), len(plan.image_ids)

    def view(row: int) -> Pixels:
        image = plan.data_set.read_image(names[row])
        if mined is not None and row < learned:
            image = mined.erase(names[row], image)
        return resize_image(image, (config.crop, config.crop))

    blocks = METHODS[config.method].feature_blocks
    images = ImagesToPass(
        len(names),
        view,
        config.backbone,
        features_of=partial(network.trunk.joined_blocks, blocks=blocks),
        stand_in=PrecomputedFeatures(network.trunk, blocks),
    )
    return compute_features(plan, network, images, cache_of(plan), track)
