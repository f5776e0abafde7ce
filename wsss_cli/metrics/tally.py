"""Pixel counts of a set of label maps, and the scores they give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wsss_cli.metrics.segmentation import confusion_matrix, iou, pixel_accuracy, unpredicted


@dataclass
class Tally:
    """Counts of one set of label maps."""

    confusion: Tensor
    missed: Tensor

    @classmethod
    def empty(cls, num_labels: int) -> "Tally":
        """No pixel counted."""
        square = torch.zeros(num_labels, num_labels, dtype=torch.int64)
        return cls(square, torch.zeros(num_labels, dtype=torch.int64))

    @classmethod
    def of(cls, prediction: Tensor, target: Tensor, num_labels: int) -> "Tally":
        """Count one image."""
        return cls(
            confusion_matrix(prediction, target, num_labels),
            unpredicted(prediction, target, num_labels),
        )

    def add(self, other: "Tally") -> None:
        """Add another image's counts."""
        self.confusion += other.confusion
        self.missed += other.missed

    def counted(self, predicted_ignore: str) -> tuple[Tensor, Tensor]:
        """The (L, L) confusion and (L,) missed pixels under a convention for predicted 255."""
        confusion, missed = self.confusion, self.missed
        if predicted_ignore == "background":
            confusion = confusion.clone()
            confusion[:, 0] += missed
        return confusion, missed if predicted_ignore == "false-negative" else 0 * missed

    def scores(self, class_names: Sequence[str], predicted_ignore: str) -> dict[str, Any]:
        """Scores under a convention for predicted 255; a label that is nowhere is null."""
        ignored, labelled = int(self.missed.sum()), int(self.confusion.sum())
        confusion, counted = self.counted(predicted_ignore)
        ious = iou(confusion, counted)
        names = ("background", *class_names)
        per_class = {
            name: None if value.isnan() else float(value)
            for name, value in zip(names, ious, strict=True)
        }
        return {
            "miou": float(ious.nanmean()),
            "per_class": per_class,
            "absent": [name for name, value in per_class.items() if value is None],
            "pixel_accuracy": pixel_accuracy(confusion, counted),
            "coverage": labelled / max(1, ignored + labelled),
        }
