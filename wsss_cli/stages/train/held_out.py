"""How well a training tells the classes apart, on images that it does not learn from.

The measure is the mAP of image-level classification, which needs no masks. It is taken on the list
``val`` where the data set has one with labels. Otherwise a tenth of the training list is held out,
and where that would be a handful of images, the mAP is that of the training images themselves, and
called so. Measuring changes nothing of the training: no random number is drawn, and the network
goes on in the mode that it was in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli import ranks
from wsss_cli.artifacts.stage_directory import REMOVING, read_manifest
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.hold_out import MOST_HELD_OUT, held_out_rows
from wsss_cli.data.loading import prefetch
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import autocast, resolve_workers
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.methods.protocol import AttentionNetwork
from wsss_cli.metrics.classification import Guessing, average_precisions, guessing
from wsss_cli.stages.optimisation.loss_window import LOG_EVERY
from wsss_cli.tracking import Track

VALIDATION = "val"
HELD_OUT_SHARE = 0.1
# Training lists of fewer images are learned from as a whole: a tenth of them would tell nothing.
FEWEST_IMAGES = 50
MEASUREMENTS = 10
# Measured images for each image that a step learns from, all measurements together. A measured
# image costs about a third of a learned one, so measuring takes a few percent of the time.
_SHARE_OF_STEPS = 0.1
_SHARE_OF_SHORT_TRAININGS = 0.2
_FEWEST_MEASURED = 50


@dataclass(frozen=True)
class MeasuredImages:
    """The images that the mAP is taken on.

    Attributes:
        split: The list that they are from.
        image_ids: Their N ids.
        labels: (N, C) multi-hot.
        learned: Whether they are learned from as well.
    """

    split: str
    image_ids: Sequence[str]
    labels: npt.NDArray[np.bool_]
    learned: bool

    def describe(self) -> str:
        """Name the images, for people."""
        if self.learned:
            return f"{len(self.image_ids)} images that are learned from"
        return f"{len(self.image_ids)} held-out images of {self.split}"


@dataclass(frozen=True)
class Division:
    """A training list, divided into what is learned from and what is held out.

    Attributes:
        learned: Rows of the list that are learned from.
        share: The share of the list that is held out; 0 where all of it is learned from.
        measured: What the mAP is taken on; None where nothing is measured.
    """

    learned: npt.NDArray[np.int64]
    share: float
    measured: MeasuredImages | None


def divide(
    config: TrainConfig,
    data_set: DataSet,
    split: str,
    image_ids: Sequence[str],
    labels: npt.NDArray[np.bool_],
    track: Track,
) -> Division:
    """Decide which images are learned from, and which ones the mAP is taken on.

    A training that lies in the run already decides where ``--held-out`` is not given, so that
    a finished one stays up to date and a stopped one goes on as it began.

    Args:
        config: Settings of the training.
        data_set: The data set.
        split: The training list.
        image_ids: Its N ids.
        labels: (N, C) multi-hot.
        track: Told why the list ``val`` cannot be used.

    Raises:
        UsageError: ``--held-out`` holds out no image, as there are too few.
    """
    everything = np.arange(len(image_ids))
    if config.held_out == 0:
        return Division(everything, 0.0, None)
    share = config.held_out or _recorded_share(config)
    if not share:
        measured = _of_validation(config, data_set, split, image_ids, track)
        if measured is not None:
            return Division(everything, 0.0, measured)
    if share is None:
        share = HELD_OUT_SHARE if len(image_ids) >= FEWEST_IMAGES else 0.0
    held = held_out_rows(labels, share, config.seed) if share else np.empty(0, np.int64)
    if config.held_out and not len(held):
        raise UsageError(
            f"--held-out {config.held_out:g} holds out none of the {len(image_ids)} images of "
            f"{split}, as every class must keep half of its images; give --held-out 0"
        )
    rows = held if len(held) else everything
    rows = rows[_sample(len(rows), config)]
    measured = MeasuredImages(
        split, [image_ids[row] for row in rows], labels[rows], learned=not len(held)
    )
    return Division(np.setdiff1d(everything, held), share if len(held) else 0.0, measured)


def _recorded_share(config: TrainConfig) -> float | None:
    """The share that the training in the run holds out; None where there is none to go on from."""
    if config.overwrite:
        return None
    try:
        manifest = read_manifest(config.run / "train")
    except FileNotFoundError:
        return None
    share = manifest["settings"].get("held_out", 0.0)
    return share if manifest["status"] != REMOVING and isinstance(share, float) else None


def _of_validation(
    config: TrainConfig, data_set: DataSet, split: str, learned: Sequence[str], track: Track
) -> MeasuredImages | None:
    """A sample of the list ``val``; None where it is not there, is trained on or has no labels."""
    if split == VALIDATION or VALIDATION not in data_set.splits():
        return None
    try:
        trained_on = set(learned)
        others = [i for i in data_set.image_ids(VALIDATION) if i not in trained_on]
        image_ids = [others[number] for number in _sample(len(others), config)]
        labels = data_set.labels(image_ids)
        image_sizes(data_set, image_ids, track.note)
    except WsssError as error:
        track.note(f"the list {VALIDATION} cannot tell how well the training goes: {error}")
        return None
    return MeasuredImages(VALIDATION, image_ids, labels, learned=False) if image_ids else None


def _sample(count: int, config: TrainConfig) -> list[int]:
    """Numbers below ``count``, ascending: all, or as many as the length of the training is worth.

    They depend on the seed and the settings alone.
    """
    steps = config.iterations * config.batch_size
    limit = min(MOST_HELD_OUT, max(_FEWEST_MEASURED, int(_SHARE_OF_SHORT_TRAININGS * steps)))
    if count <= limit:
        return list(range(count))
    generator = np.random.default_rng((config.seed, count))
    return sorted(generator.choice(count, limit, replace=False).tolist())


@dataclass(frozen=True)
class Classification:
    """How well a network tells the classes of the measured images apart.

    Attributes:
        mean: The mAP in [0, 1]; nan where no measured image has a class.
        per_class: Average precision by class; None for a class that no measured image has.
    """

    mean: float
    per_class: dict[str, float | None]


@dataclass(frozen=True)
class Measuring:
    """Takes the mAP of a network in training.

    Attributes:
        config: Settings of the training.
        data_set: The data set.
        images: What the mAP is taken on.
        device: Where the network is.
        precision: In which it computes.
        guessing: The mAP of whoever knows nothing of the images.
        view: What the network is given of an image, by its id; None is the image, resized.
    """

    config: TrainConfig
    data_set: DataSet
    images: MeasuredImages
    device: torch.device
    precision: str
    guessing: Guessing
    view: Callable[[str], Tensor] | None = None

    @classmethod
    def of(
        cls,
        config: TrainConfig,
        data_set: DataSet,
        images: MeasuredImages,
        device: torch.device,
        precision: str,
        view: Callable[[str], Tensor] | None = None,
    ) -> "Measuring":
        """As constructed, with the mAP of guessing found by simulation."""
        return cls(config, data_set, images, device, precision, guessing(images.labels), view)

    def is_due(self, iteration: int) -> bool:
        """Whether the mAP is taken after so many iterations: ten times in a training, or less."""
        total = self.config.iterations
        learned = total * self.config.batch_size
        times = int(_SHARE_OF_STEPS * learned / len(self.images.image_ids))
        times = max(1, min(MEASUREMENTS, times))
        every = LOG_EVERY * max(1, round(total / times / LOG_EVERY))
        return iteration == total or (iteration % every == 0 and total - iteration >= every // 2)

    def measure(self, network: AttentionNetwork) -> Classification:
        """Take the mAP; every rank calls this, and each looks at its part of the images.

        The whole photograph is resized to the square that training sees a part of, as ``attend``
        resizes it. Photographs are looked at as they are, also where training erases from them.
        """
        training = network.training
        network.eval()
        try:
            with torch.inference_mode(), autocast(self.device, self.precision):
                logits = self._logits(network)
        finally:
            network.train(training)
        precisions = average_precisions(logits, torch.from_numpy(self.images.labels))
        defined = [value for value in precisions if not np.isnan(value)]
        names = self.data_set.class_names
        return Classification(
            float(np.mean(defined)) if defined else float("nan"),
            {
                name: None if np.isnan(value) else round(value, 6)
                for name, value in zip(names, precisions, strict=True)
            },
        )

    def _logits(self, network: AttentionNetwork) -> Tensor:
        """(N, C) float32 class logits of the measured images, the same on every rank."""
        crop, batch_size = self.config.crop, self.config.batch_size
        numbers = list(ranks.mine(range(len(self.images.image_ids))))
        logits = torch.zeros(self.images.labels.shape)

        def resized(image_id: str) -> Tensor:
            pixels = resize_image(self.data_set.read_image(image_id), (crop, crop))
            return torch.from_numpy(pixels).permute(2, 0, 1)  # (3, s, s)

        view = self.view or resized

        def load(number: int) -> Tensor:
            return view(self.images.image_ids[number])

        views = prefetch(load, numbers, resolve_workers(self.config.workers))
        for at in range(0, len(numbers), batch_size):
            batch = numbers[at : at + batch_size]
            looked_at = torch.stack([next(views) for _ in batch])  # (B, 3, s, s) or features
            no_class = torch.zeros(len(batch), logits.shape[1], device=self.device)
            scores = network.attention(looked_at.to(self.device), no_class).logits
            logits[batch] = scores.float().cpu()
        return ranks.summed(logits)

    def values(self, classification: Classification) -> dict[str, Any]:
        """The measurement as JSON values."""
        mean = _rounded(classification.mean)
        held_out = not self.images.learned
        return {
            "classification": {
                "map": mean,
                "guessing": _rounded(self.guessing.mean),
                "guessing_bound": _rounded(self.guessing.bound),
                "images": len(self.images.image_ids),
                "list": self.images.split,
                "held_out": held_out,
                "per_class": classification.per_class,
            },
            "held_out_map": mean if held_out else None,
            "held_out_images": len(self.images.image_ids) if held_out else 0,
        }

    def sentence(self, iteration: int, classification: Classification) -> str:
        """The measurement for people."""
        return (
            f"iteration {iteration}: mAP {100 * classification.mean:.1f} on "
            f"{self.images.describe()} (guessing gives {100 * self.guessing.mean:.1f})"
        )


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)
