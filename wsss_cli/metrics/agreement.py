"""How far a label map differs from the attention that it is made of."""

import numpy as np
import numpy.typing as npt

from wsss_cli.labels import IGNORE


def differences_by_class(
    maps: npt.NDArray[np.floating],
    class_ids: npt.NDArray[np.integer],
    label_map: npt.NDArray[np.uint8],
) -> dict[int, float]:
    """Mean over the pixels of how far each class's attention is from its label.

    Where the label is the class, the attention should be 1, elsewhere 0. An image whose object is
    missing, spills over or has been given another class differs in every class concerned.

    Args:
        maps: (K, H, W) attention in [0, 1].
        class_ids: (K,) classes that they are of.
        label_map: (H, W) labels, of which those that are 255 are left out.

    Returns:
        From 0 to 1 by class: of those that have a map, and of others that the label map shows.
    """
    known = label_map != IGNORE
    labels = label_map[known]
    if not len(labels):
        return dict.fromkeys(class_ids.tolist(), 0.0)
    differences = {
        class_id: float(np.abs(attention[known] - (labels == class_id)).mean())
        for class_id, attention in zip(class_ids.tolist(), maps, strict=True)
    }
    for class_id in set(labels.tolist()) - {0, *differences}:
        differences[class_id] = float((labels == class_id).mean())
    return differences
