"""Saliency as supervision of class maps.

Lee et al., "Railroad is not a Train: Saliency as Pseudo-pixel Supervision for Weakly Supervised
Semantic Segmentation", CVPR 2021.
"""

import torch
from torch import Tensor

# Keeps the share of an empty set of positions defined; the value of the authors' code.
_EPSILON = 1e-4
# Probability from which on a position counts as covered by a class, or as salient.
COVERED = 0.5


def saliency_loss(
    scores: Tensor, labels: Tensor, saliency: Tensor, tau: float, lam: float
) -> Tensor:
    """Mean squared difference between saliency and what the class maps make of it.

    A present class of which a share of more than ``tau`` is salient makes up the foreground; the
    others are background, as saliency does not know them. Absent classes are in neither. The map is
    ``lam`` times the foreground plus ``1 - lam`` times what the background leaves.

    A present class that covers no position yet counts as salient, which the paper leaves open:
    otherwise the salient pixels of a network that has not learned the classes would be pushed
    towards absent ones.

    Args:
        scores: (B, C + 1, h, w) score maps; the last channel is background.
        labels: (B, C) in {0, 1}.
        saliency: (B, h, w) in [0, 1].
        tau: Share of a class that must be salient.
        lam: Weight of the foreground, in [0, 1].

    Returns:
        Scalar float32, the mean over all positions.
    """
    probabilities = scores.float().softmax(dim=1)  # (B, C + 1, h, w)
    classes, background = probabilities[:, :-1], probabilities[:, -1]
    present = labels > 0  # (B, C)
    with torch.no_grad():
        covered = classes >= COVERED
        salient = (saliency >= COVERED)[:, None]
        count = covered.sum(dim=(2, 3))  # (B, C)
        share = (covered & salient).sum(dim=(2, 3)) / (count + _EPSILON)
        valid = present & ((share > tau) | (count == 0))
    foreground = _summed(classes, valid)
    background = background + _summed(classes, present & ~valid)
    drawn = lam * foreground + (1 - lam) * (1 - background)  # (B, h, w)
    return (drawn - saliency.float()).square().mean()


def _summed(maps: Tensor, selection: Tensor) -> Tensor:
    """(B, h, w) sums of those of the (B, C, h, w) maps that (B, C) bools choose."""
    # Not a matrix product, which autocast would compute in bfloat16.
    return (maps * selection[:, :, None, None]).sum(dim=1)


def present_probabilities(scores: Tensor, labels: Tensor) -> Tensor:
    """Probabilities of classes at each position, given which classes an image shows.

    The softmax is over the background and the present classes alone.

    Args:
        scores: (B, C + 1, h, w) score maps; the last channel is background.
        labels: (B, C) in {0, 1}.

    Returns:
        (B, C + 1, h, w) float32; 0 where a class is absent.
    """
    possible = torch.cat((labels > 0, labels.new_ones(len(labels), 1) > 0), dim=1)  # (B, C + 1)
    hidden = ~possible[:, :, None, None]
    return scores.float().masked_fill(hidden, float("-inf")).softmax(dim=1)
