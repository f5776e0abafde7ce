"""Maps of a photograph as PNG that share its EXIF orientation."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from wsss_cli.artifacts.atomic import write_bytes


def write_grey_map(path: Path, grey: npt.NDArray[np.uint8], orientation: int = 1) -> None:
    """Write an (H, W) grey map of a photograph with this EXIF orientation; atomically."""
    write_bytes(path, png_bytes(Image.fromarray(grey), orientation))


def png_bytes(image: Image.Image, orientation: int = 1) -> bytes:
    """A map of a photograph as PNG.

    Args:
        image: Grey values or palette indices, which lie on the photograph's stored pixels.
        orientation: EXIF orientation of the photograph: the map gets the same, so that whoever
            turns the one by it turns the other too.
    """
    about = Image.Exif()
    if orientation != 1:
        about[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    # Maps are flat or smooth: the fastest compression level costs a few bytes, not many.
    image.save(buffer, format="PNG", compress_level=1, exif=about if orientation != 1 else b"")
    return buffer.getvalue()
