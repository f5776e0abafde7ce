"""DCSP's rule: Chaudhry et al., "Discovering Class-Specific Pixels", BMVC 2017.

The paper takes the saliency twice: of the image, and of the image whose salient part has been
painted with the mean colour, so that the second object stands out too. Where the two say
different things the larger counts. A pixel belongs to the class with the largest harmonic mean of
attention and saliency, unless that mean is low, which is background.

Here: the maps of the second pass are optional, since they need the saliency model at hand. The
paper's attention is the maximum over three scales, and its labels are derived again from the
network trained on them; both are the business of other stages.
"""

import torch
from torch import Tensor

from wsss_cli.ops.proxy_labels.assignment import Decide, strongest_label
from wsss_cli.ops.proxy_labels.scores import harmonic_mean

# Read in a public implementation.
BACKGROUND_SCORE = 0.4


def dcsp_proxy(
    attention: Tensor,
    class_ids: Tensor,
    saliency: Tensor,
    second_saliency: Tensor | None = None,
    background_score: float = BACKGROUND_SCORE,
    decide: Decide = strongest_label,
) -> Tensor:
    """Label each pixel by the harmonic mean, against a constant background.

    ``S = max(S_1, S_2)``; each present class scores ``H_c = 2 / (1 / A_c + 1 / S)``; background
    where the best score is below ``background_score``.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        saliency: (H, W) in [0, 1], of the image.
        second_saliency: (H, W) in [0, 1], of the image with the part where ``saliency`` is 0.7 or
            more painted with the mean colour; None does without.
        background_score: Score of the background, in [0, 1].
        decide: How the scores become labels.

    Returns:
        (H, W) uint8: 0 or one of ``class_ids``; a tie goes to the first class and, unlike in the
        other rules, to a class before background.
    """
    if second_saliency is not None:
        saliency = torch.maximum(saliency, second_saliency)
    background = torch.full_like(saliency, background_score)
    # The least step below: who decides otherwise gives a tie to background.
    background = background.nextafter(torch.full_like(saliency, -1))
    return decide(harmonic_mean(attention, saliency), background, class_ids)
