"""What teaches edges: pairs of positions whose labels are known to be equal or different.

Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations",
CVPR 2019 (IRNet). Nobody has drawn an edge; but between two near positions of different labels one
must lie somewhere, and between two of one label none may.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from wsss_cli.labels import IGNORE
from wsss_cli.ops.position_pairs import affinity, directions, overlap

# Keeps logarithms finite.
_LEAST = 1e-5
_SHARES = {"background": 0.25, "object": 0.25, "different": 0.5}


class PairLoss(NamedTuple):
    """What the pairs of one kind cost.

    Attributes:
        mean: Float32 scalar: the mean over the pairs times the share of their kind; 0 of none.
        pairs: How many there are, a scalar.
    """

    mean: Tensor
    pairs: Tensor


def edge_losses(edges: Tensor, labels: Tensor, radius: int = 10) -> dict[str, PairLoss]:
    """Cross entropy of the affinities of pairs nearer than ``radius``, by the kind of pair.

    With the affinity a of a pair, 1 minus the strongest edge on the path between the two, the kinds
    are

    - ``background``: a quarter of the mean of -log a over pairs of background,
    - ``object``: a quarter of the mean of -log a over pairs of one class,
    - ``different``: half of the mean of -log(1 - a) over pairs of different labels,

    so that each counts, however rare it is. Their sum is the published loss. Pairs with an ignored
    position are left out.

    Args:
        edges: (B, h, w) in [0, 1].
        labels: (B, h, w) integers: 0, a class, or 255 where it is not known.
        radius: Distance that two positions of a pair stay below.
    """
    height, width = edges.shape[-2:]
    edges = edges.float()
    sums = {kind: edges.new_zeros(()) for kind in _SHARES}
    counts = {kind: edges.new_zeros(()) for kind in _SHARES}
    for offset in directions(radius):
        if offset[0] >= height or abs(offset[1]) >= width:
            continue
        first, second = (labels[:, *part] for part in overlap(offset, height, width))
        known = (first != IGNORE) & (second != IGNORE)
        different = first != second
        close = affinity(edges, offset)
        cost = -(torch.where(different, 1 - close, close) + _LEAST).log()
        kinds = {
            "background": known & ~different & (first == 0),
            "object": known & ~different & (first != 0),
            "different": known & different,
        }
        for kind, pairs in kinds.items():
            sums[kind] = sums[kind] + (cost * pairs).sum()
            counts[kind] = counts[kind] + pairs.sum()
    return {
        kind: PairLoss(share * sums[kind] / counts[kind].clamp(min=1), counts[kind])
        for kind, share in _SHARES.items()
    }
