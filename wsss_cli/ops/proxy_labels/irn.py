"""IRN's rule for confident labels.

Ahn et al., "Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations",
CVPR 2019, section 3.2.
Without any saliency, the photograph's own edges draw the outlines. The attention is cut twice,
once so high that what remains is surely object and once so low that what falls is surely
background; a dense CRF snaps both label maps to the edges. What is between the two is ignored.

Constants and order of the steps are those of the authors' public implementation.
"""

import torch
from torch import Tensor

from wsss_cli.configs.crf import PRESETS
from wsss_cli.labels import IGNORE
from wsss_cli.ops.proxy_labels.assignment import refined_label, strongest_label

SURELY_OBJECT = 0.30
SURELY_BACKGROUND = 0.05
# What the label of a pixel is worth before the CRF; the other labels share the rest.
CONFIDENCE = 0.7


def irn_proxy(attention: Tensor, class_ids: Tensor, photograph: Tensor) -> Tensor:
    """Label each pixel where a high and a low threshold agree, after a CRF each.

    In this order, for the background scores 0.30 and 0.05:

    1. The largest of the background score and ``A_c`` wins; a tie goes to background.
    2. The label of each pixel is given the probability 0.7, the others share 0.3, and ten steps of
       the dense CRF with IRN's kernels make new labels of them.

    Then the first map's classes stay; its background stays where the second map has background too,
    and is ignored elsewhere.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        photograph: (H, W, 3) uint8 RGB.

    Returns:
        (H, W) uint8: 0, one of ``class_ids``, or 255.
    """
    surely_object = _refined(attention, class_ids, photograph, SURELY_OBJECT)
    surely_background = _refined(attention, class_ids, photograph, SURELY_BACKGROUND) == 0
    return surely_object.masked_fill((surely_object == 0) & ~surely_background, IGNORE)


def _refined(
    attention: Tensor, class_ids: Tensor, photograph: Tensor, background_score: float
) -> Tensor:
    """(H, W) uint8 labels above the score, refined."""
    background = attention.new_full(attention.shape[1:], background_score)
    hard = strongest_label(attention, background, class_ids)
    if not len(class_ids):
        return hard
    labels = torch.cat((class_ids.new_zeros(1), class_ids))  # (K + 1,)
    others = (1 - CONFIDENCE) / len(class_ids)
    scores = torch.where(hard == labels[:, None, None], CONFIDENCE, others)
    return refined_label(
        scores[1:], scores[0], class_ids, photograph=photograph, settings=PRESETS["irn"]
    )
