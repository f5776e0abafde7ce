"""DRS's rule: Kim et al., "Discriminative Region Suppression", AAAI 2021.

The saliency is taken as a mask: outside it everything is background, inside it the strongest
attention decides. Salient pixels that no class claims, and pixels that three labels are sure of,
are ignored. So saliency alone draws the outline, and the attention only names what is inside.

Constants and order of the steps are those of the authors' public implementation.
"""

from torch import Tensor

from wsss_cli.labels import IGNORE
from wsss_cli.ops.proxy_labels.assignment import Decide, strongest_label
from wsss_cli.ops.proxy_labels.ignore_masks import ignore_crowded
from wsss_cli.ops.proxy_labels.scores import cut_low

ATTENTION_CUT = 0.2
SALIENT = 50 / 255
# A label is sure of a pixel above this; three sure ones are a conflict.
SURE = 0.9


def drs_proxy(
    attention: Tensor,
    class_ids: Tensor,
    saliency: Tensor,
    attention_cut: float = ATTENTION_CUT,
    decide: Decide = strongest_label,
) -> Tensor:
    """Label each salient pixel by the strongest attention, and ignore what is in doubt.

    In this order:

    1. ``A_c`` below ``attention_cut`` becomes 0; ``D`` becomes 1 above 50/255, else 0.
    2. The largest of ``Q_0 = 1 - D`` and ``A_c`` wins; a tie goes to background, then to the
       first class. So where ``D`` is 0 there is background.
    3. 255 where more than two of ``Q_0`` and ``A_c`` are above 0.9.
    4. 255 where the label is background and ``D`` is 1.

    Args:
        attention: (K, H, W) maps of the present classes in [0, 1]; K may be 0.
        class_ids: (K,) integers 1..C.
        saliency: (H, W) in [0, 1].
        attention_cut: Attention below this counts as none.
        decide: How the scores become labels.

    Returns:
        (H, W) uint8: 0, one of ``class_ids``, or 255.
    """
    attention = cut_low(attention, attention_cut)
    salient = saliency > SALIENT  # (H, W) bool
    background = (~salient).to(attention.dtype)
    label_map = decide(attention, background, class_ids)
    label_map = ignore_crowded(label_map, attention, background, SURE, most=2)
    return label_map.masked_fill(salient & (label_map == 0), IGNORE)
