"""Self-erasing: from class scores to zones, and from zones to masked features.

Hou et al., "Self-Erasing Network for Integral Object Attention", NeurIPS 2018, section 3.
The attention prior ``M`` of an image divides it into three zones: the attention zone (the most
discriminative part, ``M > delta_high``), the background zone (``M < delta_low``) and the potential
zone between them.

A prior that is zero everywhere says nothing: the classifier has found none of the image's classes,
which is the rule and not the exception in the first iterations. Read literally, the definition
would call such an image all background and make S_B learn the labels from ``-F`` while S_C learns
that they are absent from ``F``. Here an empty prior defines no zones: nothing is erased, nothing
is reversed and nothing is background, until S_A has found something.
"""

import torch
from torch import Tensor


def attention_prior(scores: Tensor, labels: Tensor) -> Tensor:
    """Say where the image's own classes have been found.

    Args:
        scores: (B, C, h, w) raw class scores of S_A, any floating dtype.
        labels: (B, C) multi-hot image-level labels, bool or 0/1.

    Returns:
        (B, h, w) float32 in [0, 1], detached: the positive scores of the present classes, min-max
        normalised over these classes and all positions of the image together, then the maximum
        over classes. Zero everywhere where no present class scores above its surroundings.
    """
    batch, _, height, width = scores.shape
    positive = scores.detach().float().relu()  # (B, C, h, w)
    present = labels.to(torch.bool)[:, :, None, None].expand_as(positive)
    # Here and below no number goes into a tensor of its own, for which the host would wait.
    highest = positive.masked_fill(~present, 0.0).amax(dim=1)  # (B, h, w)
    lowest = positive.masked_fill(~present, torch.inf).flatten(1).amin(dim=1)  # (B,)
    span = highest.flatten(1).amax(dim=1) - lowest  # (B,)
    shifted = (highest - lowest[:, None, None]).relu()
    prior = shifted / span.masked_fill(~(span > 0), 1.0)[:, None, None]
    return prior.view(batch, height, width)


def ternary_mask(prior: Tensor, delta_high: float, delta_low: float) -> Tensor:
    """Map the zones of an attention prior to the signs that C-ReLU multiplies with.

    Args:
        prior: (B, h, w) attention prior in [0, 1].
        delta_high: above it lies the attention zone.
        delta_low: below it lies the background zone.

    Returns:
        (B, h, w) float: 0 in the attention zone (erased), -1 in the background zone (reversed),
        +1 in the potential zone; +1 everywhere for an image whose prior is empty.
    """
    mask = torch.ones_like(prior)
    mask = mask.masked_fill(prior < delta_low, -1.0).masked_fill(prior > delta_high, 0.0)
    return mask.masked_fill(~_has_zones(prior), 1.0)


def background_mask(prior: Tensor, threshold: float) -> Tensor:
    """Select what S_C must find empty: the prior is below the threshold.

    Args:
        prior: (B, h, w) attention prior in [0, 1].
        threshold: the paper's is the middle of ``delta_high`` and ``delta_low``.

    Returns:
        (B, h, w) float, 1 on background and 0 elsewhere; 0 everywhere for an empty prior.
    """
    mask = (prior < threshold).to(prior.dtype)
    return mask.masked_fill(~_has_zones(prior), 0.0)


def conditional_relu(features: Tensor, mask: Tensor) -> Tensor:
    """Rectify, then keep, erase or reverse by zone (C-ReLU, section 3.3 of the paper).

    Args:
        features: (B, K, h, w) activations.
        mask: (B, h, w) with -1, 0 or +1 per position.

    Returns:
        (B, K, h, w) ``max(features, 0) * mask``; its gradient is multiplied by the same mask.
    """
    return features.relu() * mask.to(features.dtype)[:, None]


def _has_zones(prior: Tensor) -> Tensor:
    """(B, 1, 1) bool: whether anything of the image has been found."""
    return (prior > 0).flatten(1).any(dim=1)[:, None, None]
