"""Grad-CAM: attention from the gradient of a class logit with respect to the features.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, section 3: ``A_c = relu(sum_k w_k F_k)``, where ``w_k`` is the spatial
mean of ``d s_c / d F_k``. For a network that is global average pooling and a linear layer, this is
the class activation map, rectified and divided by ``h * w``.
"""

import torch
from torch import Tensor


def grad_cam(
    features: Tensor, logits: Tensor, labels: Tensor, *, differentiable: bool = False
) -> Tensor:
    """Grad-CAM of every class present in a batch.

    One backward pass serves all images at once, each with one of its classes, so as many passes
    are made as the richest image has classes; what they hold at a time is bounded by the batch.

    Args:
        features: (B, K, h, w), requiring gradients.
        logits: (B, C) computed from the features; those of an image depend on its own features
            only. Their graph is kept.
        labels: (B, C) multi-hot.
        differentiable: Let gradients flow through the maps and their weights; else detach them.

    Returns:
        (P, h, w) float32 (float64 for such features), not negative, in the order of
        ``labels.nonzero()``.
    """
    precise = torch.promote_types(features.dtype, torch.float32)
    rank = labels.cumsum(dim=1)[labels > 0]  # (P,) first, second .. class of its image
    pairs = labels.nonzero()  # (P, 2)
    maps = [features.new_zeros(0, *features.shape[2:], dtype=precise)]
    order = [rank.new_zeros(0, dtype=torch.long)]
    for number in range(1, 1 + int(labels.sum(dim=1).max())):
        order.append((rank == number).nonzero()[:, 0])
        # Each image at most once: adding up the gradients of repeated ones has no fixed order.
        image, column = pairs[order[-1]].unbind(dim=1)
        (gradient,) = torch.autograd.grad(
            logits[image, column].sum(), features, retain_graph=True, create_graph=differentiable
        )
        weights = gradient[image].to(precise).mean(dim=(2, 3))  # (p, K)
        with torch.autocast(features.device.type, enabled=False):
            weighted = torch.einsum("pk,pkhw->phw", weights, features[image].to(precise))
        maps.append((weighted if differentiable else weighted.detach()).relu())
    return torch.cat(maps)[torch.cat(order).argsort()]
