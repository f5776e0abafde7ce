"""The training of an attention network, from its first weights to its checkpoint."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wsss_cli import ranks
from wsss_cli.artifacts.checkpoint import read_checkpoint
from wsss_cli.artifacts.feature_cache import FeatureCache
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.metrics_log import read_metrics
from wsss_cli.data.augmentation import jitter_colours, random_view
from wsss_cli.data.images import Pixels
from wsss_cli.data.label_summary import count_negatives
from wsss_cli.data.loading import prefetch, training_positions
from wsss_cli.data.mined_regions import MinedRegions
from wsss_cli.device import autocast, moved, pinned, resolve_workers
from wsss_cli.methods.network_file import (
    CHECKPOINT_KIND,
    build_network,
    write_network,
)
from wsss_cli.models.warm_start import take_heads
from wsss_cli.stages.erasing import mined_regions
from wsss_cli.stages.optimisation.solver import parameter_groups
from wsss_cli.stages.optimisation.tracker import track_finished, tracked_training
from wsss_cli.stages.optimisation.trainer import Loss, Trainer, last_losses
from wsss_cli.stages.train.features import (
    cache_of,
    feature_batches,
    features_by_id,
    has_all_features,
    pass_images,
)
from wsss_cli.stages.train.held_out import Measuring
from wsss_cli.stages.train.learning import Course, Learning
from wsss_cli.stages.train.plan import TrainPlan
from wsss_cli.stages.train.snapshots import remove_snapshots, require_snapshots, snapshot_path
from wsss_cli.stages.train.taught_saliency import ReadSaliency
from wsss_cli.tracking import Track


def train(
    plan: TrainPlan, track: Track, requested_caches: Iterable[FeatureCache] = ()
) -> dict[str, Any]:
    """Train to the end and write the checkpoint; returns the counts.

    Args:
        plan: The training.
        track: Shown the progress.
        requested_caches: Features of later trainings; the first one that needs these gets them.
    """
    config, directory = plan.config, plan.directory
    started = time.monotonic()
    network = _first_network(plan)
    recorded = directory.recorded_counts()
    directory.begin(overwrite=config.overwrite)  # only now: the weights have been found to fit
    network = network.to(memory_format=torch.channels_last)
    trained = ranks.agreed((directory.path / CHECKPOINT_FILE).exists)
    if trained and recorded:  # only its log has vanished, and that told nothing else
        track_finished(directory, config.tracker, track)
        return recorded
    on_features = None
    if config.heads_only and (not trained or has_all_features(plan)):
        with _mined(plan) as mined:
            on_features = pass_images(plan, network, mined, track)
    whole_network = nullcontext if on_features is None else on_features.whole

    def write(path: Path) -> None:
        with whole_network():
            write_network(path, config, plan.data_set.class_names, network)

    measuring = None
    if plan.measured is not None:
        view = None if on_features is None else features_by_id(plan, on_features)
        measuring = Measuring.of(
            config, plan.data_set, plan.measured, plan.device, plan.precision, view
        )
    learning = Learning(network, measuring, track)
    trainer = _trainer(plan, network, learning, write, track)
    if trained:
        # Something else has vanished from a finished training: that is not worth another one.
        trainer.iteration = config.iterations
    else:
        _resume(plan, trainer, track)
    track.note(f"{len(plan.image_ids)} images of {plan.split}, {plan.device} in {plan.precision}")
    if plan.measured is not None:
        track.note(f"the mAP is taken on {plan.measured.describe()}")
    first = trainer.iteration
    if trained:
        tensors = read_checkpoint(directory.path / CHECKPOINT_FILE, CHECKPOINT_KIND)["network"]
        with whole_network():
            network.load_state_dict(tensors)
        if config.heads_only and on_features is None and measuring is not None:
            track.note(
                "the features that the heads learned from are gone, so the mAP is that of the "
                "photographs themselves and may differ in its last digits"
            )
        track_finished(directory, config.tracker, track)
    else:
        with _mined(plan) as mined, _saliency(plan) as saliency:
            trainer.train(
                partial(_batches, plan, mined, saliency)
                if on_features is None
                else partial(feature_batches, plan, on_features, saliency),
                partial(_losses, plan, network),
                config.iterations,
                track,
                finish=lambda: write(directory.path / CHECKPOINT_FILE),
            )
    course = Course(read_metrics(directory.path), trainer.unlogged_losses())
    learned = learning.outcome(config, plan.labels, course)
    if on_features is not None:  # nothing looks at them any more
        cache = cache_of(plan)
        any(cache.move_to(other) for other in requested_caches)  # to the first that takes them
    rate = (config.iterations - first) / max(trainer.seconds, 1e-9)
    return {
        "images": len(plan.image_ids),
        "negatives": count_negatives(plan.labels),
        "iterations": config.iterations,
        "losses": last_losses(directory.path),
        "seconds": round(time.monotonic() - started, 1),
        "rate": float(f"{rate:.4g}"),
        **learned,
    }


def _first_network(plan: TrainPlan) -> Any:  # noqa: ANN401 - any method's
    """The network before its first step, on the device.

    Raises:
        WsssError: The weights do not fit it.
    """
    config = plan.config
    torch.manual_seed(config.seed)
    network = build_network(config, len(plan.data_set.class_names), plan.weights)
    if config.start is not None:
        tensors = read_checkpoint(config.start, CHECKPOINT_KIND)["network"]
        take_heads(network, tensors, source=str(config.start))
    return network.to(plan.device)


def _trainer(
    plan: TrainPlan,
    network: Any,  # noqa: ANN401 - any method's
    learning: Learning,
    write: Callable[[Path], None],
    track: Track,
) -> Trainer:
    """What runs the steps, with the solver of the settings and what happens beside the steps.

    Args:
        plan: The training.
        network: On the device.
        learning: Measures it.
        write: Writes a checkpoint.
        track: Told of trackers that fail.
    """
    config, directory = plan.config, plan.directory

    def lr_factor(name: str) -> float:
        return (config.head_lr_factor or 1.0) if name.startswith("head_") else 1.0

    def keep_snapshot(iteration: int) -> None:
        if config.snapshot_every and iteration % config.snapshot_every == 0:
            write(snapshot_path(directory.path, iteration))

    return Trainer(
        network,
        torch.optim.SGD(
            parameter_groups(network.named_parameters(), config.weight_decay, lr_factor),
            lr=config.lr,
            momentum=config.momentum,
        ),
        learning_rate=config.learning_rate,
        clip_norm=config.clip_norm,
        directory=directory.path,
        seed=config.seed,
        checkpoint_every=config.checkpoint_every,
        images_per_step=config.batch_size,
        tracked=tracked_training(directory, config.tracker, track),
        after_step=keep_snapshot,
        also_logged=learning.also_logged,
    )


def _resume(plan: TrainPlan, trainer: Trainer, track: Track) -> None:
    """Go on from the last kept state, if there is one, with the snapshots that belong to it.

    Raises:
        UsageError: A snapshot is missing.
    """
    directory = plan.directory
    if not trainer.resume():
        return
    require_snapshots(directory.path, plan.config, trainer.iteration)
    if directory.earlier_settings():
        remove_snapshots(directory.path, trainer.iteration)
    track.note(f"resuming at iteration {trainer.iteration}")


def _losses(
    plan: TrainPlan,
    network: Any,  # noqa: ANN401 - any method's
    images: Tensor,
    labels: Tensor,
    *maps: Tensor,
) -> dict[str, Loss]:
    """Losses of a batch by name."""
    with autocast(plan.device, plan.precision):
        losses = network.losses(images, labels, *maps)
    return {name: Loss(loss, len(images)) for name, loss in losses.items()}


def _mined(plan: TrainPlan) -> AbstractContextManager[MinedRegions | None]:
    """Open what the round before has mined."""
    config = plan.config
    return mined_regions(config.erase, plan.data_set.class_names, config.erase_threshold)


def _saliency(plan: TrainPlan) -> AbstractContextManager[ReadSaliency | None]:
    """Open the maps to learn from."""
    return nullcontext() if plan.saliency is None else plan.saliency.opened()


def _batches(
    plan: TrainPlan, mined: MinedRegions | None, saliency: ReadSaliency | None, start: int
) -> Iterator[tuple[Tensor, ...]]:
    """Augmented batches from iteration ``start`` on, on the device.

    Yields:
        Images (B, 3, crop, crop) uint8, labels (B, C) float32 and, for a method that learns from
        saliency, saliency (B, crop, crop) in [0, 1].
    """
    config = plan.config

    def view(sample: int, index: int) -> list[Pixels]:
        image_id = plan.image_ids[index]
        image = plan.data_set.read_image(image_id)
        size = image.shape[0], image.shape[1]
        maps = [] if saliency is None else [saliency(image_id, size)]
        if mined is not None:
            image = mined.erase(image_id, image)
        rng = np.random.default_rng((config.seed, sample))
        if config.colour_jitter:
            image = jitter_colours(image, config.colour_jitter, rng)
        return random_view(image, config.crop, rng, *maps, scales=config.scales)

    def load(batch: list[tuple[int, int]]) -> tuple[Tensor, ...]:
        views = zip(*(view(sample, index) for sample, index in batch), strict=True)
        images, *maps = (torch.from_numpy(np.stack(pixels)) for pixels in views)
        labels = torch.from_numpy(plan.labels[[index for _, index in batch]])
        shares = (grey.float() / 255 for grey in maps)
        return pinned((images.permute(0, 3, 1, 2), labels.float(), *shares), plan.device)

    positions = training_positions(
        len(plan.image_ids), config.batch_size, config.seed, start, config.iterations
    )
    for batch in prefetch(load, positions, resolve_workers(config.workers)):
        yield moved(batch, plan.device)
