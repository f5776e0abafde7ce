"""Image-level labels that a classifier gives itself, where nobody gives any."""

from torch import Tensor

# Of the sigmoid: a class that is there likelier than not. Training with the sigmoid cross entropy
# makes it that; no other value is better known without true labels to choose it by.
THRESHOLD = 0.5


def predicted_labels(logits: Tensor) -> Tensor:
    """The classes that a network believes in, and of each image at least its surest one.

    Args:
        logits: (B, C) class logits.

    Returns:
        (B, C) float32 multi-hot, without an empty row: a map of nothing could not be looked at.
    """
    logits = logits.float()
    likely = logits.sigmoid() >= THRESHOLD  # (B, C)
    surest = logits.argmax(dim=1, keepdim=True)  # (B, 1)
    return likely.scatter(1, surest, True).float()
