"""How systems with two heads attend: the second head looks at what the first one left.

SeeNet and ACoL learn on images with all their labels erased at once, but say where a class is as
if it were the image's only label. Neither the trunk nor the first head depends on the label, so
they run once per image; what the first head finds of the class is erased from the features, and
only the second head runs once per class.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from wsss_cli.models.heads import ClassHead
from wsss_cli.ops.attention import BranchMaps
from wsss_cli.ops.erasing import attention_prior

# Image-class pairs that pass the second head together: bounds memory, not the result.
PAIRS_AT_ONCE = 64


def look_twice(
    features: Tensor,
    labels: Tensor,
    head_a: ClassHead,
    head_b: ClassHead,
    erase: Callable[[Tensor, Tensor], Tensor],
) -> BranchMaps:
    """Score maps of both heads for each present class, as if it were its image's only label.

    Args:
        features: (B, K, h, w) of the trunk.
        labels: (B, C) multi-hot.
        head_a: The first head.
        head_b: The second head.
        erase: Given features (p, K, h, w) and attention priors (p, h, w) in [0, 1], returns the
            features that are left, (p, K, h, w).

    Returns:
        The first head's logits, and the two heads' maps (P, 2, h, w).
    """
    scores_a = head_a(features)  # (B, C, h, w)
    pairs = labels.nonzero()  # (P, 2)
    maps = _both_maps(features, scores_a, pairs, head_b, erase)
    return BranchMaps(scores_a.mean(dim=(2, 3)), pairs, maps, features)


def look_at_all(
    features: Tensor,
    head_a: ClassHead,
    head_b: ClassHead,
    erase: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """As :func:`look_twice`, for all classes: logits (B, C) and maps (B, C, 2, h, w)."""
    scores_a = head_a(features)  # (B, C, h, w)
    count, classes = scores_a.shape[:2]
    pairs = torch.cartesian_prod(torch.arange(count), torch.arange(classes))
    maps = _both_maps(features, scores_a, pairs.to(features.device), head_b, erase)
    return scores_a.mean(dim=(2, 3)), maps.reshape(count, classes, *maps.shape[1:])


def _both_maps(
    features: Tensor,
    scores_a: Tensor,
    pairs: Tensor,
    head_b: ClassHead,
    erase: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """(P, 2, h, w) score maps of both heads for the (P, 2) pairs of image and class."""
    maps = []
    for chunk in torch.split(pairs, PAIRS_AT_ONCE):
        image, column = chunk.unbind(dim=1)
        map_a = scores_a[image, column]  # (p, h, w)
        map_b = head_b.class_map(erase(features[image], own_prior(map_a)), column)  # (p, h, w)
        maps.append(torch.stack((map_a, map_b), dim=1))
    return torch.cat(maps)


def own_prior(map_a: Tensor) -> Tensor:
    """(P, h, w) priors of single maps, as if each one's class were the image's only label."""
    return attention_prior(map_a[:, None], map_a.new_ones(len(map_a), 1))
