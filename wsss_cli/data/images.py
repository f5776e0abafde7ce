"""Photographs and grey maps from disk, and a quick look at whether they can be read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from wsss_cli.artifacts.picture_formats import open_picture
from wsss_cli.artifacts.pixel_values import Deep, deep_pixels, is_deep
from wsss_cli.errors import WsssError, listing

Pixels = npt.NDArray[np.uint8]

MOST_LOOKED_AT = 200
"""Photographs that are decoded to find how many of their 16 bits are in use."""

_ALPHAS_LOOKED_AT = 20
_DEEPEST = 16
_DEEP_SUFFIXES = (".png", ".tif", ".tiff")
# Kinds of pixels whose range is not known, by Pillow's mode.
_RANGELESS = {"F": "floats", "I": "integers of 32 bits or with a sign"}
# Steps by which the channels of a grey picture may differ.
_TINGE = 32
# EXIF orientations that exchange width and height.
_EXCHANGE_SIDES = (5, 6, 7, 8)
_JPEG_END = b"\xff\xd9"
# The last one: a chunk may declare four gigabytes, and Pillow asks for them at once.
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, MemoryError)


def read_image(path: Path, bits: Callable[[], int] | None = None) -> Pixels:
    """Decode a photograph to (H, W, 3) uint8 RGB.

    Of 16 bits a channel eight are kept: the upper ones of those that are in use.

    Args:
        path: The file.
        bits: Called where the file has 16 bits a channel, for how many of them its data set uses,
            8 to 16; None looks at this file alone, and so does a file that uses more.

    Raises:
        WsssError: The file is missing, truncated, no image, or one of floats or 32 bits.
    """
    try:
        with open_picture(path) as image:
            _require_photograph(path, image)
            if not is_deep(image):
                return np.array(image.convert("RGB"))
            deep = deep_pixels(path, image)
    except _DECODING_ERRORS as error:
        raise _unreadable(path, error) from error
    used = _bits_of(deep) if bits is None else max(bits(), _bits_of(deep))
    eight = (deep >> (used - 8)).astype(np.uint8)
    return eight if eight.ndim == 3 else np.repeat(eight[..., None], 3, axis=2)


def bits_in_use(paths: Sequence[Path]) -> int:
    """How many bits the photographs of a data set use that have 16 a channel, 8 to 16.

    A camera of 12 bits leaves the upper four empty; what scales one picture has to scale them all,
    or their brightness could not be compared. Of many, ``MOST_LOOKED_AT`` spread over the list are
    decoded.
    """
    bits = 8
    for path in _spread([path for path in paths if path.suffix.lower() in _DEEP_SUFFIXES]):
        try:
            with open_picture(path) as image:
                if is_deep(image):
                    bits = max(bits, _bits_of(deep_pixels(path, image)))
        except _DECODING_ERRORS:
            continue  # whoever reads it is told
        if bits == _DEEPEST:
            break
    return bits


def _spread(paths: Sequence[Path]) -> Sequence[Path]:
    return paths[:: max(1, -(-len(paths) // MOST_LOOKED_AT))]


def _bits_of(deep: Deep) -> int:
    return max(8, int(deep.max(initial=0)).bit_length())


def _require_photograph(path: Path, image: Image.Image) -> None:
    """Refuse numbers whose range no file says.

    Raises:
        WsssError: They are floats, or integers of 32 bits or with a sign.
    """
    if image.mode == "F" or (image.mode == "I" and not is_deep(image)):
        raise WsssError(
            f"{path} holds {_RANGELESS[image.mode]}, which do not say what is black and what is "
            "white; scale all photographs alike to 8 or 16 bits"
        )


@dataclass(frozen=True)
class Header:
    """What a photograph says of itself.

    Attributes:
        format: As Pillow calls it, ``JPEG`` or ``PNG``.
        suffixed: Whether the file's ending is one of that format.
        turned: Whether viewers turn it by its EXIF orientation, which nothing here does.
        turned_unseen: Whether they do, and the turned picture has the size of this one.
        deep: Whether it has 16 bits a channel.
        several: Whether it has further pages or frames, of which the first one is used.
        alpha: Whether it has an alpha channel or a transparent colour; all may be opaque.
    """

    format: str
    suffixed: bool
    turned: bool
    turned_unseen: bool
    deep: bool
    several: bool
    alpha: bool


def read_header(path: Path) -> Header:
    """Read what a photograph says of itself, without decoding it.

    Raises:
        WsssError: The file is missing or no image.
    """
    try:
        with open_picture(path) as image:
            return _header(path, image)
    except _DECODING_ERRORS as error:
        raise _unreadable(path, error) from error


def _header(path: Path, image: Image.Image) -> Header:
    kind, deep = str(image.format), is_deep(image)  # before EXIF, for which a PNG is decoded
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    turned = orientation not in (0, 1) and kind != "TIFF"  # which is turned while it is decoded
    same_size = orientation not in _EXCHANGE_SIDES or image.width == image.height
    return Header(
        format=kind,
        suffixed=Image.registered_extensions().get(path.suffix.lower()) == kind,
        turned=turned,
        turned_unseen=turned and same_size,
        deep=deep,
        several=_has_frames(image),
        alpha=_has_alpha(image),
    )


def _has_frames(image: Image.Image) -> bool:
    """Whether there are further pages or frames; of a phone's JPEG the second is no other view."""
    return image.format not in ("JPEG", "MPO") and bool(getattr(image, "is_animated", False))


def _has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def is_transparent(path: Path) -> bool:
    """Whether a picture with an alpha channel has a pixel that is not opaque.

    Raises:
        WsssError: It cannot be read.
    """
    try:
        with open_picture(path) as image:
            if not _has_alpha(image):
                return False
            return bool(np.asarray(image.convert("RGBA"))[..., 3].min() < 255)
    except _DECODING_ERRORS as error:
        raise _unreadable(path, error) from error


def read_saliency(path: Path, *, grey_only: bool = False) -> Pixels:
    """Decode a saliency map to (H, W) uint8; colour maps are turned to grey, 16 bits to 8.

    Tools that cut objects out leave the map in the alpha channel, so where that varies, or leaves
    nothing of the picture, or is beside a photograph, it is the map.

    Args:
        path: The file.
        grey_only: Refuse colours, whose brightness is no saliency.

    Raises:
        WsssError: The file is missing, truncated, no image, or holds floats or 32 bits.
    """
    try:
        with open_picture(path) as image:
            if image.mode == "F" or (image.mode == "I" and not is_deep(image)):
                raise WsssError(
                    f"{path} holds {_RANGELESS[image.mode]}, not grey values; save saliency as "
                    "8-bit grey, 255 where it is surest"
                )
            if image.mode.startswith("I"):
                return (deep_pixels(path, image) >> 8).astype(np.uint8)
            grey, alpha, coloured = _channels(image)
    except _DECODING_ERRORS as error:
        raise _unreadable(path, error) from error
    if alpha is not None and (coloured or alpha.min() != alpha.max() or not alpha.any()):
        return alpha
    if coloured and grey_only:
        raise WsssError(
            f"{path} is in colour, and its brightness is no saliency; give grey maps, 255 where "
            "something stands out (a photograph, a heatmap in colours or a label map looks like "
            "this)"
        )
    return grey


def _channels(image: Image.Image) -> tuple[Pixels, Pixels | None, bool]:
    """(H, W) grey, (H, W) alpha if there is any, and whether there are colours."""
    grey = np.array(image.convert("L"))
    if image.mode in ("L", "1") and "transparency" not in image.info:
        return grey, None, False
    pixels = np.array(image.convert("RGBA"))
    colours = pixels[..., :3]
    # JPEG leaves greys that were saved in colour a few steps of it.
    coloured = bool((colours.max(axis=2) - colours.min(axis=2)).max(initial=0) > _TINGE)
    return grey, pixels[..., 3] if _has_alpha(image) else None, coloured


def largest_share(path: Path) -> float:
    """The largest value of a saliency map, of the largest that its pixels can hold.

    Raises:
        WsssError: As :func:`read_saliency`.
    """
    try:
        with open_picture(path) as image:
            if image.mode.startswith("I") and is_deep(image):
                return float(deep_pixels(path, image).max(initial=0)) / 0xFFFF
    except _DECODING_ERRORS as error:
        raise _unreadable(path, error) from error
    return float(read_saliency(path, grey_only=True).max(initial=0)) / 0xFF


@dataclass
class NotUsed:
    """What photographs hold that is not used, or not as it is: how many of them.

    Attributes:
        deep: With 16 bits a channel.
        several: With further pages or frames.
        alpha: Those with an alpha channel or a transparent colour.
    """

    deep: int = 0
    several: int = 0
    alpha: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "NotUsed":
        """Look at the headers of photographs; what cannot be read is left to who reads it."""
        not_used = cls()
        for path in paths:
            try:
                with open_picture(path) as image:
                    not_used.add(path, image)
            except _DECODING_ERRORS:
                continue
        return not_used

    def add(self, path: Path, image: Image.Image) -> None:
        """Count a photograph that was just opened."""
        self.deep += is_deep(image)
        self.several += _has_frames(image)
        if _has_alpha(image):
            self.alpha.append(path)

    def remarks(self, bits: Callable[[], int] | None = None) -> list[str]:
        """A sentence for each kind that there is.

        Args:
            bits: Tells how many bits the data set's deep photographs use; None where each is scaled
                for itself.
        """
        sentences = []
        if self.deep and bits is None:
            sentences.append(
                f"{self.deep} photographs have 16 bits a channel: of each the upper 8 of those "
                "that it uses are taken"
            )
        elif self.deep and bits is not None:
            used = bits()
            sentences.append(
                f"{self.deep} photographs have 16 bits a channel, and the data set uses {used} of "
                f"them: all are divided by {2 ** (used - 8)} to fit into 8"
            )
        if self.several:
            sentences.append(
                f"{self.several} photographs have several pages or frames, of which the first is "
                "used; save the others as files of their own to use them"
            )
        # A channel that is opaque everywhere tells nothing; which is so is seen when it is decoded.
        if any(map(_shows_through, self.alpha[:_ALPHAS_LOOKED_AT])):
            sentences.append(
                f"{len(self.alpha)} photographs have an alpha channel, and their transparency is "
                "not used: pixels have the colour that is stored below it"
            )
        return sentences


def _shows_through(path: Path) -> bool:
    """Whether a photograph is transparent; one that cannot be read is told of when it is read."""
    try:
        return is_transparent(path)
    except WsssError:
        return False


def check_images(paths: Iterable[Path], not_used: NotUsed | None = None) -> list[tuple[int, int]]:
    """Find missing and truncated photographs before any work, without decoding them all.

    A JPEG whose header opens and whose last bytes are its end marker is whole; only a file that
    fails this is decoded for a verdict, since some cameras append data of their own.

    Args:
        paths: The photographs.
        not_used: Counts, if given, what they hold that is not used.

    Returns:
        (H, W) of every image.

    Raises:
        WsssError: Names the missing files, or the first broken one.
    """
    sizes, missing = [], []
    for path in paths:
        try:
            with open_picture(path) as image:
                _require_photograph(path, image)
                sizes.append((image.height, image.width))
                if not_used is not None:
                    not_used.add(path, image)
                is_complete = image.format != "JPEG" or _ends_whole(path)
        except FileNotFoundError:
            missing.append(path)
            continue
        except _DECODING_ERRORS as error:
            raise _unreadable(path, error) from error
        if not is_complete:
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
