"""Image-specific prototypes: where features look like those of a class in the same image.

SIPE learns to agree with them; :func:`redrawn` asks them about the maps of any network, trained or
not to do so.

Chen et al., "Self-supervised Image-specific Prototype Exploration for Weakly Supervised Semantic
Segmentation", CVPR 2022.
"""

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor
from torch.nn import functional

# Keeps quotients of empty maps defined; the value of the authors' code.
EPSILON = 1e-5
# The background's structure counts half, so that it does not swallow uncertain positions.
_BACKGROUND_WEIGHT = 0.5
# Similarities of a position to prototypes differ little; of 0.02 to 0.2 the best on photographs.
_TEMPERATURE = 0.05
# Positions that are compared with all others at a time: bounds memory, not the result.
_AT_ONCE = 1024


def full_precision(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Keep autocast from computing a function's matrix products in half precision."""

    @wraps(function)
    def precise(*tensors: Tensor) -> Tensor:
        with torch.autocast(tensors[0].device.type, enabled=False):
            return function(*tensors)

    return precise


def normalised_activation(scores: Tensor, labels: Tensor) -> Tensor:
    """Class activation in [0, 1] of the present classes, and what they leave to the background.

    Args:
        scores: (B, C, h, w) score maps.
        labels: (B, C) in {0, 1}.

    Returns:
        (B, C + 1, h, w) float32; the last channel is the background, absent classes are 0.
    """
    activation = scores.float().relu() * labels[:, :, None, None]
    highest = activation.amax(dim=(2, 3), keepdim=True)
    activation = activation / (highest + EPSILON)
    return torch.cat((activation, 1 - activation.amax(dim=1, keepdim=True)), dim=1)


@torch.no_grad()
@full_precision
def structure_seeds(activation: Tensor, labels: Tensor, features: Tensor) -> Tensor:
    """Give each position to the class whose activation the positions like it overlap most.

    The similarity of a position to all others is a soft region. Its intersection over union with
    the activation of each class says to which class the position belongs.

    Args:
        activation: (B, C + 1, h, w), of :func:`normalised_activation`.
        labels: (B, C) in {0, 1}.
        features: (B, K, h, w).

    Returns:
        (B, C + 1, h, w) float32, one-hot over the background and the present classes.
    """
    height, width = activation.shape[-2:]
    flat = functional.normalize(features.float().flatten(2), dim=1)  # (B, K, N)
    maps = activation.flatten(2)  # (B, C + 1, N)
    overlaps = []
    for part in torch.split(flat, _AT_ONCE, dim=2):  # (B, K, n)
        similarity = torch.einsum("bki,bkj->bij", flat, part).relu()  # (B, N, n)
        shared = maps @ similarity  # (B, C + 1, n)
        union = similarity.sum(dim=1)[:, None] + maps.sum(dim=2, keepdim=True) - shared
        overlaps.append(shared / (union + EPSILON))
    overlap = torch.cat(overlaps, dim=2)
    overlap[:, -1] *= _BACKGROUND_WEIGHT
    present = torch.cat((labels > 0, labels.new_ones(len(labels), 1) > 0), dim=1)
    overlap = overlap.masked_fill(~present[:, :, None], float("-inf"))
    best = overlap.argmax(dim=1)  # (B, N)
    seeds = functional.one_hot(best, activation.shape[1]).transpose(1, 2).float()
    return seeds.reshape(*seeds.shape[:2], height, width)


@full_precision
def prototype_maps(seeds: Tensor, features: Tensor) -> Tensor:
    """Rectified cosine similarity of each position to the mean feature of each class's seeds.

    Args:
        seeds: (B, L, h, w) weights of positions by class.
        features: (B, K, h, w).

    Returns:
        (B, L, h, w) float32 in [0, 1]; 0 for a class without seeds.
    """
    features = features.float()
    prototypes = torch.einsum("blhw,bkhw->blk", seeds, features) / seeds[0, 0].numel()
    prototypes = functional.normalize(prototypes, dim=2)
    positions = functional.normalize(features, dim=1)
    return torch.einsum("blk,bkhw->blhw", prototypes, positions).relu()


def redrawn(maps: Tensor, features: Tensor) -> Tensor:
    """Share the positions of an image out among the prototypes of its maps and of the background.

    Not in the paper: the similarities are shared out by a softmax, and the mean of a map and its
    share is taken, since what the classifier is sure of is rarely wrong.

    Args:
        maps: (K, h, w) in [0, 1], of the classes that the image shows.
        features: (F, h, w) of the same image.

    Returns:
        (K, h, w) float32 in [0, 1].
    """
    labels = maps.new_ones(1, len(maps))
    activation = torch.cat((maps, 1 - maps.amax(dim=0, keepdim=True)))[None]  # (1, K + 1, h, w)
    seeds = structure_seeds(activation, labels, features[None])
    likeness = prototype_maps(seeds, features[None])[0]  # (K + 1, h, w)
    return (maps + (likeness / _TEMPERATURE).softmax(dim=0)[:-1]) / 2
