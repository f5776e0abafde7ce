"""Losses shared by the attention systems."""

import torch
from torch import Tensor
from torch.nn import functional


def multilabel_loss(
    logits: Tensor,
    targets: Tensor,
    image_weights: Tensor | None = None,
    *,
    reduction: str = "sum",
) -> Tensor:
    """Sigmoid cross entropy summed over classes and averaged over images.

    Caffe's normalisation, which SeeNet's learning rate belongs to. The mean over the classes, as
    the multilabel soft margin loss of PyTorch has it, makes each step C times smaller.

    Args:
        logits: (B, C) image-level class logits.
        targets: (B, C) in {0, 1}.
        image_weights: (B,) factor of each image's loss; the mean is still over B.
        reduction: ``sum`` or ``mean`` over the classes.

    Returns:
        Scalar float32.
    """
    losses = functional.binary_cross_entropy_with_logits(
        logits.float(), targets.float(), reduction="none"
    )
    losses = losses.sum(dim=1) if reduction == "sum" else losses.mean(dim=1)  # (B,)
    if image_weights is not None:
        losses = losses * image_weights
    return losses.mean()


def frequency_loss(labels: Tensor, reduction: str = "sum") -> float:
    """The lowest :func:`multilabel_loss` of a guess that sees no image: the entropy of the labels.

    It is reached by saying of every image that it has each class with the frequency of that class.

    Args:
        labels: (N, C) multi-hot, of the images learned from.
        reduction: ``sum`` or ``mean`` over the classes.

    Returns:
        In nats.
    """
    frequencies = labels.double().mean(dim=0)  # (C,)
    entropies = torch.special.entr(frequencies) + torch.special.entr(1 - frequencies)
    return float(entropies.sum() if reduction == "sum" else entropies.mean())
