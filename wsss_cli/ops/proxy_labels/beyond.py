"""Labels that leave the saliency's mask; ours, for attention that has learned where objects end.

Saliency sees a quarter of a sofa, a third of a table. Inside its mask SeeNet's rule is hard to
beat; beyond it, attention that was taught by saliency and redrawn along colours knows more than the
map of one image. So the labels are those of SeeNet's rule, and where it says background and the
saliency is low, a class whose attention exceeds a constant is taken instead.

With attention that lights the background, such as plain class activation, that loses more than it
wins (docs/results-diary.md).
"""

import torch
from torch import Tensor

from wsss_cli.ops.proxy_labels.assignment import Decide, strongest_label
from wsss_cli.ops.proxy_labels.scores import harmonic_mean

SALIENT = 0.5
"""From here on the saliency has seen a pixel, and what it calls background is background."""


def beyond_proxy(
    attention: Tensor,
    class_ids: Tensor,
    saliency: Tensor,
    w: float = 200.0,
    attention_floor: float = 0.0,
    attention_cut: float = 0.5,
    decide: Decide = strongest_label,
) -> Tensor:
    """Label each pixel as SeeNet's rule does, and background of low saliency by strong attention.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        saliency: (H, W) in [0, 1].
        w: Weight of the attention against the saliency, above 0, as in SeeNet's rule.
        attention_floor: Attention below this counts as this, as in SeeNet's rule.
        attention_cut: Beyond the mask a class is taken where its attention exceeds this.
        decide: How the scores become labels.

    Returns:
        (H, W) uint8: 0 or one of ``class_ids``; a tie goes to background, then to the first class.
    """
    attention, saliency = attention.float(), saliency.float()
    background = 1 - saliency
    scores = harmonic_mean(attention.clamp_min(attention_floor), saliency, w)
    unseen = (strongest_label(scores, background, class_ids) == 0) & (saliency < SALIENT)
    scores = torch.where(unseen, attention, scores)
    constant = torch.full_like(background, attention_cut)
    return decide(scores, torch.where(unseen, constant, background), class_ids)
