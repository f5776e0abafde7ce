"""Average precision of image-level classification."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# Random rankings by which the mAP of guessing is known.
_GUESSES = 200
# Share of the guesses that are worse than what counts as more than guessing.
_SURE = 0.95


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


def average_precisions(scores: Tensor, labels: Tensor) -> list[float]:
    """The average precision of every class.

    Args:
        scores: (N, C) confidences.
        labels: (N, C) multi-hot.

    Returns:
        C numbers in [0, 1]; nan for a class without any positive.
    """
    columns = zip(scores.unbind(dim=1), labels.bool().unbind(dim=1), strict=True)
    return [average_precision(s, y) for s, y in columns]


def mean_average_precision(scores: Tensor, labels: Tensor) -> float:
    """Mean over the classes that have a positive of their average precision.

    Args:
        scores: (N, C) confidences.
        labels: (N, C) multi-hot.
    """
    precisions = average_precisions(scores, labels)
    return float(torch.tensor(precisions, dtype=torch.float64).nanmean())


@dataclass(frozen=True)
class Guessing:
    """The mAP of random rankings of some images.

    Attributes:
        mean: On average; nan where no class has a positive.
        bound: What 95 % of the rankings stay below.
    """

    mean: float
    bound: float


def guessing(labels: npt.NDArray[np.bool_]) -> Guessing:
    """The mAP of a network that knows nothing of the images, by simulation with a fixed seed.

    Of few images it is well above the share of images that have a class.

    Args:
        labels: (N, C) multi-hot.
    """
    positives = labels[:, labels.any(axis=0)].sum(axis=0)
    if not len(positives):
        return Guessing(float("nan"), float("nan"))
    generator = np.random.default_rng(0)
    ranks = np.arange(1, len(labels) + 1)
    precisions = np.zeros((len(positives), _GUESSES))
    for row, positive in enumerate(positives):
        hits = generator.permuted(np.tile(ranks <= positive, (_GUESSES, 1)), axis=1)  # (G, N)
        precision = hits.cumsum(axis=1) / ranks
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        precisions[row] = (envelope * hits).sum(axis=1) / positive
    maps = precisions.mean(axis=0)
    return Guessing(float(maps.mean()), float(np.quantile(maps, _SURE)))
