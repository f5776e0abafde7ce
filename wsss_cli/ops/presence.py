"""How likely an image shows each class at all, beside what the pixels say."""

import torch
from torch import Tensor
from torch.nn import functional


def weighted_by_presence(label_logits: Tensor, class_logits: Tensor) -> Tensor:
    """Weigh the probabilities of labels by those that the image shows the classes.

    At a pixel, the probability of a class becomes its old one times the probability that the image
    shows the class; that of the background keeps its weight. The softmax normalises them anew.

    Args:
        label_logits: (L, h, w) of background and L - 1 classes, before the softmax.
        class_logits: (L - 1,) of the image, before the sigmoid.

    Returns:
        (L, h, w) float32 logits, before the softmax.
    """
    weights = functional.logsigmoid(class_logits.float())  # (L - 1,)
    background = weights.new_zeros(1)
    return label_logits.float() + torch.cat((background, weights))[:, None, None]
