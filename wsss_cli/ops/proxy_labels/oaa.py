"""OAA's rule: Jiang et al., "Integral Object Mining via Online Attention Accumulation", ICCV 2019.

Attention is trusted from a threshold on and compared with what the saliency leaves to the
background. Pixels that two labels are sure of, and background that stands out, are ignored. An
image with next to no object left is ignored as a whole.

Constants and order of the steps are those of the authors' public PyTorch implementation. It also
sets the background's score to 0 below the threshold; that changes no label, since a class that
survived the threshold beats such a background anyway. It skips images without a saliency map;
here they are listed and refused.
"""

import torch
from torch import Tensor

from wsss_cli.labels import IGNORE
from wsss_cli.ops.proxy_labels.assignment import Decide, strongest_label
from wsss_cli.ops.proxy_labels.ignore_masks import ignore_crowded
from wsss_cli.ops.proxy_labels.scores import cut_low, min_max_normalised

ATTENTION_CUT = 0.3
# A label is sure of a pixel above this; two sure ones are a conflict.
SURE = 0.9
# What background must stay below to remain background: attention, and saliency.
STRIKING_ATTENTION = 0.8
STRIKING_SALIENCY = 32 / 255
# Share of the image that its objects must reach; the authors find that it matters little.
SMALLEST_FOREGROUND = 0.01


def oaa_proxy(
    attention: Tensor,
    class_ids: Tensor,
    saliency: Tensor,
    attention_cut: float = ATTENTION_CUT,
    decide: Decide = strongest_label,
) -> Tensor:
    """Label each pixel by the attention or the missing saliency, and ignore what is in doubt.

    In this order:

    1. Each map is normalised from its own minimum and maximum to 0 and 1: ``A_c``.
    2. ``A_c`` below ``attention_cut`` becomes 0.
    3. The largest of ``Q_0 = 1 - D`` and ``A_c`` wins; a tie goes to background, then to the
       first class. So where all ``A_c`` are 0 there is background, however salient.
    4. 255 where more than one of ``Q_0`` and ``A_c`` is above 0.9.
    5. 255 where the label is background, and ``D`` is at least 32/255 or an ``A_c`` above 0.8.
    6. 255 everywhere if less than 1 % of the pixels have a class now.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        saliency: (H, W) in [0, 1].
        attention_cut: Normalised attention below this counts as none.
        decide: How the scores become labels.

    Returns:
        (H, W) uint8: 0, one of ``class_ids``, or 255.
    """
    normalised = min_max_normalised(attention)
    attention = cut_low(normalised, attention_cut)
    background = 1 - saliency
    label_map = decide(attention, background, class_ids)
    label_map = ignore_crowded(label_map, attention, background, SURE, most=1)
    striking = (saliency >= STRIKING_SALIENCY) | (normalised > STRIKING_ATTENTION).any(dim=0)
    label_map = label_map.masked_fill(striking & (label_map == 0), IGNORE)
    foreground = (label_map != 0) & (label_map != IGNORE)
    if foreground.sum() < SMALLEST_FOREGROUND * label_map.numel():
        return torch.full_like(label_map, IGNORE)
    return label_map
