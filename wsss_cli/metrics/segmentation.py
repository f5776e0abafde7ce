"""Counts and scores of label maps: confusion, intersection over union, pixel accuracy.

``num_labels`` counts the background: 21 for PASCAL VOC. 255 is ignore everywhere.
"""

import torch
from torch import Tensor

from wsss_cli.labels import IGNORE


def confusion_matrix(prediction: Tensor, target: Tensor, num_labels: int) -> Tensor:
    """Count pixels by true and predicted label.

    Args:
        prediction: Integer labels of any shape, 0..num_labels-1 or 255.
        target: Integer labels of the same shape.
        num_labels: Labels including background.

    Returns:
        (num_labels, num_labels) int64; rows are the target, columns the prediction. A pixel that
        either side ignores is not counted; see :func:`unpredicted` for those.

    Raises:
        ValueError: The shapes differ, or a value is neither a label nor 255.
    """
    prediction, target = _checked(prediction, target, num_labels)
    valid = (target != IGNORE) & (prediction != IGNORE)
    cells = target[valid].long() * num_labels + prediction[valid].long()
    return torch.bincount(cells, minlength=num_labels**2).view(num_labels, num_labels)


def unpredicted(prediction: Tensor, target: Tensor, num_labels: int) -> Tensor:
    """Count, per true label, the pixels whose prediction is 255.

    Returns:
        (num_labels,) int64.

    Raises:
        ValueError: As :func:`confusion_matrix`.
    """
    prediction, target = _checked(prediction, target, num_labels)
    missed = (target != IGNORE) & (prediction == IGNORE)
    return torch.bincount(target[missed].long(), minlength=num_labels)


def iou(confusion: Tensor, missed: Tensor | None = None) -> Tensor:
    """Intersection over union of every label: TP / (TP + FP + FN).

    Args:
        confusion: (..., L, L) counts, rows target, columns prediction.
        missed: (..., L) further false negatives, such as pixels predicted 255.

    Returns:
        (..., L) float64; nan for a label that neither target nor prediction has.
    """
    confusion = torch.as_tensor(confusion)
    true_positive = confusion.diagonal(dim1=-2, dim2=-1).double()
    union = confusion.sum(dim=-1) + confusion.sum(dim=-2) - true_positive
    if missed is not None:
        union = union + torch.as_tensor(missed)
    return true_positive / union  # 0 / 0 is nan: the label is absent


def pixel_accuracy(confusion: Tensor, missed: Tensor | None = None) -> float:
    """Share of the counted pixels (and the missed ones) that carry their true label."""
    confusion = torch.as_tensor(confusion)
    total = int(confusion.sum()) + (0 if missed is None else int(torch.as_tensor(missed).sum()))
    return int(confusion.diagonal().sum()) / total if total else float("nan")


def _checked(prediction: Tensor, target: Tensor, num_labels: int) -> tuple[Tensor, Tensor]:
    prediction, target = torch.as_tensor(prediction), torch.as_tensor(target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction has shape {tuple(prediction.shape)}, target {tuple(target.shape)}"
        )
    require_labels("prediction", prediction, num_labels)
    require_labels("target", target, num_labels)
    return prediction, target


def require_labels(role: str, labels: Tensor, num_labels: int) -> None:
    """Refuse values that are neither a label nor 255.

    Raises:
        ValueError: Names the role and the first such value.
    """
    wrong = labels[(labels != IGNORE) & ((labels >= num_labels) | (labels < 0))]
    if wrong.numel():
        raise ValueError(
            f"{role} has the value {int(wrong[0])}, which is neither a label below "
            f"{num_labels} nor 255"
        )
