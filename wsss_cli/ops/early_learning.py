"""Early learning: a network is right about many wrong labels before it learns them by heart.

Liu et al., "Adaptive Early-Learning Correction for Segmentation from Noisy Annotations" (ADELE),
CVPR 2022. How well a network agrees with the labels that it learns from grows fast at first, while
it learns what they have in common, and slowly afterwards, while it learns their errors, and every
class comes to that at a time of its own. From then on, what the network predicts with confidence is
taken for the label where the image has that class.

A class's agreement in epoch ``t``, the intersection of predictions and labels over their union,
is fitted by ``f(t) = a (1 - exp(-b t^c))``; its growth has slowed when ``f'(t)`` is less than a
tenth of ``f'(1)``.

Different here: predictions are those of the training's own step, of one view and with dropout,
instead of those of another pass over three scales. So labels are corrected anew in every step,
which costs no time, and where the network is no longer sure the given label is back. The loss that
makes scales agree is left out.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.labels import IGNORE

SLOWED = 0.9
"""Part of the first epoch's growth that has to be gone."""
CONFIDENCE = 0.8
"""Probability above which a prediction takes the place of a label."""
FEWEST_EPOCHS = 4
"""Below this the curve has as many parameters as points."""
MOST_POINTS = 100
"""Epochs that a curve is fitted to, spread evenly over all of them."""


def fitted_growth(
    agreement: Sequence[float] | npt.NDArray[np.floating],
) -> tuple[float, float, float]:
    """Fit ``f(t) = a (1 - exp(-b t^c))`` to the agreement after 1, 2 .. epochs by least squares.

    Args:
        agreement: In [0, 1], one for every epoch.

    Returns:
        a, b and c; ``a`` is 0 where the agreement is 0 throughout.
    """
    values = np.asarray(agreement, np.float64)
    log_epochs = np.log(np.arange(1, len(values) + 1))
    if len(values) > MOST_POINTS:  # a fit to all, after every epoch, takes the square of their time
        rows = np.linspace(0, len(values) - 1, MOST_POINTS).round().astype(int)
        values, log_epochs = values[rows], log_epochs[rows]
    # For a shape (b, c) the best scale a is known, so two parameters are searched: a grid, then
    # finer ones around its best.
    log_b, log_c = np.log(0.2), 0.0
    half_b, half_c = np.log(100), np.log(5)
    scale = 0.0
    while half_b > 1e-7:
        bs, cs = np.meshgrid(
            np.linspace(log_b - half_b, log_b + half_b, 41),
            np.linspace(log_c - half_c, log_c + half_c, 41),
            indexing="ij",
        )
        exponents = bs[..., None] + np.exp(cs)[..., None] * log_epochs
        shapes = -np.expm1(-np.exp(exponents))  # (41, 41, T)
        scales = np.maximum((shapes * values).sum(-1) / (shapes**2).sum(-1), 0.0)
        errors = ((scales[..., None] * shapes - values) ** 2).sum(-1)
        best = np.unravel_index(errors.argmin(), errors.shape)
        log_b, log_c, scale = float(bs[best]), float(cs[best]), float(scales[best])
        half_b, half_c = half_b / 4, half_c / 4
    return scale, float(np.exp(log_b)), float(np.exp(log_c))


def has_slowed(agreement: Sequence[float] | npt.NDArray[np.floating]) -> bool:
    """Whether a class's agreement grows at less than a tenth of what it grew at first.

    Args:
        agreement: In [0, 1], one for every epoch.

    Returns:
        False before four epochs, and for a class that is not learned at all.
    """
    if len(agreement) < FEWEST_EPOCHS or not np.any(agreement):
        return False
    scale, b, c = fitted_growth(agreement)
    epoch = float(len(agreement))
    # f'(t) / f'(1)
    remaining = epoch ** (c - 1) * np.exp(-b * (epoch**c - 1))
    return bool(scale > 0 and 1 - remaining > SLOWED)


def overlap_counts(predicted: Tensor, label_maps: Tensor, num_labels: int) -> Tensor:
    """Count pixels of every label where predictions and labels agree, and in all.

    Args:
        predicted: (B, H, W) int64 in 0..L-1.
        label_maps: (B, H, W) int64, 255 for pixels that do not count.
        num_labels: L.

    Returns:
        (2, L) float64: intersections, then unions; on the device, without waiting for it.
    """
    labels = label_maps.flatten()
    counted = (labels != IGNORE).double()
    truth = labels.masked_fill(labels == IGNORE, 0)
    guess = predicted.flatten()
    both, shown, named = torch.zeros(3, num_labels, dtype=torch.float64, device=labels.device)
    both.scatter_add_(0, guess, counted * (guess == truth))
    shown.scatter_add_(0, guess, counted)
    named.scatter_add_(0, truth, counted)
    return torch.stack((both, shown + named - both))


def corrected_labels(
    logits: Tensor, predicted: Tensor, label_maps: Tensor, possible: Tensor, inside: Tensor
) -> Tensor:
    """Put what the network is sure of in the place of the given labels.

    Args:
        logits: (B, L, H, W) scores of the segmentation network; a constant here.
        predicted: (B, H, W) int64, the label of the largest score.
        label_maps: (B, H, W) int64 in 0..L-1, 255 for pixels that nothing is known of.
        possible: (B, L) bool: labels that the image has and whose growth has slowed.
        inside: (B, H, W) bool, false beyond the edges of the image.

    Returns:
        (B, H, W) int64: the prediction where it is possible and its probability above 0.8, else the
        given label.
    """
    # Scores may differ where their probabilities are equal, but then none of these is above 0.8.
    probability = logits.detach().softmax(dim=1).gather(1, predicted[:, None])[:, 0]  # (B, H, W)
    allowed = possible.gather(1, predicted.flatten(1)).view_as(predicted)
    return torch.where(allowed & inside & (probability > CONFIDENCE), predicted, label_maps)
