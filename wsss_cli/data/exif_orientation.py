"""Rotates photographs by their EXIF orientation for prediction, and results back.

Training and evaluation use pixels as they are stored, like the masks. A network has learned from
upright photographs, so ``wsss predict`` rotates them; its results are rotated back to the stored
pixels and get the orientation of the photograph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from wsss_cli.artifacts.picture_formats import open_picture
from wsss_cli.data.images import EXCHANGE_SIDES, NotUsed
from wsss_cli.errors import WsssError

UPRIGHT = 1

Array = npt.NDArray[Any]
_AS_STORED = {
    2: np.fliplr,
    3: lambda array: np.rot90(array, 2),
    4: np.flipud,
    5: lambda array: np.swapaxes(array, 0, 1),
    6: lambda array: np.rot90(array, 1),
    7: lambda array: np.swapaxes(np.rot90(array, 2), 0, 1),
    8: lambda array: np.rot90(array, -1),
}
# All but the two quarter turns undo themselves.
_AS_SEEN = {**_AS_STORED, 6: _AS_STORED[8], 8: _AS_STORED[6]}


@dataclass(frozen=True)
class PictureOutline:
    """Size and orientation from the header of a photograph.

    Attributes:
        size: (H, W) of the stored pixels.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
    """

    size: tuple[int, int]
    orientation: int


def read_outline(path: Path, not_used: NotUsed) -> PictureOutline:
    """Read the header of a photograph, without decoding it.

    Args:
        path: The file.
        not_used: Counter of content that is not used.

    Raises:
        WsssError: It is missing or no picture; the message is the reason without the path.
    """
    try:
        with open_picture(path) as image:
            tag = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
            # Pillow rotates TIFF while decoding.
            is_turned = tag in _AS_STORED and image.format != "TIFF"
            not_used.add(path, image)
            return PictureOutline((image.height, image.width), tag if is_turned else UPRIGHT)
    except UnidentifiedImageError:
        raise WsssError("it is no JPEG, PNG, WebP, BMP or TIFF picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, MemoryError) as error:
        raise WsssError(f"it is no readable picture ({error})") from error


def stored_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """(H, W) of the stored pixels of a photograph that is (H, W) upright."""
    return size[::-1] if orientation in EXCHANGE_SIDES else size


def as_seen(array: Array, orientation: int) -> Array:
    """Rotate an array from stored rows and columns (its first two dimensions) to upright."""
    return _turned(array, _AS_SEEN, orientation)


def as_stored(array: Array, orientation: int) -> Array:
    """Rotate an upright array back, the inverse of :func:`as_seen`."""
    return _turned(array, _AS_STORED, orientation)


def _turned(array: Array, turns: dict[int, Callable[[Array], Array]], orientation: int) -> Array:
    if orientation == UPRIGHT:
        return array
    return np.ascontiguousarray(turns[orientation](array))
