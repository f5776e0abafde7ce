"""Reads photographs and grey maps, and checks quickly whether they are readable."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from wsss_cli.artifacts.picture_formats import DECODING_ERRORS, open_picture
from wsss_cli.artifacts.pixel_values import Deep, deep_pixels, is_deep
from wsss_cli.errors import WsssError, listing

Pixels = npt.NDArray[np.uint8]

MOST_LOOKED_AT = 200
"""Number of photographs that are decoded to find how many of their 16 bits are used."""

_ALPHAS_LOOKED_AT = 20
_DEEPEST = 16
_DEEP_SUFFIXES = (".png", ".tif", ".tiff")
# Pixels without a known range, by Pillow's mode.
_RANGELESS = {"F": "floats", "I": "integers of 32 bits or with a sign"}
# Largest difference between the channels of a grey picture.
_TINGE = 32
# EXIF orientations that exchange width and height.
EXCHANGE_SIDES = (5, 6, 7, 8)
_JPEG_END = b"\xff\xd9"
# MemoryError: a chunk may declare four gigabytes, which Pillow allocates at once.


def read_image(path: Path, bits: Callable[[], int] | None = None) -> Pixels:
    """Decode a photograph to (H, W, 3) uint8 RGB.

    Of 16 bits per channel the upper eight of those in use are kept.

    Args:
        path: The file.
        bits: Returns how many of 16 bits per channel the data set uses, 8 to 16; called only for
            such files. None, or a file that uses more, takes the file's own number.

    Raises:
        WsssError: The file is missing, truncated, no image, or has floats or 32 bits.
    """
    try:
        with open_picture(path) as image:
            _require_photograph(path, image)
            if not is_deep(image):
                return np.array(image.convert("RGB"))
            deep = deep_pixels(path, image)
    except DECODING_ERRORS as error:
        raise _unreadable(path, error) from error
    used = _bits_of(deep) if bits is None else max(bits(), _bits_of(deep))
    eight = (deep >> (used - 8)).astype(np.uint8)
    return eight if eight.ndim == 3 else np.repeat(eight[..., None], 3, axis=2)


def bits_in_use(paths: Sequence[Path]) -> int:
    """Bits per channel that the 16-bit photographs of a data set use, 8 to 16.

    A camera with 12 bits leaves the upper four empty. All pictures are scaled alike, so that their
    brightness can be compared. At most ``MOST_LOOKED_AT`` are decoded, spread over the list.
    """
    bits = 8
    for path in _spread([path for path in paths if path.suffix.lower() in _DEEP_SUFFIXES]):
        try:
            with open_picture(path) as image:
                if is_deep(image):
                    bits = max(bits, _bits_of(deep_pixels(path, image)))
        except DECODING_ERRORS:
            continue  # an error where the photograph is used
        if bits == _DEEPEST:
            break
    return bits


def _spread(paths: Sequence[Path]) -> Sequence[Path]:
    return paths[:: max(1, -(-len(paths) // MOST_LOOKED_AT))]


def _bits_of(deep: Deep) -> int:
    return max(8, int(deep.max(initial=0)).bit_length())


def _require_photograph(path: Path, image: Image.Image) -> None:
    """Refuse pixels without a known range.

    Raises:
        WsssError: They are floats, or integers of 32 bits or with a sign.
    """
    if image.mode == "F" or (image.mode == "I" and not is_deep(image)):
        raise WsssError(
            f"{path} holds {_RANGELESS[image.mode]}, for which black and white are not defined; "
            "scale all photographs alike to 8 or 16 bits"
        )


@dataclass(frozen=True)
class Header:
    """Properties from the header of a photograph.

    Attributes:
        format: Pillow's name, such as ``JPEG`` or ``PNG``.
        suffixed: Whether the file's ending fits the format.
        turned: Whether it has an EXIF orientation, which viewers apply and stages ignore.
        turned_unseen: Whether it has one that leaves the size unchanged.
        deep: Whether it has 16 bits per channel.
        several: Whether it has several pages or frames, of which the first is used.
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
    """Read the header of a photograph, without decoding it.

    Raises:
        WsssError: The file is missing or no image.
    """
    try:
        with open_picture(path) as image:
            return _header(path, image)
    except DECODING_ERRORS as error:
        raise _unreadable(path, error) from error


def _header(path: Path, image: Image.Image) -> Header:
    kind, deep = str(image.format), is_deep(image)  # before EXIF, for which a PNG is decoded
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    turned = orientation not in (0, 1) and kind != "TIFF"  # which Pillow rotates while decoding
    same_size = orientation not in EXCHANGE_SIDES or image.width == image.height
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
    """Whether there are several pages or frames; previews in a phone's JPEG do not count."""
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
    except DECODING_ERRORS as error:
        raise _unreadable(path, error) from error


def read_saliency(path: Path, *, grey_only: bool = False) -> Pixels:
    """Decode a saliency map to (H, W) uint8; colours become grey, 16 bits become 8.

    Tools that cut objects out store the map in the alpha channel, so that is used if it varies, is
    zero everywhere or accompanies a picture in colour.

    Args:
        path: The file.
        grey_only: Whether to refuse colours, whose brightness says nothing.

    Raises:
        WsssError: The file is missing, truncated, no image, or holds floats or 32 bits.
    """
    try:
        with open_picture(path) as image:
            if image.mode == "F" or (image.mode == "I" and not is_deep(image)):
                raise WsssError(
                    f"{path} holds {_RANGELESS[image.mode]}, not grey values; save it as "
                    "8-bit grey, 255 where there is most"
                )
            if image.mode.startswith("I"):
                return (deep_pixels(path, image) >> 8).astype(np.uint8)
            grey, alpha, coloured = _channels(image)
    except DECODING_ERRORS as error:
        raise _unreadable(path, error) from error
    if alpha is not None and (coloured or alpha.min() != alpha.max() or not alpha.any()):
        return alpha
    if coloured and grey_only:
        raise WsssError(
            f"{path} is in colour, and its brightness says nothing; give a grey picture, 255 where "
            "there is most (a photograph, a heatmap in colours or a label map looks like this)"
        )
    return grey


def _channels(image: Image.Image) -> tuple[Pixels, Pixels | None, bool]:
    """(H, W) grey, (H, W) alpha if there is any, and whether there are colours."""
    grey = np.array(image.convert("L"))
    if image.mode in ("L", "1") and "transparency" not in image.info:
        return grey, None, False
    pixels = np.array(image.convert("RGBA"))
    colours = pixels[..., :3]
    # Grey saved as colour JPEG differs by a few steps between channels.
    coloured = bool((colours.max(axis=2) - colours.min(axis=2)).max(initial=0) > _TINGE)
    return grey, pixels[..., 3] if _has_alpha(image) else None, coloured


def largest_share(path: Path) -> float:
    """The largest value of a saliency map divided by the largest possible, in [0, 1].

    Raises:
        WsssError: As :func:`read_saliency`.
    """
    try:
        with open_picture(path) as image:
            if image.mode.startswith("I") and is_deep(image):
                return float(deep_pixels(path, image).max(initial=0)) / 0xFFFF
    except DECODING_ERRORS as error:
        raise _unreadable(path, error) from error
    return float(read_saliency(path, grey_only=True).max(initial=0)) / 0xFF


@dataclass
class NotUsed:
    """Counts photographs with content that is not used, or not as it is.

    Attributes:
        deep: Number with 16 bits per channel.
        several: Number with several pages or frames.
        alpha: Paths of those with an alpha channel or a transparent colour.
    """

    deep: int = 0
    several: int = 0
    alpha: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "NotUsed":
        """Count by the headers of photographs, without those that cannot be read."""
        not_used = cls()
        for path in paths:
            try:
                with open_picture(path) as image:
                    not_used.add(path, image)
            except DECODING_ERRORS:
                continue
        return not_used

    def add(self, path: Path, image: Image.Image) -> None:
        """Count a photograph that was just opened."""
        self.deep += is_deep(image)
        self.several += _has_frames(image)
        if _has_alpha(image):
            self.alpha.append(path)

    def remarks(self, bits: Callable[[], int] | None = None) -> list[str]:
        """Compose a sentence for each kind of content.

        Args:
            bits: Returns how many bits the 16-bit photographs of the data set use; None where each
                photograph is scaled by itself.
        """
        sentences = []
        if self.deep and bits is None:
            sentences.append(
                f"{self.deep} photographs have 16 bits a channel: the upper 8 of the bits that "
                "each of them uses are kept"
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
        # Only decoding shows whether an alpha channel is opaque everywhere.
        if any(map(_is_readable_and_transparent, self.alpha[:_ALPHAS_LOOKED_AT])):
            sentences.append(
                f"{len(self.alpha)} photographs have an alpha channel, and their transparency is "
                "not used: transparent pixels keep their stored colour"
            )
        return sentences


def _is_readable_and_transparent(path: Path) -> bool:
    """Whether a photograph is transparent; False for one that cannot be read."""
    try:
        return is_transparent(path)
    except WsssError:
        return False


def check_images(paths: Iterable[Path], not_used: NotUsed | None = None) -> list[tuple[int, int]]:
    """Find missing and truncated photographs before any work, without decoding them all.

    A JPEG with a readable header and an end marker in its last bytes is complete. Other JPEGs are
    decoded, since some cameras append data of their own.

    Args:
        paths: The photographs.
        not_used: Counter of content that is not used, if that is wanted.

    Returns:
        (H, W) of every photograph.

    Raises:
        WsssError: Files are missing, or one is broken.
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
        except DECODING_ERRORS as error:
            raise _unreadable(path, error) from error
        if not is_complete:
            read_image(path)
    if missing:
        raise WsssError(
            f"{len(missing)} images are missing from {missing[0].parent}: "
            f"{listing([path.name for path in missing])}; add them or remove the ids from the list"
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
        f"{path} is not a readable image ({error}); restore the file or remove its id from the list"
    )
