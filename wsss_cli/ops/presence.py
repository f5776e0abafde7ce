"""How likely an image shows each class at all, beside what the pixels say."""

import torch
from torch import Tensor
from torch.nn import functional


def weighted_by_presence(label_logits: Tensor, class_logits: Tensor) -> Tensor:
    """Multiply each class's probability at each pixel by that of its being in the image at all.

    That of the background stays, and the softmax normalises all of them anew.

    Args:
        label_logits: (L, h, w) of background and L - 1 classes, before the softmax.
        class_logits: (L - 1,) of the image, before the sigmoid.

    Returns:
        (L, h, w) float32 logits, before the softmax.
    """
    weights = functional.logsigmoid(class_logits.float())  # (L - 1,)
    background = weights.new_zeros(1)
    return label_logits.float() + torch.cat((background, weights))[:, None, None]
