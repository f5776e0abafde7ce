"""Label maps as 8-bit palette PNG, as PASCAL VOC's own tools write and expect them."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.artifacts.oriented_png import png_bytes
from wsss_cli.artifacts.picture_formats import DECODING_ERRORS, JPEG, open_picture
from wsss_cli.artifacts.pixel_values import equal_channels, stored_grey
from wsss_cli.errors import WsssError
from wsss_cli.labels import IGNORE


def voc_palette() -> npt.NDArray[np.uint8]:
    """(256, 3) RGB colours of PASCAL VOC's labels."""
    return voc_colours(np.arange(256))


def voc_colours(numbers: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """(..., 3) RGB colours of numbers up to 2^24: their bits spread over the three channels."""
    colours = np.zeros((*numbers.shape, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            ones = (numbers >> (3 * bit + channel)) & 1
            colours[..., channel] |= (ones << (7 - bit)).astype(np.uint8)
    return colours


# The last one: a chunk may declare four gigabytes, and Pillow asks for them at once.
_PALETTE = voc_palette().tobytes()
# The command that makes label maps of other tools' masks, for messages.
CONVERT_MASKS = "wsss data masks"


def write_label_map(path: Path, label_map: npt.NDArray[np.uint8], orientation: int = 1) -> None:
    """Write an (H, W) uint8 label map: 0 background, 1..C classes, 255 ignore; atomically.

    Args:
        path: The PNG.
        label_map: The labels.
        orientation: EXIF orientation of the photograph, which the label map is to share.
    """
    write_bytes(path, label_map_bytes(label_map, orientation))


def label_map_bytes(label_map: npt.NDArray[np.uint8], orientation: int = 1) -> bytes:
    """The PNG that :func:`write_label_map` writes."""
    image = Image.fromarray(label_map)
    image.putpalette(_PALETTE)  # turns the grey image into one of palette indices
    return png_bytes(image, orientation)


def read_label_map(path: Path, *, num_labels: int | None = None) -> npt.NDArray[np.uint8]:
    """Read an (H, W) uint8 label map from a palette or 8-bit grey PNG; the array is read-only.

    Args:
        path: The file.
        num_labels: Labels including background; other values than these and 255 are refused.

    Raises:
        WsssError: The file is missing, broken, holds colours instead of labels, or a value that
            is no label.
    """
    image, label_map = _open(path)
    if label_map is None:
        raise WsssError(f"{path} {_what_it_holds(image)}")
    # 255 wraps round to 0, so a look at the largest finds what is no label.
    if num_labels is not None and label_map.size and (label_map + 1).max() > num_labels:
        wrong = label_map[(label_map >= num_labels) & (label_map != IGNORE)]
        raise WsssError(
            f"{path} has the value {wrong[0]}, which is neither a label 0..{num_labels - 1} "
            "nor 255: check that it is a label map with the classes of this data set (a "
            "palette PNG read as grey brightness looks like this)"
        )
    return label_map


def odd_label_map(content: bytes, size: tuple[int, int], largest: int) -> str | None:
    """Say what is wrong with the label map of an image, None if nothing is.

    Args:
        content: Bytes of the PNG file.
        size: (H, W) of the image.
        largest: The largest label; 255 is none.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.mode not in ("P", "L"):
                return "label maps that are neither palette nor 8-bit grey PNG"
            if (image.height, image.width) != size:
                return "label maps of another size than their photograph"
            label_map = stored_grey(image)
    except DECODING_ERRORS:
        return "label maps that are not readable PNG"
    if (label_map == IGNORE).any():
        return "label maps with 255, which is no prediction; decide those pixels"
    return f"label maps with values above {largest}" if (label_map > largest).any() else None


def _what_it_holds(image: Image.Image) -> str:
    """Why an image is no label map, and what to do, for a message."""
    convert = f"`{CONVERT_MASKS}` makes label maps of a folder of them"
    if image.format == JPEG:
        return f"is a JPEG inside, whose compression changes label numbers; {convert}"
    if image.mode == "1":
        return (
            "holds one-bit pixels, not labels: save it as 8-bit grey with the class numbers; "
            f"{convert}"
        )
    if image.mode.startswith(("I", "F")):
        return (
            f"holds pixels of 16 bits or more ({image.mode}), not labels: save it as palette or "
            "8-bit grey PNG, 0 background, 1..C classes, 255 ignore"
        )
    explanation = "a palette PNG was perhaps decoded to colours and saved again"
    if equal_channels(image) is not None:
        explanation = "its channels are equal, so a grey picture was saved in colour"
    elif _is_decoded_palette(image):
        explanation = (
            "all its colours are those of VOC's palette, so a palette PNG was decoded to colours "
            "and saved again"
        )
    return (
        f"holds {image.mode} pixels, not labels: {explanation}; give a palette or 8-bit grey PNG, "
        f"{convert}"
    )


def decoded_palette(image: Image.Image) -> npt.NDArray[np.uint8] | None:
    """(H, W) labels of a label map that was decoded to VOC's colours; None where it was not."""
    if not _is_decoded_palette(image):
        return None
    # A colour as one number, and the labels in the order of these numbers.
    codes = voc_palette().astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    order = np.argsort(codes)
    pixels = np.asarray(image.convert("RGB")).astype(np.uint32)
    seen = pixels @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    labels: npt.NDArray[np.uint8] = order[np.searchsorted(codes[order], seen)].astype(np.uint8)
    return labels


def _is_decoded_palette(image: Image.Image) -> bool:
    """Whether an image in colour has no colour but those of VOC's palette."""
    if image.mode not in ("RGB", "RGBA"):
        return False
    colours = image.convert("RGB").getcolors(256)  # None: there are more
    palette = {tuple(colour) for colour in voc_palette().tolist()}
    return colours is not None and all(colour in palette for _, colour in colours)


def _is_voc(colours: bytes) -> bool:
    return bool(colours) and _PALETTE.startswith(colours)


@dataclass(frozen=True)
class PngLook:
    """Facts about a PNG, whatever it holds.

    Attributes:
        size: (H, W).
        mode: As Pillow calls it: ``P`` is palette, ``L`` 8-bit grey.
        palette: Whose colours a palette PNG has: VOC's or its own; None without palette.
        pixels: How many pixels have each value that occurs; None where values are no 8-bit numbers.
        odd: Why it is no label map, and what to do.
        decoded_palette: Whether it is a label map that was decoded to colours.
    """

    size: tuple[int, int]
    mode: str
    palette: str | None
    pixels: dict[int, int] | None
    odd: str | None
    decoded_palette: bool


def look(path: Path) -> PngLook:
    """Look at any PNG.

    Raises:
        WsssError: The file is missing or broken.
    """
    image, label_map = _open(path)
    plain = label_map is not None
    palette = None
    if image.mode == "P":
        colours = bytes(image.getpalette() or ())
        palette = "VOC's colours" if _is_voc(colours) else "colours of its own"
    counts = {} if label_map is None else dict(enumerate(np.bincount(label_map.ravel()).tolist()))
    return PngLook(
        size=(image.height, image.width),
        mode=image.mode,
        palette=palette,
        pixels={value: count for value, count in counts.items() if count} if plain else None,
        odd=None if plain else _what_it_holds(image),
        decoded_palette=_is_decoded_palette(image),
    )


def _open(path: Path) -> tuple[Image.Image, npt.NDArray[np.uint8] | None]:
    """A decoded picture, and its (H, W) labels where its pixels may be labels; read-only."""
    try:
        image: Any = open_picture(path)
        if image.mode in ("P", "L") and image.format != JPEG:
            return image, stored_grey(image)
        image.load()
    except FileNotFoundError:
        raise WsssError(f"{path} does not exist") from None
    except DECODING_ERRORS as error:
        raise WsssError(f"{path} is not a readable PNG ({error}); restore the file") from error
    return image, None
