"""What other tools draw for pictures: of the picture's size, and not turned.

A camera held upright stores its pixels lying on their side, and says so in EXIF. Pixels are used
here as Pillow decodes them: as they are stored, but for TIFF, which it turns. Of the tools that
draw masks and saliency some turn pictures and some do not; what lies on its side is refused.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Pixels, read_header, read_saliency
from wsss_cli.data.resizing import resize_grey
from wsss_cli.errors import WsssError, listing

# Endings of pictures that cameras tag; of PNG the tag may stand behind the pixels.
_TAGGED = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp"})


def if_turned(map_size: tuple[int, ...], size: tuple[int, ...]) -> str:
    """The likely cause, where the sides (H, W) are exchanged; nothing where they are not."""
    if map_size != size[::-1] or map_size == size:
        return ""
    return (
        ": its sides are exchanged, so it was probably made by a tool that turns pictures by their "
        "EXIF orientation, which is not done here; store the picture's pixels as they are seen"
    )


def turned_masks(data_set: DataSet, image_ids: Iterable[str]) -> str | None:
    """Warn of masks that may have been drawn on pictures as viewers turn them.

    Of a square picture, and of one on its head, the size of a mask cannot tell.

    Returns:
        A sentence, None where there are no such pictures. Pictures that cannot be read are left to
        whoever reads them.
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
    """Say of which pictures the masks may lie on their side; None without such pictures."""
    if not image_ids:
        return None
    return (
        f"{len(image_ids)} pictures are turned by viewers (EXIF) and have masks or regions, whose "
        "size cannot tell whether they were drawn on the turned picture: compare one with its "
        f"picture, and store the pixels as they are seen: {listing(image_ids)}"
    )


def require_size(
    name: str, map_size: tuple[int, ...], size: tuple[int, ...], *, beside: str = "its image"
) -> None:
    """Refuse what does not lie pixel on pixel on an image.

    Args:
        name: The file, or an image in it, for the message.
        map_size: Its size (H, W).
        size: (H, W) of the image, or of what lies on it.
        beside: What has that size, for the message; with its verb where it needs one.

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
        WsssError: It cannot be read, is in colour, or was made for the picture on its side.
    """
    grey = read_saliency(path, grey_only=True)
    if if_turned(grey.shape, size):
        require_size(str(path), grey.shape, size)
    return resize_grey(grey, size), grey.shape != size
