"""Pixel counts of a set of label maps, and the scores they give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wsss_cli.metrics.segmentation import (
    Labels,
    false_shares,
    iou,
    joint_counts,
    overlap,
    pixel_accuracy,
    recall,
)


@dataclass
class Tally:
    """Counts of one set of label maps, or of several: their number is then the first dimension.

    Attributes:
        confusion: (..., L, L) int64, rows the truth, columns the prediction.
        missed: (..., L) int64, the pixels of each true label whose prediction is 255.
    """

    confusion: Tensor
    missed: Tensor

    @classmethod
    def empty(cls, num_labels: int) -> "Tally":
        """No pixel counted."""
        square = torch.zeros(num_labels, num_labels, dtype=torch.int64)
        return cls(square, torch.zeros(num_labels, dtype=torch.int64))

    @classmethod
    def of(cls, prediction: Labels, target: Labels, num_labels: int) -> "Tally":
        """Count one image."""
        counts = joint_counts(prediction, target, num_labels)
        return cls(counts[:-1, :-1].clone(), counts[:-1, -1].clone())  # views would travel whole

    @classmethod
    def stack(cls, tallies: Sequence["Tally"]) -> "Tally":
        """Those of several images side by side."""
        return cls(
            torch.stack([tally.confusion for tally in tallies]),
            torch.stack([tally.missed for tally in tallies]),
        )

    def total(self) -> "Tally":
        """The counts of several images in one."""
        return Tally(self.confusion.sum(dim=0), self.missed.sum(dim=0))

    def add(self, other: "Tally") -> None:
        """Add other images' counts."""
        self.confusion += other.confusion
        self.missed += other.missed

    def all_background(self) -> "Tally":
        """The counts of calling every pixel background, with the same truth."""
        true = self.confusion.sum(dim=-1) + self.missed  # (..., L)
        confusion = torch.zeros_like(self.confusion)
        confusion[..., 0] = true
        return Tally(confusion, torch.zeros_like(self.missed))

    @property
    def present(self) -> Tensor:
        """(..., L) bool: the labels that the truth has."""
        return (self.confusion.sum(dim=-1) + self.missed) > 0

    @property
    def predicted(self) -> Tensor:
        """(..., L) bool: the labels that the prediction has where the truth is known."""
        return self.confusion.sum(dim=-2) > 0

    def counted(self, predicted_ignore: str) -> tuple[Tensor, Tensor]:
        """The (..., L, L) confusion and (..., L) missed pixels, given what a 255 counts as."""
        confusion, missed = self.confusion, self.missed
        if predicted_ignore == "background":
            confusion = confusion.clone()
            confusion[..., 0] += missed
        return confusion, missed if predicted_ignore == "false-negative" else 0 * missed

    def overlap(self, predicted_ignore: str) -> Tensor:
        """(..., 2, L) intersection and union of every label, given what a 255 counts as."""
        return overlap(*self.counted(predicted_ignore))

    def scores(self, class_names: Sequence[str], predicted_ignore: str) -> dict[str, Any]:
        """Scores under a convention for predicted 255; a label that is nowhere is null.

        With them the pixels that they are made of, rows and columns in the order of
        ``per_class``: ``confusion[truth][prediction]`` and, where the convention counts them,
        ``unpredicted[truth]``.
        """
        ignored, labelled = int(self.missed.sum()), int(self.confusion.sum())
        counts = self.counted(predicted_ignore)
        names = ("background", *class_names)
        ious, accuracies = iou(*counts), recall(*counts)
        false_positive, false_negative = false_shares(*counts)
        per_class = by_name(names, ious)
        return {
            "miou": float(ious.nanmean()),
            "per_class": per_class,
            "false_positive": by_name(names, false_positive),
            "false_negative": by_name(names, false_negative),
            "absent": [name for name, value in per_class.items() if value is None],
            "pixel_accuracy": pixel_accuracy(*counts),
            "class_accuracy": float(accuracies.nanmean()),
            "per_class_accuracy": by_name(names, accuracies),
            "coverage": labelled / max(1, ignored + labelled),
            "confusion": counts[0].tolist(),
            "unpredicted": counts[1].tolist(),
        }


def by_name(names: Sequence[str], values: Tensor) -> dict[str, float | None]:
    """One number a label as JSON values: null where it is not defined."""
    return {
        name: None if value.isnan() else float(value)
        for name, value in zip(names, values, strict=True)
    }
