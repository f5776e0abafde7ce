"""Training of a segmentation network on proxies."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.images import Pixels, read_saliency
from wsss_cli.data.loading import prefetch, training_positions
from wsss_cli.device import autocast, moved, pinned, resolve_workers
from wsss_cli.labels import IGNORE
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV, segmentation_loss
from wsss_cli.ops.prohibitive import prohibitive_labels
from wsss_cli.stages.kept_features import NetworkOnFeatures
from wsss_cli.stages.optimisation.solver import polynomial_fall
from wsss_cli.stages.optimisation.tracker import tracked_training
from wsss_cli.stages.optimisation.trainer import Batch, Loss, Trainer
from wsss_cli.stages.segment.features import pass_images
from wsss_cli.stages.segment.label_correction import LabelCorrection
from wsss_cli.stages.segment.network_file import write_network
from wsss_cli.stages.segment.plan import SegmentPlan
from wsss_cli.stages.segment.solver import optimiser, solver_lines
from wsss_cli.stages.segment.training_views import drawn_view, seen_image
from wsss_cli.tracking import Track


class Untrained(NamedTuple):
    """A network with its initial weights, on the device, and where these come from."""

    network: DeepLabLargeFOV
    origin: dict[str, str]


def untrained_network(plan: SegmentPlan) -> DeepLabLargeFOV:
    """The network of a plan with random weights, on the CPU."""
    return deeplab_largefov.build(plan.model, plan.num_labels, plan.config.head_channels)


def untrained(plan: SegmentPlan) -> Untrained:
    """The network before the first step."""
    torch.manual_seed(plan.config.seed)
    network = untrained_network(plan)
    origin = network.start_from(plan.weights)
    network.trunk.freeze(plan.config.frozen_blocks)
    network.to(plan.device)
    network.to(memory_format=torch.channels_last)
    return Untrained(network, origin)


def train(plan: SegmentPlan, fresh: Untrained, track: Track) -> None:
    """Train to the end and write the checkpoint."""
    config, network, origin = plan.config, fresh.network, fresh.origin
    on_features = pass_images(plan, network, track) if config.heads_only else None
    square = (config.crop, config.crop)
    correction = None
    if plan.correctable is not None:
        correction = LabelCorrection(
            plan.data_set.class_names,
            len(plan.supervision),
            config.batch_size * config.accumulate,
            plan.device,
            track,
        )
    trainer = Trainer(
        network,
        optimiser(network, config),
        polynomial_fall(config.lr, config.iterations),
        directory=plan.directory.path,
        seed=config.seed,
        checkpoint_every=config.checkpoint_every,
        images_per_step=config.batch_size * config.accumulate,
        tracked=tracked_training(plan.directory, config.tracker, track),
    )
    if correction is not None:
        trainer.after_step, trainer.also_logged = correction.after_step, correction.logged
        trainer.memory = correction
    if trainer.resume():
        track.note(f"resuming at iteration {trainer.iteration}")
    track.note(
        f"{plan.model} from {origin['trunk']} (fc6, fc7: {origin['fc6_fc7']}), "
        f"{len(plan.supervision)} images with {config.supervision} labels, {plan.device} in "
        f"{plan.precision}"
    )
    for line in solver_lines(config):
        track.note(line)

    names = _beside_labels(plan)

    def logits_of(images: Tensor) -> Tensor:
        if on_features is None:
            return network(images)  # type: ignore[no-any-return]
        return network.enlarged(network.scores_of(images), square)

    def losses_of(images: Tensor, label_maps: Tensor, *beside: Tensor) -> dict[str, Loss]:
        of = dict(zip(names, beside, strict=True))
        with autocast(plan.device, plan.precision):
            logits = logits_of(images)
        if correction is not None:
            label_maps = correction.correct(logits, label_maps, of["correctable"], of["inside"])
        weights = (of["pixel_weights"],) if "pixel_weights" in of else ()
        learned: dict[str, tuple[Tensor, ...]] = {"segmentation": (label_maps, *weights)}
        if "confidence" in of:
            own = prohibitive_labels(logits, of["confidence"], of["inside"])
            learned["prohibitive"] = (own,)
        return {
            name: Loss(segmentation_loss(logits, *target), (target[0] != IGNORE).sum())
            for name, target in learned.items()
        }

    def write() -> None:
        with nullcontext() if on_features is None else on_features.whole():
            write_network(
                plan.directory.path / CHECKPOINT_FILE,
                network,
                plan.model,
                plan.weights.name,
                plan.data_set.class_names,
                (config.scale_low, config.scale_high),
                usual_longest_side(plan.supervision_sizes),
                None if correction is None else correction.unlogged_share(),
            )

    trainer.train(
        _batches(plan, on_features), losses_of, config.iterations, track, config.accumulate, write
    )


def usual_longest_side(sizes: Sequence[tuple[int, int]]) -> int:
    """The longer side, in pixels, that 95 of 100 images do not exceed.

    One photograph from a camera among those of a data set says nothing about the others.

    Args:
        sizes: (H, W) of the images.
    """
    return int(np.percentile([max(size) for size in sizes], 95, method="lower"))


def _beside_labels(plan: SegmentPlan) -> list[str]:
    """What a batch holds beside images and label maps, in this order.

    ``pixel_weights`` (B, crop, crop) in [0, 1] with ``--pixel-weights``; ``confidence`` (B, L) in
    each label with ``--prohibitive``; ``correctable`` (B, L) bool, the labels that may take the
    place of others, with ``--label-correction``; with either of these ``inside`` (B, crop, crop)
    bool, false beyond the edges of the image.
    """
    held = {
        "pixel_weights": bool(plan.pixel_weights),
        "confidence": plan.confidence is not None,
        "correctable": plan.correctable is not None,
        "inside": plan.confidence is not None or plan.correctable is not None,
    }
    return [name for name, is_held in held.items() if is_held]


def _batches(
    plan: SegmentPlan, on_features: NetworkOnFeatures | None
) -> Callable[[int], Iterator[Batch]]:
    """Augmented batches from an iteration on, on the device.

    They hold images (B, 3, crop, crop) uint8, or the features that the heads learn from,
    then label maps (B, crop, crop) and what :func:`_beside_labels` names.
    """
    config = plan.config
    image_ids = list(plan.supervision)
    names = _beside_labels(plan)

    def load(batch: list[tuple[int, int]]) -> Batch:
        images: list[Pixels] = []
        label_maps, weights, inside = [], [], []
        for sample, index in batch:
            image_id = image_ids[index]
            view = drawn_view(plan, sample if on_features is None else index, index)
            if on_features is None:
                images.append(seen_image(plan, view, image_id))
            label_maps.append(view.of_map(read_label_map(plan.supervision[image_id])))
            if "pixel_weights" in names:
                weights.append(view.of_map(read_saliency(plan.pixel_weights[image_id])))
            if "inside" in names:
                inside.append(view.inside())
        labels = torch.from_numpy(np.stack(label_maps)).long()  # (B, crop, crop)
        rows = [index for _, index in batch]
        if on_features is None:
            seen = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # (B, 3, crop, crop)
        else:
            seen = torch.stack([on_features.features(row) for row in rows])
        beside = {}
        if weights:
            beside["pixel_weights"] = torch.from_numpy(np.stack(weights)).float() / 255
        if plan.confidence is not None:
            beside["confidence"] = torch.from_numpy(plan.confidence[rows])
        if plan.correctable is not None:
            beside["correctable"] = torch.from_numpy(plan.correctable[rows])
        if inside:
            beside["inside"] = torch.from_numpy(np.stack(inside))
        return pinned((seen, labels, *(beside[name] for name in names)), plan.device)

    def batches(start: int) -> Iterator[Batch]:
        positions = training_positions(
            len(image_ids),
            config.batch_size,
            config.seed,
            start * config.accumulate,
            config.iterations * config.accumulate,
        )
        for batch in prefetch(load, positions, resolve_workers(config.workers)):
            yield moved(batch, plan.device)

    return batches
