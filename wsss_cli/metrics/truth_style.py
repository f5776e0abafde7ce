"""Which kind of ground truth a label map is: with a border of 255 around its objects, or without.

VOC's own masks have a border of 255, about five pixels wide, that is not scored; SBD's
(``SegmentationClassAug``) have none, so the hardest pixels count. Scores against the two differ by
some points and must not be compared.
"""

from collections.abc import Mapping

import numpy as np

from wsss_cli.labels import IGNORE
from wsss_cli.metrics.predicted_ignore import LabelMap

# Rows looked at: most objects are taller, and the look takes a tenth of decoding's time otherwise.
_EVERY = 8

VOC_STYLE, SBD_STYLE, MIXED = "voc", "sbd", "mixed"


def border_style(label_map: LabelMap) -> str | None:
    """What lies between neighbouring labels in every eighth row of a label map.

    Args:
        label_map: (H, W) uint8.

    Returns:
        ``voc`` where most changes are to or from 255, ``sbd`` where most are from label to label,
        None where nothing changes.
    """
    rows = label_map[::_EVERY]
    ignored = rows == IGNORE
    changes = np.count_nonzero(rows[:, :-1] != rows[:, 1:])
    bordered = np.count_nonzero(ignored[:, :-1] != ignored[:, 1:])
    if not changes:
        return None
    return VOC_STYLE if 2 * bordered > changes else SBD_STYLE


def common_style(counts: Mapping[str, int]) -> str | None:
    """The style of a set of masks, given how many are of each: ``mixed`` where they differ."""
    styles = [style for style, count in counts.items() if count]
    return MIXED if len(styles) > 1 else next(iter(styles), None)
