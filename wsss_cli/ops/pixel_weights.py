"""Weights of pixels from how stable their label is under the CRF.

Li et al., "Uncertainty Estimation via Response Scaling for Pseudo-mask Noise Mitigation in
Weakly-supervised Semantic Segmentation" (URN), AAAI 2022. Where the photograph speaks clearly for
a label, the CRF finds it whether the network was shy or bold about it; where it does not, the
label depends on the scale of the response. So each predicted label's probability is raised to
several powers, and a pixel whose label comes and goes with them counts little in the training
that follows.

The powers, the threshold and the low weight are those of the authors' code. Variance is read as
that of whether the label wins the pixel, which does not depend on the numbers of the classes.
"""

import torch
from torch import Tensor

from wsss_cli.configs.crf import CrfSettings
from wsss_cli.ops.dense_crf import powered_labels

POWERS = (0.15, 0.2, 0.25, 4.0, 5.0, 6.0)
# A pixel that is no more certain than this weighs as much; of the authors' code.
LEAST_WEIGHT = 0.05


def crf_uncertainty(probabilities: Tensor, image: Tensor, settings: CrfSettings) -> Tensor:
    """How much the label of a pixel depends on the scale of the network's response.

    Args:
        probabilities: (L, H, W) in [0, 1], as for :func:`~wsss_cli.ops.dense_crf.dense_crf`.
        image: (H, W, 3) uint8, red, green, blue.
        settings: The CRF.

    Returns:
        (H, W) float32 in [0, 1]: of each label that wins a pixel the variance, over the powers, of
        whether the CRF gives it the pixel; the largest over the labels; from the least to the
        largest of the image, and 0 throughout where these are equal.

    Raises:
        WsssError: The image or the probabilities are none.
    """
    largest = torch.zeros(probabilities.shape[1:], device=probabilities.device)
    for _, won in powered_labels(probabilities, image, settings, POWERS):
        share = won.float().mean(dim=0)
        largest = torch.maximum(largest, share * (1 - share))
    low, high = torch.aminmax(largest)
    return (largest - low) / (high - low) if high > low else torch.zeros_like(largest)


def pixel_weights(uncertainty: Tensor) -> Tensor:
    """Weights of pixels in a loss: `LEAST_WEIGHT` where labels are the least certain, else 1.

    Args:
        uncertainty: (H, W) in [0, 1], of :func:`crf_uncertainty`.

    Returns:
        (H, W) float32.
    """
    weights = torch.ones_like(uncertainty)
    return weights.masked_fill_(1 - uncertainty <= LEAST_WEIGHT, LEAST_WEIGHT)
