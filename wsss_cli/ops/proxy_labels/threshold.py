"""The plain rule: a constant background score, and no saliency.

As seeds are usually cut out of CAM: the background has one score for all pixels of all images, and
the largest score wins. It needs nothing but attention, and so shows what the saliency adds.
"""

from torch import Tensor

from wsss_cli.ops.proxy_labels.assignment import Decide, strongest_label

# The higher of IRN's two (Ahn et al., CVPR 2019): what is above is surely object.
BACKGROUND_SCORE = 0.3


def threshold_proxy(
    attention: Tensor,
    class_ids: Tensor,
    background_score: float = BACKGROUND_SCORE,
    decide: Decide = strongest_label,
) -> Tensor:
    """Label each pixel by the strongest attention above a constant.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        background_score: Score of the background, in [0, 1].
        decide: How the scores become labels.

    Returns:
        (H, W) uint8: 0 or one of ``class_ids``; a tie goes to background, then to the first class.
    """
    background = attention.new_full(attention.shape[1:], background_score)
    return decide(attention, background, class_ids)
