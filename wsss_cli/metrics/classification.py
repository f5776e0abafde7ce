"""Average precision of image-level classification."""

import torch
from torch import Tensor


def average_precision(scores: Tensor, targets: Tensor) -> float:
    """Area under the precision envelope, as PASCAL VOC computes it since 2010.

    Args:
        scores: (N,) confidences.
        targets: (N,) bool, whether the image has the class.

    Returns:
        In [0, 1]; nan without any positive.
    """
    order = torch.as_tensor(scores).argsort(descending=True, stable=True)
    hits = torch.as_tensor(targets)[order].double()
    if not hits.any():
        return float("nan")
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1, device=hits.device)
    envelope = precision.flip(0).cummax(0).values.flip(0)  # best precision at this recall or more
    return float((envelope * hits).sum() / hits.sum())


def mean_average_precision(scores: Tensor, labels: Tensor) -> float:
    """Mean over the classes that have a positive of their average precision.

    Args:
        scores: (N, C) confidences.
        labels: (N, C) multi-hot.
    """
    columns = zip(scores.unbind(dim=1), labels.bool().unbind(dim=1), strict=True)
    precisions = [average_precision(s, y) for s, y in columns]
    return float(torch.tensor(precisions, dtype=torch.float64).nanmean())
