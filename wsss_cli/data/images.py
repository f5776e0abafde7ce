"""Photographs and grey maps from disk, and a quick look at whether they can be read."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from wsss_cli.artifacts.picture_formats import open_picture
from wsss_cli.errors import WsssError, listing

Pixels = npt.NDArray[np.uint8]

_JPEG_END = b"\xff\xd9"
# The last one: a chunk may declare four gigabytes, and Pillow asks for them at once.
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, MemoryError)


def read_image(path: Path) -> Pixels:
    """Decode a photograph to (H, W, 3) uint8 RGB.

    Raises:
        WsssError: The file is missing, truncated or no image.
    """
    try:
        with open_picture(path) as image:
            return np.array(image.convert("RGB"))
    except _DECODING_ERRORS as error:
        raise _unreadable(path, error) from error


@dataclass(frozen=True)
class Header:
    """What a photograph says of itself.

    Attributes:
        format: As Pillow calls it, ``JPEG`` or ``PNG``.
        suffixed: Whether the file's ending is one of that format.
        turned: Whether viewers turn it by its EXIF orientation, which nothing here does.
    """

    format: str
    suffixed: bool
    turned: bool


def read_header(path: Path) -> Header:
    """Read what a photograph says of itself, without decoding it.

    Raises:
        WsssError: The file is missing or no image.
    """
    try:
        with open_picture(path) as image:
            kind = str(image.format)
            # TIFF is turned while it is decoded.
            tagged = image.getexif().get(ExifTags.Base.Orientation, 1) not in (0, 1)
            turned = tagged and kind != "TIFF"
    except _DECODING_ERRORS as error:
        raise _unreadable(path, error) from error
    return Header(kind, Image.registered_extensions().get(path.suffix.lower()) == kind, turned)


def read_saliency(path: Path) -> Pixels:
    """Decode a saliency map to (H, W) uint8; colour maps are turned to grey, 16 bits to 8.

    Raises:
        WsssError: The file is missing, truncated or no image.
    """
    try:
        with open_picture(path) as image:
            if image.mode.startswith("I"):  # 16 bits: Pillow's own conversion would clip at 255
                return (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
            return np.array(image.convert("L"))
    except _DECODING_ERRORS as error:
        raise _unreadable(path, error) from error


def check_images(paths: Iterable[Path]) -> list[tuple[int, int]]:
    """Find missing and truncated photographs before any work, without decoding them all.

    A JPEG whose header opens and whose last bytes are its end marker is whole; only a file that
    fails this is decoded for a verdict, since some cameras append data of their own.

    Returns:
        (H, W) of every image.

    Raises:
        WsssError: Names the missing files, or the first broken one.
    """
    sizes, missing = [], []
    for path in paths:
        try:
            with open_picture(path) as image:
                sizes.append((image.height, image.width))
                whole = image.format != "JPEG" or _ends_whole(path)
        except FileNotFoundError:
            missing.append(path)
            continue
        except _DECODING_ERRORS as error:
            raise _unreadable(path, error) from error
        if not whole:
            read_image(path)
    if missing:
        raise WsssError(
            f"{len(missing)} images are missing from {missing[0].parent}: "
            f"{listing([path.name for path in missing])}; add them or take the ids out of the list"
        )
    return sizes


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-2, 2)
        return file.read() == _JPEG_END


def _unreadable(path: Path, error: Exception) -> WsssError:
    if isinstance(error, FileNotFoundError):
        return WsssError(f"{path} does not exist")
    return WsssError(
        f"{path} is not a readable image ({error}); restore the file or take its id out of the list"
    )
