"""The plan of ``wsss segment``: everything checked before any work."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wsss_cli.artifacts.atomic import require_place
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.stage_directory import Input, StageDirectory
from wsss_cli.artifacts.trackers import require_tracker
from wsss_cli.configs.common import record
from wsss_cli.configs.scales import DEEPLAB_SCALES, default_scales
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS, model_of
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.device import resolve_device, resolve_precision
from wsss_cli.errors import UsageError
from wsss_cli.models.pretrained import InitialWeights, initial_weights
from wsss_cli.stages.input_kinds import file_input, images_input
from wsss_cli.stages.inputs import (
    find_data,
    require_same_classes,
    trained_weights,
    training_settings,
)
from wsss_cli.stages.kept_features import is_to_train, with_known_features
from wsss_cli.stages.optimisation.trainer import require_shares
from wsss_cli.stages.result import result_directory
from wsss_cli.stages.segment.classifier import ImageClassifier, load_classifier
from wsss_cli.stages.segment.features import cache_of, require_features
from wsss_cli.stages.segment.label_correction import require_epochs
from wsss_cli.stages.segment.network_file import (
    SegmentationCheckpoint,
    read_network,
)
from wsss_cli.stages.segment.scales import checkpoint_scales, listed
from wsss_cli.stages.segment.solver import solver_constants
from wsss_cli.stages.segment.supervision import (
    check_label_maps,
    find_confidence,
    find_correctable,
    find_pixel_weights,
    find_supervision,
)
from wsss_cli.stages.segment.training_views import narrow_views
from wsss_cli.tracking import Track


@dataclass(frozen=True)
class SegmentPlan:
    """Everything checked before the first step.

    Attributes:
        supervision: Label map of every training image; empty when a checkpoint is given.
        supervision_sizes: (H, W) of each of these images.
        pixel_weights: Grey map of every training image, with ``--pixel-weights``; else empty.
        confidence: (N, L) of every label in every training image, with ``--prohibitive``.
        correctable: (N, L) bool, with ``--label-correction``: the labels that may take the place of
            others in each training image.
        predicted_ids: Images to predict.
        predicted_sizes: (H, W) of each.
        predicted_labels: (M, C) their image-level labels, with ``--restrict-to-labels``.
        scales: Factors of the photographs' sides to predict at; ``config`` holds the same.
        classifier: With ``--classifier``, what weighs the classes that are predicted.
    """

    config: SegmentConfig
    data_set: DataSet
    model: str
    weights: InitialWeights
    supervision: dict[str, Path]
    supervision_sizes: list[tuple[int, int]]
    pixel_weights: dict[str, Path]
    confidence: npt.NDArray[np.float32] | None
    correctable: npt.NDArray[np.bool_] | None
    predicted_ids: list[str]
    predicted_sizes: list[tuple[int, int]]
    predicted_labels: npt.NDArray[np.bool_] | None
    scales: tuple[float, ...]
    classifier: ImageClassifier | None
    device: torch.device
    precision: str
    directory: StageDirectory

    @property
    def num_labels(self) -> int:
        """Labels including background."""
        return len(self.data_set.class_names) + 1

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "data": str(self.data_set.root),
            "model": self.model,
            "weights": self.weights.name,
            "training_images": len(self.supervision),
            "predicted_images": len(self.predicted_ids),
            "device": str(self.device),
            "precision": self.precision,
            "solver": None if self.config.checkpoint else solver_constants(self.config),
        }


def prepare(config: SegmentConfig, track: Track) -> SegmentPlan:
    """Check data, labels, weights, device and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    if config.submission is not None:
        require_place(config.submission, "--submission")
    require_tracker(config.tracker)
    if config.checkpoint is None:
        require_shares(config.batch_size)
    data_set = find_data(config)
    predicted_ids = data_set.image_ids(config.split)
    predicted_sizes = image_sizes(data_set, predicted_ids, track.note)
    device = resolve_device(config.device)
    precision = resolve_precision(config.amp, device)
    model = config.model or model_of(training_settings(config.run).get("backbone", "vgg16"))
    predicted_labels = data_set.labels(predicted_ids) if config.restrict_to_labels else None
    inputs = {"images": images_input(data_set, predicted_ids, predicted_labels)}
    classifier = None
    if config.classifier is not None:
        classifier = load_classifier(config.classifier, device, precision)
        require_same_classes(config.classifier, classifier.class_names, data_set)
        inputs["classifier"] = file_input(config.classifier)
    supervision: dict[str, Path] = {}
    sizes: list[tuple[int, int]] = []
    pixel_weights: dict[str, Path] = {}
    confidence = correctable = None
    weights = InitialWeights()
    scales = default_scales(config.scale_low, config.scale_high)
    if config.checkpoint is not None:
        network = _checked_network(config.checkpoint, data_set, config.model)
        model = network.model
        if config.scales is None:
            scales = checkpoint_scales(config.checkpoint, network, track)
        inputs["checkpoint"] = file_input(config.checkpoint)
    else:
        backbone = SEGMENTATION_MODELS[model].backbone
        supervision, sizes, label_inputs = find_supervision(config, data_set, track)
        inputs |= label_inputs
        check_label_maps(data_set, supervision, config, track)
        remark = narrow_views(config, sizes)
        if remark is not None:
            track.note(f"note: {remark}")
        if config.pixel_weights is not None:
            pixel_weights, inputs["pixel_weights"] = find_pixel_weights(
                config.pixel_weights, list(supervision), sizes
            )
        if config.prohibitive:
            confidence, inputs["attention"] = find_confidence(config, data_set, list(supervision))
        if config.label_correction is not None:
            require_epochs(config, len(supervision))
            correctable, inputs["image_labels"] = find_correctable(
                config, data_set, list(supervision)
            )
        wanted = config.weights or trained_weights(config.run, backbone)
        weights = initial_weights(wanted, backbone, track)
        inputs["weights"] = Input(Path(weights.name), weights.fingerprint)

    def directory_at(scales: tuple[float, ...]) -> StageDirectory:
        resolved = replace(config, scales=scales)
        return result_directory(
            "segment",
            resolved,
            inputs,
            data=data_set.root,
            class_names=data_set.class_names,
            device=device,
            resolved={"model": model, "precision": precision},
            recorded={"model": model, "weights": weights.name},
            details={"solver": None if config.checkpoint else solver_constants(config)},
            lowerable=() if config.checkpoint else ("lr",),
        )

    scales = config.scales or _kept_scales(directory_at, scales, config, track)
    plan = SegmentPlan(
        config=replace(config, scales=scales),
        data_set=data_set,
        model=model,
        weights=weights,
        supervision=supervision,
        supervision_sizes=sizes,
        pixel_weights=pixel_weights,
        confidence=confidence,
        correctable=correctable,
        predicted_ids=predicted_ids,
        predicted_sizes=predicted_sizes,
        predicted_labels=predicted_labels,
        scales=scales,
        classifier=classifier,
        device=device,
        precision=precision,
        directory=directory_at(scales),
    )
    learns_heads = config.heads_only and config.checkpoint is None
    caches = partial(cache_of, plan) if learns_heads else None
    plan = replace(plan, directory=with_known_features(plan.directory, caches))
    if learns_heads and is_to_train(plan):
        require_features(plan)
    return plan


def _kept_scales(
    directory_at: Callable[[tuple[float, ...]], StageDirectory],
    scales: tuple[float, ...],
    config: SegmentConfig,
    track: Track,
) -> tuple[float, ...]:
    """The default scales, or the five of a run that was begun when these were the default.

    Without this, such a run could only be refused: its training would not go on, and its result
    would have to be made again.
    """
    former = directory_at(DEEPLAB_SCALES)
    if config.overwrite or scales == DEEPLAB_SCALES or not former.recorded():
        return scales
    track.note(
        f"{former.path} was begun at the scales {listed(DEEPLAB_SCALES)} and keeps them; the "
        f"default is now {listed(scales)}: pass --scales, or --checkpoint "
        f"{former.path / CHECKPOINT_FILE} and another --run"
    )
    return DEEPLAB_SCALES


def _checked_network(
    checkpoint: Path, data_set: DataSet, wanted: str | None
) -> SegmentationCheckpoint:
    network = read_network(checkpoint)
    require_same_classes(checkpoint, network.class_names, data_set)
    if wanted not in (None, network.model):
        raise UsageError(f"--model {wanted}: {checkpoint} holds {network.model}; leave --model out")
    return network
