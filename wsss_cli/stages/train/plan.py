"""The plan of ``wsss train``: everything checked before any work."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wsss_cli.artifacts.stage_directory import Input, StageDirectory
from wsss_cli.artifacts.trackers import require_tracker
from wsss_cli.configs.common import record
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.label_summary import summarise
from wsss_cli.data.map_sizes import turned_masks
from wsss_cli.device import resolve_device, resolve_precision
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.methods.network_file import (
    build_network,
    load_network,
)
from wsss_cli.models.pretrained import InitialWeights, initial_weights
from wsss_cli.models.warm_start import take_heads
from wsss_cli.stages.erasing import check_mined
from wsss_cli.stages.input_kinds import images_input
from wsss_cli.stages.inputs import find_data, require_same_classes, training_saliency
from wsss_cli.stages.kept_features import is_to_train, with_known_features
from wsss_cli.stages.optimisation.trainer import require_shares
from wsss_cli.stages.result import result_directory
from wsss_cli.stages.train.features import cache_of, require_features
from wsss_cli.stages.train.held_out import MeasuredImages, divide
from wsss_cli.stages.train.snapshots import require_snapshots
from wsss_cli.stages.train.taught_saliency import TaughtSaliency, find_taught_saliency
from wsss_cli.tracking import Track


@dataclass(frozen=True)
class TrainPlan:
    """Everything checked and read before the first step.

    Attributes:
        image_ids: Ids of the N images that are learned from.
        labels: (N, C) multi-hot.
        measured: Images that the mAP is taken on; None where it is not.
        saliency: Maps to learn from; None where the method learns from none.
    """

    config: TrainConfig
    data_set: DataSet
    split: str
    image_ids: list[str]
    labels: npt.NDArray[np.bool_]
    measured: MeasuredImages | None
    saliency: TaughtSaliency | None
    weights: InitialWeights
    device: torch.device
    precision: str
    directory: StageDirectory

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "data": str(self.data_set.root),
            "split": self.split,
            "images": len(self.image_ids),
            "map_on": None if self.measured is None else self.measured.describe(),
            "weights": self.weights.name,
            "device": str(self.device),
            "precision": self.precision,
        }


def prepare(config: TrainConfig, track: Track, *, gone_before: Sequence[Path] = ()) -> TrainPlan:
    """Check data, weights, device, the disk and the run before any work.

    Args:
        config: What to train.
        track: Told of what is surprising.
        gone_before: Features of other trainings that will be gone before this one begins.

    Raises:
        WsssError: Something is missing or broken.
    """
    plan = plan_training(config, track)
    if config.heads_only and is_to_train(plan):
        require_features(plan, gone_before)
    if config.snapshot_every and plan.directory.state(overwrite=config.overwrite) == "complete":
        require_snapshots(plan.directory.path, config, config.iterations)
    return plan


def plan_training(config: TrainConfig, track: Track) -> TrainPlan:
    """Check all but whether there is room for features, and what lies in the run.

    Raises:
        WsssError: Something is missing or broken.
    """
    require_tracker(config.tracker)
    require_shares(config.batch_size)
    data_set = find_data(config)
    split = config.split or data_set.training_split()
    remark = data_set.about_training() if config.split is None else None
    if remark is not None:
        track.note(remark)
    image_ids = data_set.image_ids(split)
    labels = data_set.labels(image_ids)
    _tell_labels(data_set, split, labels, track)
    sizes = image_sizes(data_set, image_ids, track.note)
    on_their_side = turned_masks(data_set, image_ids)
    if on_their_side is not None:
        track.note(on_their_side)
    division = divide(config, data_set, split, image_ids, labels, track)
    device = resolve_device(config.device)
    precision = resolve_precision(config.amp, device)
    weights = initial_weights(_origin(config, data_set, track), config.backbone, track)
    inputs = {
        "data": images_input(data_set, image_ids, labels),
        "weights": Input(Path(weights.name), weights.fingerprint),
    }
    if config.start is not None:
        inputs["start"] = inputs["weights"]
    if config.erase is not None:
        inputs["erase"] = check_mined(config.erase, data_set, image_ids, labels, sizes)
    saliency, path = None, training_saliency(config)
    if path is not None:
        saliency = find_taught_saliency(path, data_set, image_ids, sizes, track)
        inputs["saliency"] = saliency.input
    directory = result_directory(
        "train",
        config,
        inputs,
        data=data_set.root,
        class_names=data_set.class_names,
        device=device,
        resolved={
            **({"held_out": division.share} if division.share else {}),
            "split": split,
            "precision": precision,
        },
        recorded={"split": split, "weights": weights.name},
        lowerable=("lr",),
    )
    plan = TrainPlan(
        config=config,
        data_set=data_set,
        split=split,
        image_ids=[image_ids[row] for row in division.learned],
        labels=labels[division.learned],
        measured=division.measured,
        saliency=saliency,
        weights=weights,
        device=device,
        precision=precision,
        directory=directory,
    )
    caches = partial(cache_of, plan) if config.heads_only else None
    return replace(plan, directory=with_known_features(directory, caches))


def _tell_labels(
    data_set: DataSet, split: str, labels: npt.NDArray[np.bool_], track: Track
) -> None:
    """Say what there is to learn from, and how the data set was understood.

    Raises:
        WsssError: All images have the same labels.
    """
    images = f"images of {split}"
    summary = summarise(data_set.class_names, labels)
    problem = summary.problem(images)
    if problem is not None:
        raise WsssError(f"{data_set.root}: {problem}")
    track.note(summary.sentence(images))
    for remark in (*data_set.remarks, *summary.warnings(images)):
        track.note(f"note: {remark}")


def _origin(config: TrainConfig, data_set: DataSet, track: Track) -> str | None:
    """Where the trunk's weights come from: ``--start``, when its network fits, or ``--weights``."""
    if config.start is None:
        return config.weights
    _, started, class_names = load_network(config.start)
    require_same_classes(config.start, class_names, data_set)
    for sentence in require_fit(config, started, len(class_names)):
        track.note(sentence)
    return str(config.start)


def require_fit(config: TrainConfig, started: TrainConfig, num_classes: int) -> list[str]:
    """Refuse a ``--start`` whose network has another trunk, or heads of another shape.

    Its weights fit another output stride too, but a change of it has to be asked for.

    Args:
        config: Settings of the training that goes on.
        started: Settings of the training it goes on from, which may be still to come.
        num_classes: Foreground classes of both.

    Returns:
        Sentences that name what of the start is left out and what begins otherwise.

    Raises:
        WsssError: It does not fit.
    """
    if started.backbone != config.backbone:
        raise UsageError(
            f"--start {config.start} has the backbone {started.backbone}; pass --backbone "
            f"{started.backbone}"
        )
    if config.output_stride is None and started.stride != config.stride:
        raise UsageError(
            f"--start {config.start} has the output stride {started.stride}; pass --output-stride "
            f"{started.stride}, or {config.stride} to change it"
        )
    with torch.device("meta"):  # shapes alone
        network, source = (
            build_network(each, num_classes, InitialWeights()) for each in (config, started)
        )
    return take_heads(network, source.state_dict(), source=str(config.start))
