"""Labels that a segmentation network corrects while it learns from them, class by class.

See :mod:`wsss_cli.ops.early_learning` for when and how.
"""

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from wsss_cli import ranks
from wsss_cli.artifacts.metrics_log import read_metrics
from wsss_cli.errors import UsageError, listing
from wsss_cli.ops.early_learning import (
    FEWEST_EPOCHS,
    corrected_labels,
    has_slowed,
    overlap_counts,
)
from wsss_cli.tracking import Track

if TYPE_CHECKING:
    from wsss_cli.configs.segment import SegmentConfig


def require_epochs(config: "SegmentConfig", images: int) -> None:
    """Refuse a training that ends before any label could be corrected.

    Raises:
        UsageError: It does not pass its images often enough.
    """
    per_step = config.batch_size * config.accumulate
    # However many passes a step makes, labels are looked at once after it.
    before = max(FEWEST_EPOCHS, ceil(FEWEST_EPOCHS * images / per_step))
    if config.iterations <= before:
        raise UsageError(
            f"--label-correction {config.label_correction} begins after {FEWEST_EPOCHS} passes "
            f"over the images at the earliest, which is after iteration {before} with {per_step} "
            f"of {images} images each, and --iterations is {config.iterations}; raise it to at "
            f"least {before + 1}, better to several times as many, or leave --label-correction out"
        )


class LabelCorrection:
    """Follows how far each label is learned, and corrects those that have been for long enough.

    What it knows of the epochs so far is a part of the training's state.
    """

    def __init__(
        self,
        class_names: tuple[str, ...],
        images: int,
        images_per_step: int,
        device: torch.device,
        track: Track,
    ) -> None:
        """Begin with nothing learned.

        Args:
            class_names: Of classes 1..C.
            images: Images of an epoch.
            images_per_step: Of all ranks.
            device: Where labels and predictions are.
            track: Told which labels are corrected from when on.
        """
        self._names = ("background", *class_names)
        self._images = images
        self._per_step = images_per_step
        self._track = track
        self._agreement: list[list[float]] = []  # by epoch, of every label
        self._since: dict[int, int] = {}  # epochs after which a label is corrected
        self._device = device
        self._slowed = self._corrected_ones()
        self._overlap = torch.zeros(2, len(self._names), dtype=torch.float64, device=device)
        self._replaced = torch.zeros(2, dtype=torch.float64, device=device)  # of how many

    def correct(
        self, logits: Tensor, label_maps: Tensor, correctable: Tensor, inside: Tensor
    ) -> Tensor:
        """The labels to learn from in a step, which counts for the epoch.

        Args:
            logits: (B, L, H, W).
            label_maps: (B, H, W) int64 given labels, 255 where nothing is known.
            correctable: (B, L) bool: labels that may take the place of others.
            inside: (B, H, W) bool, false beyond the edges of the image.

        Returns:
            (B, H, W) int64.
        """
        predicted = logits.detach().argmax(dim=1)
        self._overlap += overlap_counts(predicted, label_maps, len(self._names))
        if not self._since:
            return label_maps
        possible = correctable & self._slowed
        corrected = corrected_labels(logits, predicted, label_maps, possible, inside)
        self._replaced += torch.stack(((corrected != label_maps).sum(), inside.sum()))
        return corrected

    def _corrected_ones(self) -> Tensor:
        """(L,) bool on the device: the labels that are corrected from now on."""
        labels = range(len(self._names))
        return torch.tensor([label in self._since for label in labels]).to(self._device)

    def after_step(self, iteration: int) -> None:
        """Look at the labels where an epoch has ended with this many steps."""
        done = iteration * self._per_step
        if done // self._images == (done - self._per_step) // self._images:
            return
        both, either = ranks.summed(self._overlap.cpu()).tolist()
        self._overlap.zero_()
        shares = (b / e if e else 0.0 for b, e in zip(both, either, strict=True))
        self._agreement.append([round(share, 6) for share in shares])
        epochs = len(self._agreement)
        learned = np.array(self._agreement)
        begun = [
            label
            for label in range(len(self._names))
            if label not in self._since and has_slowed(learned[:, label])
        ]
        if begun:
            self._since |= dict.fromkeys(begun, epochs)
            self._slowed = self._corrected_ones()
            self._track.note(
                f"after {epochs} passes over the images what is predicted with confidence replaces "
                f"labels as {listing([self._names[label] for label in begun])}"
            )

    def logged(self, _iteration: int) -> Mapping[str, float]:
        """The share of the pixels whose labels were replaced, for a line of the log."""
        share = self.unlogged_share()
        self._replaced.zero_()
        return {} if share is None else {"replaced_labels": share}

    def unlogged_share(self) -> float | None:
        """That share since the last line of the log; None without a step that corrects labels."""
        replaced, of_all = ranks.summed(self._replaced.cpu().clone()).tolist()
        return round(replaced / of_all, 6) if of_all else None

    def state(self) -> dict[str, Any]:
        """What a resumed training needs; every rank calls."""
        return {
            "agreement": list(self._agreement),
            "since": list(self._since.items()),
            "overlap": ranks.summed(self._overlap.cpu().clone()),
            "replaced": ranks.summed(self._replaced.cpu().clone()),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`; its counts become those of the first rank."""
        self._agreement, self._since = list(state["agreement"]), dict(state["since"])
        self._slowed = self._corrected_ones()
        if ranks.first():
            self._overlap.copy_(state["overlap"])
            self._replaced.copy_(state["replaced"])


def correction_values(
    directory: Path, unlogged_share: float | None
) -> tuple[float | None, list[str]]:
    """What a finished training has corrected: the share of the last steps, and a warning if none.

    Args:
        directory: That of the stage.
        unlogged_share: The share of the steps after the last line of the log.
    """
    lines = read_metrics(directory)
    share = lines[-1].get("replaced_labels", unlogged_share) if lines else unlogged_share
    if share is not None:
        return share, []
    return None, [
        "no label was corrected, since the network's agreement with none had all but stopped "
        "growing; train longer (--iterations)"
    ]
