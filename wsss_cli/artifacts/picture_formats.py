"""Formats of pictures that are opened, and their endings. Pillow knows many more.

Among those is PostScript, which it hands to Ghostscript to be run, and whatever a plugin adds; the
name of a file says nothing about what is in it.
"""

from pathlib import Path, PurePath

from PIL import (
    BmpImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from wsss_cli.artifacts.plain_file import NOT_PLAIN, is_plain

JPEG = JpegImagePlugin.JpegImageFile.format
# Of JPEG come also the files with a second picture behind the first (MPO), as phones write them.
PICTURE_FORMATS = (
    BmpImagePlugin.BmpImageFile.format,
    JPEG,
    PngImagePlugin.PngImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
)

# What Pillow raises of a picture that it cannot decode.
DECODING_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, MemoryError)

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"}
)
"""Endings, in small letters, of the files that are taken for photographs."""


def is_picture(path: PurePath) -> bool:
    """Whether the name is that of a photograph."""
    return names_picture(path.name)


def names_picture(name: str) -> bool:
    """Whether a file name is that of a photograph; of a million, paths take a minute."""
    at = name.rfind(".")
    return at > 0 and name[at:].lower() in PICTURE_SUFFIXES and not name.startswith(".")


def open_picture(path: Path) -> Image.Image:
    """Open a picture of one of these formats; its pixels are decoded when they are asked for.

    Raises:
        OSError: There is no file, or another kind of file. Pillow raises more.
    """
    if not is_plain(path):
        raise OSError(NOT_PLAIN)
    return Image.open(path, formats=PICTURE_FORMATS)


def stored_mode(image: Image.Image) -> str:
    """How the file of a picture just opened stores its pixels, as Pillow's decoders call it.

    ``L;2`` is grey of two bits, ``RGB;16B`` colour of 16 bits a channel; empty where no decoder
    says it, as of WebP.
    """
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return mode if isinstance(mode, str) else ""
