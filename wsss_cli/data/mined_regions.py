"""Erases from the image the regions that earlier rounds have found.

Wei et al., "Object Region Mining with Adversarial Erasing", CVPR 2017, section 3.1.
Where a class's attention is strong (above 0.8 of its maximum [from memory of the paper]), the image
is painted with the mean colour; a new network, trained on such images, has to find other regions.
Maps of all rounds are merged by their maximum. As every round's maps reach 1, thresholding the
merged maps gives the union of what the rounds have mined.
"""

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import AttentionFile, ImageAttention
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import enlarge_maps


class MinedRegions:
    """The merged attention of the rounds so far, as the next round uses it.

    Safe to use from several threads: h5py has a lock of its own, and only one image is in memory
    at a time for each thread.
    """

    def __init__(
        self, file: AttentionFile, threshold: float, colour: npt.NDArray[np.uint8]
    ) -> None:
        """Store the settings of erasing.

        Args:
            file: Attention of the previous round, which has to stay open.
            threshold: Share of a map's maximum above which it is erased.
            colour: (3,) uint8 RGB to paint with.
        """
        self.file = file
        self.threshold = threshold
        self.colour = colour

    def erase(self, image_id: str, image: Pixels) -> Pixels:
        """Paint over the regions that have been mined in an image.

        Args:
            image_id: Id of the image.
            image: (H, W, 3) uint8.

        Returns:
            (H, W, 3) uint8, a copy.
        """
        attention = self.file.read(image_id)
        maps = enlarge_maps(attention.maps, attention.size)  # (K, H, W)
        return paint_over(image, maps, self.threshold, self.colour)

    def merge(self, image_id: str, attention: ImageAttention) -> ImageAttention:
        """Take the larger value of the earlier maps and those of this round.

        The class logits stay those of the first round: they belong to the whole image, which later
        rounds do not see.

        Args:
            image_id: Id of the image.
            attention: This round's maps, (K, h, w).

        Returns:
            Maps (K, h, w) float32 and class ids in the order of ``attention``.
        """
        before = self.file.read(image_id)
        row_of = {class_id: row for row, class_id in enumerate(before.class_ids.tolist())}
        rows = np.array([row_of[class_id] for class_id in attention.class_ids.tolist()], np.int64)
        size = attention.maps.shape[1], attention.maps.shape[2]
        earlier = enlarge_maps(before.maps[rows], size)  # (K, h, w); K may be 0
        merged = np.maximum(attention.maps, earlier)
        return ImageAttention(merged, attention.class_ids, attention.size, before.logits)


def paint_over(
    image: Pixels,
    maps: npt.NDArray[np.floating],
    threshold: float,
    colour: npt.NDArray[np.uint8],
) -> Pixels:
    """Paint an image where any class's map exceeds a share of that map's maximum.

    Args:
        image: (H, W, 3) uint8.
        maps: (K, H, W) attention of the present classes, not negative.
        threshold: Share of the maximum in [0, 1]; a value equal to it is kept.
        colour: (3,) uint8 RGB.

    Returns:
        (H, W, 3) uint8, a copy. A map that is zero everywhere erases nothing.
    """
    highest = maps.max(axis=(1, 2), keepdims=True)  # (K, 1, 1)
    mined = (maps > threshold * highest).any(axis=0)  # (H, W)
    painted = image.copy()
    painted[mined] = colour
    return painted
