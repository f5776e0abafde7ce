"""Checks that masks and saliency maps have the size of their picture, and are not rotated.

A camera held upright stores rotated pixels and notes that in EXIF. Stages use pixels as they are
stored (but Pillow rotates TIFF). Some tools that draw masks and saliency rotate pictures and some
do not, so a map with exchanged sides is refused.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Pixels, read_header, read_saliency
from wsss_cli.data.resizing import resize_grey
from wsss_cli.errors import WsssError, listing

# Formats with EXIF in the header; in PNG it may follow the pixels.
_TAGGED = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp"})


def if_turned(map_size: tuple[int, ...], size: tuple[int, ...]) -> str:
    """Explain exchanged sides (H, W) at the end of a message; empty if they are not exchanged."""
    if map_size != size[::-1] or map_size == size:
        return ""
    return (
        ": its sides are exchanged, so it was probably made by a tool that applies the EXIF "
        "orientation, which is ignored here; save the picture with rotated pixels and without it"
    )


def turned_masks(data_set: DataSet, image_ids: Iterable[str]) -> str | None:
    """Warn of masks that may have been drawn on rotated pictures.

    For square pictures and those upside down the size of a mask does not show it.

    Returns:
        A sentence, None without such pictures; unreadable pictures are skipped.
    """
    unsure = []
    for image_id in image_ids:
        path = data_set.image_path(image_id)
        if path.suffix.lower() in _TAGGED and data_set.has_mask(image_id):
            with suppress(WsssError):
                if read_header(path).turned_unseen:
                    unsure.append(image_id)
    return about_turned_masks(unsure)


def about_turned_masks(image_ids: Sequence[str]) -> str | None:
    """Name the pictures whose masks may be rotated; None without such pictures."""
    if not image_ids:
        return None
    return (
        f"{len(image_ids)} pictures have an EXIF orientation, which is ignored, and masks or "
        "regions whose size does not show whether they fit the stored or the rotated pixels; "
        f"compare one mask with its picture: {listing(image_ids)}"
    )


def require_size(
    name: str, map_size: tuple[int, ...], size: tuple[int, ...], *, beside: str = "its image"
) -> None:
    """Refuse a map that has another size than its image.

    Args:
        name: The file, or an image in it, for the message.
        map_size: (H, W) of the map.
        size: (H, W) of the image.
        beside: Name of the image in the message, with its verb if it needs one.

    Raises:
        WsssError: The sizes differ.
    """
    if map_size != size:
        raise WsssError(
            f"{name} is {map_size[1]} x {map_size[0]} pixels, {beside} {size[1]} x {size[0]}; they "
            f"must have the same size{if_turned(map_size, size)}"
        )


def read_fitted_saliency(path: Path, size: tuple[int, int]) -> tuple[Pixels, bool]:
    """Read the (H, W) uint8 saliency of an image of the size (H, W), and whether it was resized.

    Raises:
        WsssError: It cannot be read, is in colour, or has exchanged sides.
    """
    grey = read_saliency(path, grey_only=True)
    if if_turned(grey.shape, size):
        require_size(str(path), grey.shape, size)
    return resize_grey(grey, size), grey.shape != size
