"""Counts and scores of label maps: confusion, intersection over union, accuracies.

``num_labels`` counts the background: 21 for PASCAL VOC. 255 is ignore everywhere.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.labels import IGNORE

# Label maps, as tensors or as arrays.
Labels = Tensor | npt.NDArray[np.integer[Any]]

# Pixels looked at at a time, which bounds the memory of the largest image.
PART = 2**24


def joint_counts(prediction: Labels, target: Labels, num_labels: int) -> Tensor:
    """Count pixels by true and predicted label, 255 being a label of its own.

    It takes about a third of the time of decoding the two PNGs, and finds values that are no
    labels on the way.

    Args:
        prediction: Integer labels of any shape, 0..num_labels-1 or 255.
        target: Integer labels of the same shape.
        num_labels: Labels including background, at most 255.

    Returns:
        (num_labels + 1, num_labels + 1) int64; rows are the target, columns the prediction, the
        last of either is 255.

    Raises:
        ValueError: The shapes differ, or a value is neither a label nor 255.
    """
    # NumPy's calls cost less than torch's, and there are many on few pixels.
    prediction, target = _array(prediction), _array(target)
    if prediction.shape != target.shape:
        raise ValueError(f"prediction has shape {prediction.shape}, target {target.shape}")
    for role, labels in (("prediction", prediction), ("target", target)):
        if labels.dtype != np.uint8:  # bytes are looked at below, all at once
            require_labels(role, labels, num_labels)
    counts = _pairs(_bytes(target), _bytes(prediction), num_labels)
    if counts.sum() != target.size:
        require_labels("prediction", prediction, num_labels)
        require_labels("target", target, num_labels)
    return torch.from_numpy(counts)


def _array(labels: Labels) -> npt.NDArray[np.integer[Any]]:
    return labels.cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)


def _bytes(labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    return labels.astype(np.uint8, copy=False).reshape(-1)


def _pairs(
    rows: npt.NDArray[np.uint8], columns: npt.NDArray[np.uint8], num_labels: int
) -> npt.NDArray[np.int64]:
    """(num_labels + 1, num_labels + 1): how often each pair stands at the same place."""
    side = num_labels + 1
    counts = np.zeros(side**2)
    for first in range(0, len(rows), PART):
        true, predicted = (labels[first : first + PART] for labels in (rows, columns))
        # Labels lie in areas, so pixels that repeat the one before are counted by the run.
        starts = _starts_of_runs(true, predicted)
        lengths = np.diff(starts, append=len(true))
        # One more than a byte's label is 0 for 255, so few cells hold all; others are left out.
        true, predicted = (labels[starts] + np.uint8(1) for labels in (true, predicted))
        labelled = (true < side) & (predicted < side)
        cells = true[labelled].astype(np.int64) * side + predicted[labelled]
        counts += np.bincount(cells, weights=lengths[labelled], minlength=side**2)
    square = counts.astype(np.int64).reshape(side, side)
    square = np.concatenate((square[1:], square[:1]))
    return np.concatenate((square[:, 1:], square[:, :1]), axis=1)


def _starts_of_runs(
    true: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8]
) -> npt.NDArray[np.intp]:
    """Where either of two flat label maps differs from the pixel before; ascending, 0 first."""
    count = len(true)
    starts = np.empty(count + -count % 8, np.bool_)
    starts[:1], starts[count:] = True, False
    np.not_equal(true[1:], true[:-1], out=starts[1:count])
    starts[1:count] |= predicted[1:] != predicted[:-1]
    # Most words of eight pixels have no start; only in those that have one is it looked for.
    words = starts.view(np.uint64)
    some = np.flatnonzero(words != 0)
    places = np.flatnonzero(words[some].view(np.bool_))
    found_at: npt.NDArray[np.intp] = (some[places >> 3] << 3) + (places & 7)
    return found_at


def confusion_matrix(prediction: Labels, target: Labels, num_labels: int) -> Tensor:
    """Count the pixels that neither side ignores by true and predicted label.

    Returns:
        (num_labels, num_labels) int64; rows are the target, columns the prediction.

    Raises:
        ValueError: As :func:`joint_counts`.
    """
    return joint_counts(prediction, target, num_labels)[:-1, :-1]


def unpredicted(prediction: Labels, target: Labels, num_labels: int) -> Tensor:
    """Count, per true label, the pixels whose prediction is 255.

    Returns:
        (num_labels,) int64.

    Raises:
        ValueError: As :func:`joint_counts`.
    """
    return joint_counts(prediction, target, num_labels)[:-1, -1]


def overlap(confusion: Tensor, missed: Tensor | None = None) -> Tensor:
    """Intersection and union of truth and prediction, in pixels.

    They are all that the mIoU of a set of images needs to be known of each image.

    Args:
        confusion: (..., L, L) counts, rows target, columns prediction.
        missed: (..., L) further false negatives, such as pixels predicted 255.

    Returns:
        (..., 2, L) of the dtype of the counts.
    """
    confusion = torch.as_tensor(confusion)
    intersection = confusion.diagonal(dim1=-2, dim2=-1)
    union = confusion.sum(dim=-1) + confusion.sum(dim=-2) - intersection
    if missed is not None:
        union = union + torch.as_tensor(missed)
    return torch.stack((intersection, union), dim=-2)


def iou_of(overlaps: Tensor) -> Tensor:
    """Intersection over union of every label.

    Args:
        overlaps: (..., 2, L) as from :func:`overlap`, or sums of them.

    Returns:
        (..., L) float64; nan for a label that neither target nor prediction has.
    """
    intersection, union = overlaps.unbind(dim=-2)
    return intersection.double() / union  # 0 / 0 is nan: the label is absent


def iou(confusion: Tensor, missed: Tensor | None = None) -> Tensor:
    """Intersection over union of every label: TP / (TP + FP + FN).

    Args:
        confusion: (..., L, L) counts, rows target, columns prediction.
        missed: (..., L) further false negatives, such as pixels predicted 255.

    Returns:
        (..., L) float64; nan for a label that neither target nor prediction has.
    """
    return iou_of(overlap(confusion, missed))


def false_shares(confusion: Tensor, missed: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """False positives and false negatives as shares of the union, so that both and IoU sum to 1.

    Args:
        confusion: (..., L, L) counts, rows target, columns prediction.
        missed: (..., L) further false negatives, such as pixels predicted 255.

    Returns:
        (..., L) float64 each; nan for a label that neither target nor prediction has.
    """
    intersection, union = overlap(confusion, missed).unbind(dim=-2)
    predicted = torch.as_tensor(confusion).sum(dim=-2)
    false_positives = predicted - intersection
    return false_positives.double() / union, (union - predicted).double() / union


def precision(confusion: Tensor) -> Tensor:
    """Share of the pixels with a predicted label that truly have it: TP / (TP + FP).

    Returns:
        (..., L) float64; nan for a label that is predicted nowhere.
    """
    confusion = torch.as_tensor(confusion)
    return confusion.diagonal(dim1=-2, dim2=-1).double() / confusion.sum(dim=-2)


def recall(confusion: Tensor, missed: Tensor | None = None) -> Tensor:
    """Share of the pixels with a true label that are given it: TP / (TP + FN), class accuracy.

    Returns:
        (..., L) float64; nan for a label that the truth has nowhere.
    """
    confusion = torch.as_tensor(confusion)
    true = confusion.sum(dim=-1)
    if missed is not None:
        true = true + torch.as_tensor(missed)
    return confusion.diagonal(dim1=-2, dim2=-1).double() / true


def pixel_accuracy(confusion: Tensor, missed: Tensor | None = None) -> float:
    """Share of the counted pixels (and the missed ones) that carry their true label."""
    confusion = torch.as_tensor(confusion)
    total = int(confusion.sum()) + (0 if missed is None else int(torch.as_tensor(missed).sum()))
    return int(confusion.diagonal().sum()) / total if total else float("nan")


def require_labels(role: str, labels: Labels, num_labels: int) -> None:
    """Refuse values that are neither a label nor 255.

    Raises:
        ValueError: Names the role and the first such value.
    """
    labels = _array(labels)
    wrong = labels[(labels != IGNORE) & ((labels >= num_labels) | (labels < 0))]
    if wrong.size:
        raise ValueError(
            f"{role} has the value {int(wrong[0])}, which is neither a label below "
            f"{num_labels} nor 255"
        )
