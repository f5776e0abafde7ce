"""``wsss train``: learn from image-level labels where objects are."""

import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli import ranks
from wsss_cli.artifacts.checkpoint import read_checkpoint
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.metrics_log import read_metrics
from wsss_cli.artifacts.stage_directory import Input, StageDirectory
from wsss_cli.artifacts.tensorboard_events import require_tensorboard
from wsss_cli.configs.common import record
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.augmentation import random_view
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.images import Pixels
from wsss_cli.data.label_summary import count_negatives, summarise
from wsss_cli.data.loading import prefetch, training_positions
from wsss_cli.data.map_sizes import turned_masks
from wsss_cli.data.mined_regions import MinedRegions
from wsss_cli.device import autocast, resolve_device, resolve_precision, resolve_workers
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.methods.network_file import (
    CHECKPOINT_KIND,
    build_network,
    load_network,
    write_network,
)
from wsss_cli.models.pretrained import InitialWeights, initial_weights
from wsss_cli.models.warm_start import take_heads
from wsss_cli.stages.input_kinds import images_input
from wsss_cli.stages.inputs import find_data, require_same_classes
from wsss_cli.stages.optimisation import (
    Loss,
    Trainer,
    last_losses,
    parameter_groups,
    require_shares,
    write_events,
)
from wsss_cli.stages.result import Report, make, result_directory
from wsss_cli.stages.rounds import check_mined, mined_regions
from wsss_cli.stages.train.held_out import MeasuredImages, Measuring, divide
from wsss_cli.stages.train.learning import Course, Learning
from wsss_cli.tracking import Track

SNAPSHOTS = "snapshots"


@dataclass(frozen=True)
class TrainPlan:
    """Everything checked and read before the first step.

    Attributes:
        image_ids: Ids of the N images that are learnt from.
        labels: (N, C) multi-hot.
        measured: Images that the mAP is taken on; None where it is not.
    """

    config: TrainConfig
    data_set: DataSet
    split: str
    image_ids: list[str]
    labels: npt.NDArray[np.bool_]
    measured: MeasuredImages | None
    weights: InitialWeights
    device: torch.device
    precision: str
    directory: StageDirectory

    def describe(self) -> dict[str, Any]:
        """What would be done, for ``--dry-run`` and the manifest."""
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


def prepare(config: TrainConfig, track: Track) -> TrainPlan:
    """Check data, weights, device and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    if config.tensorboard:
        require_tensorboard()
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
    weights = initial_weights(_origin(config, data_set), config.backbone, track)
    inputs = {
        "data": images_input(data_set, image_ids, labels),
        "weights": Input(Path(weights.name), weights.fingerprint),
    }
    if config.start is not None:
        inputs["start"] = inputs["weights"]
    if config.erase is not None:
        inputs["erase"] = check_mined(config.erase, data_set, image_ids, labels, sizes)
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
    if config.snapshot_every and directory.state(overwrite=config.overwrite) == "complete":
        _require_snapshots(directory.path, config, config.iterations)
    return TrainPlan(
        config,
        data_set,
        split,
        [image_ids[row] for row in division.learnt],
        labels[division.learnt],
        division.measured,
        weights,
        device,
        precision,
        directory,
    )


def _tell_labels(
    data_set: DataSet, split: str, labels: npt.NDArray[np.bool_], track: Track
) -> None:
    """Say what there is to learn from, and how the data set was understood.

    Raises:
        WsssError: All images have the same labels.
    """
    what = f"images of {split}"
    summary = summarise(data_set.class_names, labels)
    problem = summary.problem(what)
    if problem is not None:
        raise WsssError(f"{data_set.root}: {problem}")
    track.note(summary.sentence(what))
    for remark in (*data_set.remarks, *summary.warnings(what)):
        track.note(f"note: {remark}")


def _origin(config: TrainConfig, data_set: DataSet) -> str | None:
    """Where the trunk's weights come from: ``--start``, when its network fits, or ``--weights``."""
    if config.start is None:
        return config.weights
    _, started, class_names = load_network(config.start)
    require_same_classes(config.start, class_names, data_set)
    require_fit(config, started, len(class_names))
    return str(config.start)


def require_fit(config: TrainConfig, started: TrainConfig, num_classes: int) -> None:
    """Refuse a ``--start`` whose network has another trunk, or heads of another shape.

    Args:
        config: Of the training that goes on.
        started: Of the one it goes on from, which may be still to come.
        num_classes: Foreground classes of both.

    Raises:
        WsssError: It does not fit.
    """
    if started.backbone != config.backbone:
        raise UsageError(
            f"--start {config.start} has the backbone {started.backbone}; pass --backbone "
            f"{started.backbone}"
        )
    with torch.device("meta"):  # shapes alone
        network, source = (
            build_network(one, num_classes, InitialWeights()) for one in (config, started)
        )
    take_heads(network, source.state_dict(), source=str(config.start))


def run(config: TrainConfig, *, track: Track) -> Report:
    """Train, resuming an unfinished training of the same settings.

    Raises:
        WsssError: The inputs are wrong, the loss diverges or the disk is full.
    """
    plan = prepare(config, track)
    report = make(plan.directory, _train, plan, track, overwrite=config.overwrite)
    if config.tensorboard:
        write_events(plan.directory)
    return report


def _train(plan: TrainPlan, track: Track) -> dict[str, Any]:
    """Train to the end and write the checkpoint; returns the counts."""
    config, directory = plan.config, plan.directory
    started = time.monotonic()
    torch.manual_seed(config.seed)
    network = build_network(config, len(plan.data_set.class_names), plan.weights)
    if config.start is not None:
        tensors = read_checkpoint(config.start, CHECKPOINT_KIND)["network"]
        take_heads(network, tensors, source=str(config.start))
    network = network.to(plan.device)
    directory.begin(overwrite=config.overwrite)  # only now: the weights have been found to fit
    network = network.to(memory_format=torch.channels_last)

    def write(path: Path) -> None:
        write_network(path, config, plan.data_set.class_names, network)

    def keep_snapshot(iteration: int) -> None:
        if config.snapshot_every and iteration % config.snapshot_every == 0:
            write(snapshot_path(directory.path, iteration))

    measuring = None
    if plan.measured is not None:
        measuring = Measuring.of(config, plan.data_set, plan.measured, plan.device, plan.precision)
    learning = Learning(network, measuring, track)
    trainer = Trainer(
        network,
        torch.optim.SGD(
            parameter_groups(network.named_parameters(), config.weight_decay),
            lr=config.lr,
            momentum=config.momentum,
        ),
        learning_rate=lambda i: config.lr * 0.1 ** bisect_right(config.lr_steps, i),
        directory=directory.path,
        seed=config.seed,
        checkpoint_every=config.checkpoint_every,
        images_per_step=config.batch_size,
        tensorboard=config.tensorboard,
        after_step=keep_snapshot,
        also_logged=learning.also_logged,
    )
    trained = ranks.agreed((directory.path / CHECKPOINT_FILE).exists)
    if trained:
        # Something else has vanished from a finished training: that is not worth another one.
        trainer.iteration = config.iterations
    elif trainer.resume():
        _require_snapshots(directory.path, config, trainer.iteration)
        if directory.earlier_settings():
            _remove_snapshots(directory.path, trainer.iteration)
        track.note(f"resuming at iteration {trainer.iteration}")
    track.note(f"{len(plan.image_ids)} images of {plan.split}, {plan.device} in {plan.precision}")
    if plan.measured is not None:
        track.note(f"the mAP is taken on {plan.measured.describe()}")
    first = trainer.iteration

    def losses_of(images: Tensor, labels: Tensor) -> dict[str, Loss]:
        with autocast(plan.device, plan.precision):
            losses = network.losses(images, labels)
        return {name: Loss(loss, len(images)) for name, loss in losses.items()}

    if not trained:
        with mined_regions(
            config.erase, plan.data_set.class_names, config.erase_threshold
        ) as mined:
            trainer.train(
                lambda start: _batches(plan, mined, start),
                losses_of,
                config.iterations,
                track,
                1,
                lambda: write(directory.path / CHECKPOINT_FILE),
            )
    else:
        tensors = read_checkpoint(directory.path / CHECKPOINT_FILE, CHECKPOINT_KIND)["network"]
        network.load_state_dict(tensors)
    course = Course(read_metrics(directory.path), trainer.unlogged_losses())
    learned = learning.outcome(config, plan.labels, course)
    seconds = time.monotonic() - started
    return {
        "images": len(plan.image_ids),
        "negatives": count_negatives(plan.labels),
        "iterations": config.iterations,
        "losses": last_losses(directory.path),
        "seconds": round(seconds, 1),
        "rate": round((config.iterations - first) / seconds, 3),
        **learned,
    }


def snapshot_path(directory: Path, iteration: int) -> Path:
    """Where a training keeps its network as it was after ``iteration`` steps."""
    return directory / SNAPSHOTS / f"{iteration:06d}.pt"


def _require_snapshots(directory: Path, config: TrainConfig, done: int) -> None:
    """Refuse to leave out snapshots that are asked for but belong to steps already taken.

    Snapshots change no result, so a training with and one without them are the same to the
    fingerprint; but "up to date" would be a lie where those asked for are not there.

    Raises:
        UsageError: Names the first one missing.
    """
    if not config.snapshot_every:
        return
    for iteration in range(config.snapshot_every, done + 1, config.snapshot_every):
        path = snapshot_path(directory, iteration)
        if not path.exists():
            raise UsageError(
                f"{path} is not there and the training is past iteration {iteration}, so "
                f"--snapshot-every {config.snapshot_every} needs another training: pass "
                "--overwrite, or --run DIR to keep both"
            )


def _remove_snapshots(directory: Path, done: int) -> None:
    """Remove snapshots of steps that are taken again at another learning rate."""
    if ranks.first():
        for path in directory.glob(f"{SNAPSHOTS}/*.pt"):
            if path.stem.isdecimal() and int(path.stem) > done:
                path.unlink()


def _batches(
    plan: TrainPlan, mined: MinedRegions | None, start: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Augmented batches from iteration ``start`` on, on the device."""
    config = plan.config

    def view(sample: int, index: int) -> Pixels:
        image_id = plan.image_ids[index]
        image = plan.data_set.read_image(image_id)
        if mined is not None:
            image = mined.erase(image_id, image)
        return random_view(image, config.crop, np.random.default_rng((config.seed, sample)))

    def load(batch: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        views = [view(sample, index) for sample, index in batch]
        labels = plan.labels[[index for _, index in batch]]
        images = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)  # (B, 3, crop, crop)
        return images, torch.from_numpy(labels).float()

    positions = training_positions(
        len(plan.image_ids), config.batch_size, config.seed, start, config.iterations
    )
    for images, labels in prefetch(load, positions, resolve_workers(config.workers)):
        yield images.to(plan.device), labels.to(plan.device)
