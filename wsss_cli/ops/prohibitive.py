"""Prohibitive segmentation learning: a label map made online from the network's own scores.

Wei et al., "Object Region Mining with Adversarial Erasing", CVPR 2017, section 3.2.
Image-level classification is easier, and its scores more reliable, than segmentation. So the
segmentation network's class probabilities ``f`` are weighted by classification scores ``v`` of the
whole image, 1 for the background, and their argmax ``S = argmax_c [1, v]_c f_c`` is a second label
map beside the proxy: a class that the classifier doubts is prohibited. The loss is the sum of the
cross entropies with both.

The formula and the background's 1 are from memory of the paper. Different here: ``v`` is the
sigmoid of the attention network's class logits instead of a classifier trained for it, and since
training images have labels, classes that an image does not have get 0.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.labels import IGNORE


def label_confidence(
    logits: npt.NDArray[np.float32], class_ids: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Say how far each label may be believed in an image.

    Args:
        logits: (C,) class logits of the whole image.
        class_ids: Classes that the image has, 1..C.

    Returns:
        (C + 1,) float32 in [0, 1]: 1 for the background, the sigmoid of the logit for a present
        class, 0 for an absent one.
    """
    confidence = np.zeros(len(logits) + 1, np.float32)
    confidence[0] = 1
    present = np.asarray(class_ids, np.int64)
    scores = torch.from_numpy(logits.astype(np.float32))[present - 1]  # (K,)
    confidence[present] = torch.sigmoid(scores).numpy()
    return confidence


def prohibitive_labels(logits: Tensor, confidence: Tensor, inside: Tensor) -> Tensor:
    """Make the auxiliary label map of the moment; it is a constant to the network.

    Args:
        logits: (B, L, H, W) scores of the segmentation network.
        confidence: (B, L) in [0, 1], of :func:`label_confidence`.
        inside: (B, H, W) bool, false beyond the edges of the image.

    Returns:
        (B, H, W) int64 in 0..L-1, 255 beyond the edges.
    """
    probability = logits.detach().softmax(dim=1)  # (B, L, H, W)
    labels = (probability * confidence[:, :, None, None]).argmax(dim=1)  # (B, H, W)
    return labels.masked_fill(~inside, IGNORE)
