"""Random views of training images, and of images together with their label maps.

Arrays in, arrays out, one image at a time, with the random generator given: a view depends on
nothing but the seed and the position in training, so an interrupted training can go on exactly.
"""

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from wsss_cli.configs.scales import MOST_ASPECT
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import resize_grey, resize_image, resize_labels
from wsss_cli.labels import IGNORE

Kind = TypeVar("Kind", np.uint8, np.bool_)

# The classic ratio of ImageNet training: short side 256 for a crop of 224.
RESIZE_TO_CROP = 256 / 224
# Weights of red, green and blue in the brightness that the eye sees (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
MIRRORED = 0.5  # share of the views


def random_view(
    image: Pixels,
    crop: int,
    rng: np.random.Generator,
    *maps: Pixels,
    scales: tuple[float, float] = (1.0, 1.0),
) -> list[Pixels]:
    """Resize so that the short side is 8/7 of the crop, cut a random square, mirror half of them.

    The longer side is squeezed to 8 times the short one at most.

    Args:
        image: (H, W, 3) uint8.
        crop: Side of the square.
        rng: Source of all randomness.
        maps: (H, W) uint8 grey maps of the image, of which the same is cut out.
        scales: Range of a random factor of the short side, which is never less than the crop.

    Returns:
        (crop, crop, 3) uint8, and (crop, crop) uint8 of each map.
    """
    height, width = image.shape[:2]
    factor = rng.uniform(*scales) if scales != (1.0, 1.0) else 1.0
    shorter = max(crop, round(factor * crop * RESIZE_TO_CROP))
    scale, most = shorter / min(height, width), MOST_ASPECT * shorter
    size = (
        min(max(crop, round(height * scale)), most),
        min(max(crop, round(width * scale)), most),
    )
    resized = [resize_image(image, size), *(resize_grey(grey, size) for grey in maps)]
    top = int(rng.integers(size[0] - crop + 1))
    left = int(rng.integers(size[1] - crop + 1))
    views = [pixels[top : top + crop, left : left + crop] for pixels in resized]
    return [view[:, ::-1] for view in views] if rng.random() < MIRRORED else views


def jitter_colours(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Change brightness, contrast and saturation, in this order, each by a random factor.

    Args:
        image: (H, W, 3) uint8 RGB.
        strength: The factors lie within 1 - ``strength`` and 1 + ``strength``.
        rng: Source of all randomness.

    Returns:
        (H, W, 3) uint8.
    """
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    changed = image.astype(np.float32) * np.float32(brightness)
    mean = changed.mean()
    changed = mean + np.float32(contrast) * (changed - mean)
    grey = (changed @ _LUMA)[:, :, None]
    changed = grey + np.float32(saturation) * (changed - grey)
    jittered: Pixels = np.rint(changed).clip(0, 255).astype(np.uint8)
    return jittered


@dataclass(frozen=True)
class JointView:
    """A random view of an image, and the same view of maps of it.

    Attributes:
        size: (h, w) to which the image is resized.
        crop: Side of the view.
        source: Rows and columns of the resized image that are seen.
        target: Rows and columns of the view where they lie; beyond is outside the image.
        mirrored: Whether the view is mirrored.
    """

    size: tuple[int, int]
    crop: int
    source: tuple[slice, slice]
    target: tuple[slice, slice]
    mirrored: bool

    @classmethod
    def draw(
        cls,
        size: tuple[int, int],
        crop: int,
        scales: tuple[float, float],
        rng: np.random.Generator,
    ) -> Self:
        """Draw how an image is scaled, cut and mirrored.

        A crop larger than the scaled image holds all of it, at a random place.

        Args:
            size: (H, W) of the image.
            crop: Side of the square.
            scales: Range of the random scale.
            rng: Source of all randomness.
        """
        scale = rng.uniform(*scales)
        resized = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        top, left = (int(rng.integers(abs(crop - side) + 1)) for side in resized)
        rows, to_rows = _overlap(resized[0], crop, top)
        columns, to_columns = _overlap(resized[1], crop, left)
        mirrored = rng.random() < MIRRORED
        return cls(resized, crop, (rows, columns), (to_rows, to_columns), mirrored)

    def of_image(self, image: Pixels, fill: npt.NDArray[np.uint8]) -> Pixels:
        """View of an image.

        Args:
            image: (H, W, 3) uint8.
            fill: (3,) uint8 colour outside the image.

        Returns:
            (crop, crop, 3) uint8.
        """
        view = np.empty((self.crop, self.crop, 3), np.uint8)
        view[:] = fill
        return self._placed(view, resize_image(image, self.size))

    def of_map(self, values: Pixels) -> Pixels:
        """View of a map, such as that of the labels: each position has the nearest one's value.

        Args:
            values: (H, W) uint8.

        Returns:
            (crop, crop) uint8, 255 outside the image.
        """
        view = np.full((self.crop, self.crop), IGNORE, np.uint8)
        return self._placed(view, resize_labels(values, self.size))

    def inside(self) -> npt.NDArray[np.bool_]:
        """(crop, crop), false outside the image."""
        view = np.zeros((self.crop, self.crop), np.bool_)
        return self._placed(view, np.ones(self.size, np.bool_))

    def _placed(self, view: npt.NDArray[Kind], resized: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
        view[self.target] = resized[self.source]
        return np.ascontiguousarray(view[:, ::-1]) if self.mirrored else view


def _overlap(side: int, crop: int, offset: int) -> tuple[slice, slice]:
    """Slices of the source and of the crop that hold the same pixels."""
    if side >= crop:
        return slice(offset, offset + crop), slice(0, crop)
    return slice(0, side), slice(offset, offset + side)
