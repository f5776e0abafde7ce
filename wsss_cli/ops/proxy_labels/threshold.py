"""The plain rule: a constant background score, and no saliency.

As seeds are usually cut out of CAM: the background has one score for all pixels of all images, and
the largest score wins. It needs nothing but attention, and so shows what the saliency adds.
"""

from torch import Tensor

from wsss_cli.ops.proxy_labels.scores import strongest_class

# The higher of IRN's two (Ahn et al., CVPR 2019): what is above is surely object.
BACKGROUND_SCORE = 0.3


def threshold_proxy(
    attention: Tensor, class_ids: Tensor, background_score: float = BACKGROUND_SCORE
) -> Tensor:
    """Label each pixel by the strongest attention above a constant.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        background_score: Score of the background, in [0, 1].

    Returns:
        (H, W) uint8: 0 or one of ``class_ids``; a tie goes to background, then to the first class.
    """
    best, label_map = strongest_class(attention, class_ids)
    return label_map.masked_fill(best <= background_score, 0)
