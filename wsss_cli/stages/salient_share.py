"""How much of the photographs saliency maps mark, and how many of them mark nothing."""

from typing import Any

import numpy as np

from wsss_cli import ranks
from wsss_cli.data.images import Pixels
from wsss_cli.ops.baselines import SALIENT

# Share of all pixels beyond which saliency marks no objects any more.
NEARLY_ALL = 0.95
# No value of a map that is black reaches this, of 255: resizing leaves a trace here and there.
BLACK_BELOW = 8


class SalientShare:
    """Counts salient pixels and black maps; each rank those of its maps."""

    def __init__(self) -> None:
        """Begin with no map."""
        self._counts = np.zeros(4, np.int64)  # pixels, salient ones, maps, black ones

    def add(self, grey: Pixels) -> None:
        """Count an (H, W) uint8 map."""
        salient = np.count_nonzero(grey > SALIENT * 255)
        self._counts += np.array([grey.size, salient, 1, grey.max() < BLACK_BELOW], np.int64)

    def values(self) -> dict[str, Any]:
        """The counts of all ranks, with ``warnings``, as JSON values."""
        pixels, salient, maps, black = np.sum(ranks.gathered(self._counts), axis=0).tolist()
        share = salient / max(1, pixels)
        warnings = []
        if black:
            warnings.append(
                f"{black:,} of {maps:,} saliency maps are black, so label maps made with them show "
                "no object there"
            )
        elif not salient:
            warnings.append(
                "no pixel of any saliency map is salient (above half of white), so nothing stands "
                "out to this model"
            )
        if share > NEARLY_ALL:
            warnings.append(
                f"{share:.1%} of the pixels are salient, so the maps tell objects from background "
                "nowhere; check that the model gives saliency, not its reverse"
            )
        return {"salient": share, "black_maps": black, "warnings": warnings}
