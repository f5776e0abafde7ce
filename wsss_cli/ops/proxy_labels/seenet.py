"""SeeNet's rule: Hou et al., "Self-Erasing Network for Integral Object Attention", NeurIPS 2018.

Algorithm 1. The background scores what the saliency leaves, each present class the weighted
harmonic mean of its attention and the saliency, and the best score wins. A pixel is an object's
only where both are strong.

Here: a floor under the attention may be set, 0 being the paper's rule. A mean with zero is zero
whatever the weight, and a map clipped at zero is zero in much of the object, so the rule as
written turns salient pixels into background (docs/results-diary.md).
"""

from torch import Tensor

from wsss_cli.ops.proxy_labels.assignment import Decide, strongest_label
from wsss_cli.ops.proxy_labels.scores import harmonic_mean


def seenet_proxy(
    attention: Tensor,
    class_ids: Tensor,
    saliency: Tensor,
    w: float = 200.0,
    attention_floor: float = 0.0,
    decide: Decide = strongest_label,
) -> Tensor:
    """Label each pixel by the weighted harmonic mean of attention and saliency.

    Background scores ``Q_0 = 1 - D``, each present class ``Q_c = (w + 1) / (w / A_c + 1 / D)``,
    the largest wins; ``w = 1`` is the plain harmonic mean.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        saliency: (H, W) in [0, 1].
        w: Weight of the attention against the saliency, above 0; 200 is the paper's, from memory.
        attention_floor: Attention below this counts as this.
        decide: How the scores become labels.

    Returns:
        (H, W) uint8: 0 or one of ``class_ids``; a tie goes to background, then to the first class.
    """
    saliency = saliency.float()
    scores = harmonic_mean(attention.float().clamp_min(attention_floor), saliency, w)
    return decide(scores, 1 - saliency, class_ids)
