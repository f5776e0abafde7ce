"""Saliency without a network: a published rule about the edges of images, at working size."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsss_cli.ops.robust_background import robust_background_saliency

# Superpixels along the longer side: about 200 an image of the usual 4 : 3, as in the paper.
_ALONG = 16


@dataclass(frozen=True)
class UnsupervisedSaliency:
    """Robust background detection (``ops/robust_background.py``).

    Attributes:
        size: Longer side, in pixels, at which images are looked at.
    """

    size: int

    def seen(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) that an image is to be resized to: its own shape, in whole superpixels."""
        longer = max(height, width)
        rows, columns = (max(1, round(_ALONG * side / longer)) for side in (height, width))
        return rows * self._cell, columns * self._cell

    def saliency(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The saliency of an (h, w, 3) uint8 RGB image of such a size, as (h, w) uint8."""
        values = robust_background_saliency(image, self._cell)
        grey: npt.NDArray[np.uint8] = np.round(255 * values).astype(np.uint8)
        return grey

    @property
    def _cell(self) -> int:
        return self.size // _ALONG
