"""Numbers of pixels as files store them, where Pillow's own conversion would change them.

Pillow spreads grey of two and four bits over 0..255, clips 16 bits of grey at 255, and takes the
upper eight of 16 bits of colour.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wsss_cli.artifacts.picture_formats import stored_mode

Mask = npt.NDArray[np.uint8]
Deep = npt.NDArray[np.uint16]

# Grey of fewer bits than eight, as Pillow names what it decodes.
_FEW_BITS = {"L;2": 2, "L;4": 4}


def stored_grey(image: Image.Image) -> Mask:
    """(H, W) numbers of an 8-bit grey or palette picture as the file stores them; read-only.

    Args:
        image: Just opened, of mode ``L`` or ``P``.
    """
    bits = _FEW_BITS.get(stored_mode(image), 8)
    values: Mask = np.asarray(image)
    return values if bits == 8 else values // (255 // (2**bits - 1))


def equal_channels(image: Image.Image) -> Mask | None:
    """(H, W) of a grey picture that was saved in colour, perhaps with opaque alpha; else None."""
    if image.mode not in ("RGB", "RGBA", "LA"):
        return None
    pixels: Mask = np.asarray(image)
    alpha = image.mode.endswith("A")
    colours = pixels[..., :-1] if alpha else pixels
    grey: Mask = pixels[..., 0]
    opaque = not alpha or bool((pixels[..., -1] == 255).all())
    return grey if opaque and bool((colours == grey[..., None]).all()) else None


def is_deep(image: Image.Image) -> bool:
    """Whether a picture just opened stores 16 bits a channel, without a sign."""
    return stored_mode(image).split(";")[-1] in _SIXTEEN


_SIXTEEN = frozenset({"16", "16B", "16L", "16N"})


def deep_pixels(path: Path, image: Image.Image) -> Deep:
    """(H, W) or (H, W, 3) RGB uint16 of a picture that :func:`is_deep`.

    Args:
        path: The file.
        image: The same, just opened.

    Raises:
        OSError: It cannot be decoded.
    """
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.uint16)
    import cv2  # needed for few pictures, and takes a while

    image.load()  # Pillow refuses what is no whole picture, OpenCV prints or fills it
    pixels: npt.NDArray[Any] | None = cv2.imdecode(
        np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED
    )
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise OSError("its 16 bits a channel cannot be decoded")
    if pixels.shape[2] not in (3, 4) or pixels.shape[:2] != (image.height, image.width):
        raise OSError("its 16 bits a channel cannot be decoded")
    rgb: Deep = pixels[..., 2::-1]
    return rgb
