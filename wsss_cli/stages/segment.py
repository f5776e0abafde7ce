"""``wsss segment``: train a segmentation network on proxies and predict with it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.artifacts.stage_directory import Input, StageDirectory
from wsss_cli.configs.common import record, settings
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.augmentation import random_joint_view
from wsss_cli.data.images import Pixels, check_images, read_image
from wsss_cli.data.loading import prefetch, training_positions
from wsss_cli.data.voc import VocTree
from wsss_cli.device import autocast, resolve_device, resolve_precision, resolve_workers
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.models.pretrained import InitialWeights, initial_weights
from wsss_cli.models.trunks import OXFORD_MEAN
from wsss_cli.ops.prohibitive import prohibitive_labels
from wsss_cli.stages.inputs import find_data, require_same_classes, training_settings
from wsss_cli.stages.making import make
from wsss_cli.stages.optimisation import (
    LOSSES_FILE,
    RESUME_FILE,
    Batch,
    Trainer,
    last_losses,
    parameter_groups,
)
from wsss_cli.stages.report import Report
from wsss_cli.stages.supervision import check_label_maps, find_confidence, find_supervision
from wsss_cli.tracking import Track

STAGE_VERSION = 2
CHECKPOINT_FILE = "checkpoint.pt"
CHECKPOINT_KIND = "segmentation"
PREDICTIONS = "predictions"
OWNED = (CHECKPOINT_FILE, LOSSES_FILE, f"{PREDICTIONS}/*.png")
POLY_POWER = 0.9  # of the learning rate's fall, as in DeepLab


@dataclass(frozen=True)
class SegmentPlan:
    """Everything checked before the first step.

    Attributes:
        supervision: Label map of every training image; empty when a checkpoint is given.
        confidence: (N, L) of every label in every training image, with ``--prohibitive``.
        predicted_ids: Images to predict.
        predicted_labels: (M, C) their image-level labels, with ``--restrict-labels``.
    """

    config: SegmentConfig
    tree: VocTree
    model: str
    weights: InitialWeights
    supervision: dict[str, Path]
    confidence: npt.NDArray[np.float32] | None
    predicted_ids: list[str]
    predicted_labels: npt.NDArray[np.bool_] | None
    device: torch.device
    precision: str
    directory: StageDirectory

    @property
    def num_labels(self) -> int:
        """Labels including background."""
        return len(self.tree.class_names) + 1

    def describe(self) -> dict[str, Any]:
        """What would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "data": str(self.tree.root),
            "model": self.model,
            "weights": self.weights.name,
            "training_images": len(self.supervision),
            "predicted_images": len(self.predicted_ids),
            "device": str(self.device),
            "precision": self.precision,
        }


def prepare(config: SegmentConfig, track: Track) -> SegmentPlan:
    """Check data, labels, weights, device and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    tree = find_data(config)
    predicted_ids = tree.image_ids(config.split)
    check_images(map(tree.image_path, predicted_ids))
    device = resolve_device(config.device)
    precision = resolve_precision(config.amp, device)
    trained = training_settings(config.run)
    model = config.model or deeplab_largefov.MODELS[trained.get("backbone", "vgg16")]
    predicted_labels = tree.labels(predicted_ids) if config.restrict_labels else None
    inputs = {"images": Input(tree.root, tree.fingerprint(predicted_ids, predicted_labels))}
    supervision: dict[str, Path] = {}
    confidence = None
    weights = InitialWeights()
    if config.checkpoint is not None:
        own = config.run / "segment" / CHECKPOINT_FILE
        if config.overwrite and config.checkpoint.resolve() == own.resolve():
            raise UsageError(
                f"--overwrite would remove {config.checkpoint}, which is to predict; choose "
                "another --run"
            )
        model = _checked_model(config.checkpoint, tree, config.model)
        inputs["checkpoint"] = Input(config.checkpoint, file_fingerprint(config.checkpoint))
    else:
        backbone = next(b for b, name in deeplab_largefov.MODELS.items() if name == model)
        inherited = trained.get("weights") if trained.get("backbone") == backbone else None
        supervision, inputs["supervision"] = find_supervision(config, tree)
        check_label_maps(tree, supervision, config, track)
        if config.prohibitive:
            confidence, inputs["attention"] = find_confidence(config, tree, list(supervision))
        weights = initial_weights(config.weights or inherited, backbone, track)
        inputs["weights"] = Input(Path(weights.name), weights.fingerprint)
    directory = StageDirectory(
        path=config.run / "segment",
        stage="segment",
        stage_version=STAGE_VERSION,
        settings={**settings(config), "model": model, "precision": precision},
        inputs=inputs,
        owned=OWNED,
        scratch=(RESUME_FILE,),
        details={
            "config": {**record(config), "model": model, "weights": weights.name},
            "data": str(tree.root),
            "class_names": list(tree.class_names),
            "seed": config.seed,
            "device": str(device),
        },
    )
    return SegmentPlan(
        config,
        tree,
        model,
        weights,
        supervision,
        confidence,
        predicted_ids,
        predicted_labels,
        device,
        precision,
        directory,
    )


def run(config: SegmentConfig, *, track: Track) -> Report:
    """Train unless a checkpoint is given, then predict; both go on where they were stopped.

    Raises:
        WsssError: The inputs are wrong, the loss diverges or the disk is full.
    """
    plan = prepare(config, track)
    return make(plan.directory, lambda: _train_and_predict(plan, track), overwrite=config.overwrite)


def _train_and_predict(plan: SegmentPlan, track: Track) -> dict[str, Any]:
    """Do what of both is not done yet; returns the counts."""
    config, directory = plan.config, plan.directory
    started = time.monotonic()
    checkpoint = config.checkpoint or directory.path / CHECKPOINT_FILE
    untrained = _untrained(plan) if config.checkpoint is None else None
    directory.begin(overwrite=config.overwrite)  # only now: the weights have been found to fit
    if untrained is not None and not checkpoint.exists():
        _train(plan, untrained, track)
    trained = time.monotonic()
    network, _, _ = load_network(checkpoint)
    written = _predict(plan, network, track)
    return {
        "training_images": len(plan.supervision),
        "losses": last_losses(directory.path),
        "images": len(plan.predicted_ids),
        "written": written,
        "skipped": len(plan.predicted_ids) - written,
        "training_seconds": round(trained - started, 1),
        "seconds": round(time.monotonic() - started, 1),
        "rate": round(written / (time.monotonic() - trained), 2),
    }


def _untrained(plan: SegmentPlan) -> DeepLabLargeFOV:
    """The network with its initial weights, on the device."""
    torch.manual_seed(plan.config.seed)
    network = deeplab_largefov.build(plan.model, plan.num_labels)
    plan.weights.load_into(network.trunk)
    network.trunk.freeze(plan.config.frozen_blocks)
    network.to(plan.device)
    network.to(memory_format=torch.channels_last)
    return network


def _train(plan: SegmentPlan, network: DeepLabLargeFOV, track: Track) -> None:
    """Train to the end and write the checkpoint."""
    config = plan.config
    trainer = Trainer(
        network,
        torch.optim.SGD(
            parameter_groups(
                network.named_parameters(), config.weight_decay, deeplab_largefov.lr_factor
            ),
            lr=config.lr,
            momentum=config.momentum,
        ),
        learning_rate=lambda i: config.lr * (1 - i / config.iterations) ** POLY_POWER,
        directory=plan.directory.path,
        seed=config.seed,
        checkpoint_every=config.checkpoint_every,
    )
    if trainer.resume():
        track.note(f"resuming at iteration {trainer.iteration}")
    track.note(
        f"{plan.model} from {plan.weights.name}, {len(plan.supervision)} images with "
        f"{config.supervision} labels, {plan.device} in {plan.precision}"
    )

    def losses_of(images: Tensor, label_maps: Tensor, *weighting: Tensor) -> dict[str, Tensor]:
        with autocast(plan.device, plan.precision):
            logits = network(images)
        losses = {"segmentation": deeplab_largefov.segmentation_loss(logits, label_maps)}
        if weighting:
            online = prohibitive_labels(logits, *weighting)
            losses["prohibitive"] = deeplab_largefov.segmentation_loss(logits, online)
        return losses

    trainer.train(_batches(plan), losses_of, config.iterations, track, config.accumulate)
    write_checkpoint(
        plan.directory.path / CHECKPOINT_FILE,
        CHECKPOINT_KIND,
        {
            "class_names": list(plan.tree.class_names),
            "model": plan.model,
            "weights": plan.weights.name,
            "network": network.state_dict(),
        },
    )


def _batches(plan: SegmentPlan) -> Callable[[int], Iterator[Batch]]:
    """Augmented batches from an iteration on, on the device.

    They hold images and label maps, with ``--prohibitive`` also the confidence in each label and
    where the views lie inside their image.
    """
    config = plan.config
    image_ids = list(plan.supervision)
    fill = np.round(OXFORD_MEAN).astype(np.uint8)

    def view(sample: int, image: Pixels, label_map: Pixels) -> tuple[Pixels, Pixels]:
        scales = (config.scale_low, config.scale_high)
        rng = np.random.default_rng((config.seed, sample))
        return random_joint_view(image, label_map, config.crop, scales, fill, rng)

    def load(batch: list[tuple[int, int]]) -> Batch:
        images, label_maps, inside = [], [], []
        for sample, index in batch:
            whole = read_image(plan.tree.image_path(image_ids[index]))
            image, label_map = view(
                sample, whole, read_label_map(plan.supervision[image_ids[index]])
            )
            images.append(image)
            label_maps.append(label_map)
            if plan.confidence is not None:
                # A proxy may hold 255 too; the same view of nothing but 0 has it outside alone.
                _, edges = view(sample, whole, np.zeros(whole.shape[:2], np.uint8))
                inside.append(edges == 0)
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # (B, 3, crop, crop)
        labels = torch.from_numpy(np.stack(label_maps)).long()  # (B, crop, crop)
        if plan.confidence is None:
            return pixels, labels
        believed = torch.from_numpy(plan.confidence[[index for _, index in batch]])  # (B, L)
        return pixels, labels, believed, torch.from_numpy(np.stack(inside))

    def batches(start: int) -> Iterator[Batch]:
        positions = training_positions(
            len(image_ids),
            config.batch_size,
            config.seed,
            start * config.accumulate,
            config.iterations * config.accumulate,
        )
        for batch in prefetch(load, positions, resolve_workers(config.workers)):
            yield tuple(tensor.to(plan.device) for tensor in batch)

    return batches


def _predict(plan: SegmentPlan, network: DeepLabLargeFOV, track: Track) -> int:
    """Write the label map of each image that has none yet; returns how many."""
    folder = plan.directory.path / PREDICTIONS
    missing = [i for i in plan.predicted_ids if not (folder / f"{i}.png").exists()]
    allowed = _allowed_labels(plan)
    network.eval().to(plan.device)
    network.to(memory_format=torch.channels_last)

    def load(image_id: str) -> tuple[str, Tensor]:
        pixels = read_image(plan.tree.image_path(image_id))
        return image_id, torch.from_numpy(pixels).permute(2, 0, 1)[None]  # (1, 3, H, W)

    def compute() -> Iterator[tuple[str, Tensor]]:
        for image_id, image in prefetch(load, missing, resolve_workers(plan.config.workers)):
            with torch.inference_mode(), autocast(plan.device, plan.precision):
                logits = network(image.to(plan.device))  # (1, L, H, W)
            if image_id in allowed:
                logits = logits.masked_fill(~allowed[image_id][:, None, None], -torch.inf)
            yield image_id, logits[0].argmax(dim=0).to(torch.uint8).cpu()

    def write(predicted: tuple[str, Tensor]) -> None:
        image_id, label_map = predicted
        write_label_map(folder / f"{image_id}.png", label_map.numpy())

    written = prefetch(write, compute(), workers=1)
    total = len(plan.predicted_ids)
    for _ in track.steps(written, total=total, label="predicting", done=total - len(missing)):
        pass
    return len(missing)


def _allowed_labels(plan: SegmentPlan) -> dict[str, Tensor]:
    """(L,) bool of every image with ``--restrict-labels``: background and its own labels."""
    if plan.predicted_labels is None:
        return {}
    own = torch.from_numpy(plan.predicted_labels)  # (M, C)
    allowed = torch.cat((torch.ones(len(own), 1, dtype=torch.bool), own), dim=1)  # (M, L)
    return dict(zip(plan.predicted_ids, allowed.to(plan.device), strict=True))


def _checked_model(checkpoint: Path, tree: VocTree, wanted: str | None) -> str:
    _, model, class_names = load_network(checkpoint)
    require_same_classes(checkpoint, class_names, tree)
    if wanted not in (None, model):
        raise UsageError(f"--model {wanted}: {checkpoint} holds {model}; leave --model out")
    return model


def load_network(path: Path) -> tuple[DeepLabLargeFOV, str, tuple[str, ...]]:
    """Rebuild a trained segmentation network from its checkpoint.

    Returns:
        The network on the CPU, the name of its model, and its class names.

    Raises:
        WsssError: The file is no such checkpoint.
    """
    content = read_checkpoint(path, CHECKPOINT_KIND)
    try:
        names = tuple(content["class_names"])
        network = deeplab_largefov.build(content["model"], len(names) + 1)
        network.load_state_dict(content["network"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WsssError(f"{path} does not hold a whole segmentation network ({reason})") from error
    return network, str(content["model"]), names
