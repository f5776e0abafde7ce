"""The masked second round of NSROM: Yao et al., "Non-Salient Region Object Mining", CVPR 2021.

The second network learns from the first one's predictions, but only near objects: far from them,
where neither the prediction nor the saliency sees anything, nothing is taught.
"""

import torch
from torch import Tensor
from torch.nn import functional

from wsss_cli.labels import IGNORE

# Side in pixels of the square that dilates the region in which labels are taught.
REACH = 30


def masked_proxy(proxy: Tensor, prediction: Tensor, saliency: Tensor, class_ids: Tensor) -> Tensor:
    """Merge a network's prediction with the labels it learned from, and ignore what is far away.

    In this order:

    1. ``L`` is the prediction, with 0 for classes that the image does not show.
    2. An image of at most one class keeps ``L``.
    3. Where ``proxy`` is a class and ``L`` is 0, ``L`` becomes that of ``proxy``.
    4. Pixels of a label other than 0 in ``L``, or of any saliency, are dilated by a square of
       30 x 30 pixels: each reaches 14 pixels up and left and 15 down and right, as with OpenCV.
       Outside of this region the label is 255.

    Args:
        proxy: (H, W) uint8 labels that the first network learned from; 0, a class, or 255.
        prediction: (H, W) uint8 labels that it predicts.
        saliency: (H, W) in [0, 1].
        class_ids: (K,) integers 1..C, the classes that the image shows; K may be 0.

    Returns:
        (H, W) uint8: 0, a class, or 255.
    """
    possible = torch.cat((class_ids.to(prediction), prediction.new_tensor([IGNORE])))
    label_map = prediction.masked_fill(~torch.isin(prediction, possible), 0)
    if len(class_ids) < 2:
        return label_map
    is_class = (proxy != 0) & (proxy != IGNORE)
    label_map = torch.where(is_class & (label_map == 0), proxy.to(label_map), label_map)
    objects = (label_map != 0) | (saliency > 0)
    # OpenCV anchors an even square at half its side, so a pixel looks further up and left.
    before, after = REACH // 2, REACH - 1 - REACH // 2
    around = functional.pad(objects[None, None].float(), (before, after, before, after))
    near = functional.max_pool2d(around, REACH, stride=1)[0, 0] > 0
    return label_map.masked_fill(~near, IGNORE)
