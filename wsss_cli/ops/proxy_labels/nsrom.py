"""NSROM's labels: Yao et al., "Non-Salient Region Object Mining", CVPR 2021.

The labels are those of OAA's rule, on which the paper builds. Saliency misses objects: background
that a second attention gives to a class as strongly as the inside of its labels is ignored, instead
of being taught as background. The second attention is that of another network or of an earlier one.
"""

import torch
from torch import Tensor

from wsss_cli.labels import IGNORE
from wsss_cli.ops.proxy_labels.assignment import Decide, strongest_label
from wsss_cli.ops.proxy_labels.oaa import oaa_proxy
from wsss_cli.ops.proxy_labels.scores import min_max_normalised

# Potential attention above this counts where a class has no label to learn its threshold from.
CLAIMED = 0.3


def nsrom_proxy(
    attention: Tensor,
    class_ids: Tensor,
    saliency: Tensor,
    potential: Tensor,
    decide: Decide = strongest_label,
) -> Tensor:
    """Label by OAA's rule, and ignore background that the potential attention claims.

    A class claims the background where its potential attention, normalised from its own minimum and
    maximum to 0 and 1, exceeds a threshold: the median of it over the pixels labelled with the
    class. Without such pixels it is the median of what exceeds the median of the values above 0.3;
    where nothing is above 0.3 the class claims nothing. Medians are the lower of the two middle
    values, as PyTorch has them.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        saliency: (H, W) in [0, 1].
        potential: (K, H, W) a second attention of the same classes.
        decide: How the scores become labels.

    Returns:
        (H, W) uint8: 0, one of ``class_ids``, or 255.
    """
    label_map = oaa_proxy(attention, class_ids, saliency, decide=decide)
    claimed = torch.zeros_like(label_map, dtype=torch.bool)
    for class_id, strength in zip(class_ids, min_max_normalised(potential), strict=True):
        claimed |= strength > _threshold(strength, strength[label_map == class_id])
    return label_map.masked_fill(claimed & (label_map == 0), IGNORE)


def _threshold(strength: Tensor, labelled: Tensor) -> Tensor:
    """What the potential attention (H, W) of a class must exceed, given its labelled values."""
    if len(labelled):
        return labelled.median()
    strong = strength[strength > CLAIMED]
    if not len(strong):
        return strength.new_tensor(1.0)
    stronger = strength[strength > strong.median()]
    return stronger.median() if len(stronger) else strength.new_tensor(1.0)
