"""How the scores that compete for a pixel become its label.

Every rule scores background and the present classes and then *decides*: the strongest wins, or the
dense CRF, for which the scores, made to sum to 1, are the probabilities to start from. What a rule
ignores, it ignores afterwards, whoever decided.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from wsss_cli.configs.crf import CrfSettings
from wsss_cli.ops.dense_crf import refined_labels

# Of (K, H, W) scores of the classes, the (H, W) score of the background and (K,) class ids, the
# (H, W) uint8 label map.
Decide = Callable[[Tensor, Tensor, Tensor], Tensor]


def strongest_label(scores: Tensor, background: Tensor, class_ids: Tensor) -> Tensor:
    """The label with the best score.

    Args:
        scores: (K, H, W) of the present classes, 0 or more; K may be 0.
        background: (H, W), of the background.
        class_ids: (K,) integers 1..C.

    Returns:
        (H, W) uint8: 0 or one of ``class_ids``; a tie goes to background, then to the first class.
    """
    label_map, best = torch.zeros_like(background, dtype=torch.uint8), background  # (H, W) each
    # One class after another takes less time than max, which finds places too.
    for score, class_id in zip(scores, class_ids.to(torch.uint8), strict=True):
        label_map.masked_fill_(score > best, class_id)
        best = torch.maximum(best, score)
    return label_map


def refined_label(
    scores: Tensor,
    background: Tensor,
    class_ids: Tensor,
    *,
    photograph: Tensor,
    settings: CrfSettings,
) -> Tensor:
    """The label that the dense CRF finds most probable.

    Args:
        scores: (K, H, W) of the present classes; K may be 0. Below 0 counts as 0.
        background: (H, W), of the background.
        class_ids: (K,) integers 1..C.
        photograph: (H, W, 3) uint8 RGB.
        settings: Settings of the CRF.

    Returns:
        (H, W) uint8: 0 or one of ``class_ids``. Where all scores are 0, the pixels around decide.
    """
    rivals = torch.cat((background[None], scores)).float().clamp_min(0)  # (K + 1, H, W)
    total = rivals.sum(dim=0)  # (H, W)
    probabilities = torch.where(total > 0, rivals / total, 1 / len(rivals))
    refined = refined_labels(probabilities, photograph, settings)  # (H, W) in 0..K
    return torch.cat((class_ids.new_zeros(1), class_ids)).to(torch.uint8)[refined.long()]
