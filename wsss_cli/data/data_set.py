"""The data set as stages see it, whatever its layout on disk."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.fingerprint import file_fingerprint, fingerprint
from wsss_cli.data.images import NotUsed, Pixels, check_images

# Pictures that may be uncompressed.
_PLAIN_SUFFIXES = frozenset({".bmp", ".tif", ".tiff"})


class DataSet(Protocol):
    """Images with image-level labels, in named lists, perhaps with true masks.

    An image id is a plain file name without folder and ending, and also the name of everything made
    of the image (``ID.png``). Ids are looked up among the files of the data set and never used as
    paths.
    """

    @property
    def root(self) -> Path:
        """The folder or file with which ``--data`` finds this data set again."""
        ...

    @property
    def layout(self) -> str:
        """Name of the layout, for people."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of classes 1..C."""
        ...

    @property
    def remarks(self) -> Sequence[str]:
        """Sentences on how its files were understood where there was a choice."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """Sentences on what is wrong with its files."""
        ...

    def with_remark(self, remark: str) -> Self:
        """Return the same data set with one more remark, before the others."""
        ...

    def splits(self) -> list[str]:
        """Names of its lists."""
        ...

    def training_split(self) -> str:
        """Name of the list that is used for training by default."""
        ...

    def about_training(self) -> str | None:
        """Explain the choice of that list where another could be expected."""
        ...

    def image_ids(self, split: str, *, option: str = "--split") -> list[str]:
        """The ids of a list.

        Args:
            split: Its name.
            option: The option that names it, for the message.

        Raises:
            UsageError: There is no such list.
            WsssError: Something is wrong with the list, or with the files that have all lists.
        """
        ...

    def usable_ids(self, split: str) -> list[str]:
        """The readable ids of a list, whatever else is wrong: for inspection."""
        ...

    def image_path(self, image_id: str) -> Path:
        """Path of the photograph, which may not exist."""
        ...

    def read_image(self, image_id: str) -> Pixels:
        """The photograph, (H, W, 3) uint8 RGB.

        Raises:
            WsssError: It is missing or cannot be read.
        """
        ...

    @property
    def bits(self) -> int:
        """Bits per channel that its 16-bit photographs use, 8 to 16."""
        ...

    def pictures(self) -> list[Path]:
        """Paths of all photographs, also those in no list."""
        ...

    def labels(self, image_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Image-level labels, (N, C) multi-hot; a row of zeros is an image of none of the classes.

        Raises:
            WsssError: An image has no label.
        """
        ...

    @property
    def masks(self) -> Path | None:
        """Folder of true masks, ``ID.png``, for scores; None without such a folder."""
        ...

    @property
    def masks_advice(self) -> str:
        """Advice on how to get masks where there is no such folder."""
        ...

    def mask_path(self, image_id: str) -> Path | None:
        """Path of a mask, which may not exist; None without :attr:`masks`."""
        ...

    def training_mask_path(self, image_id: str) -> Path | None:
        """Path of the mask for training with full supervision."""
        ...

    def has_mask(self, image_id: str) -> bool:
        """Whether an image has a true mask, or regions from which one can be drawn."""
        ...

    def about_masks(self) -> list[str]:
        """Sentences on what the true masks leave out and why; reads all regions."""
        ...

    def true_label_map(self, image_id: str) -> Pixels | None:
        """(H, W) uint8: 0 background, 1..C classes, 255 ignore; None where there is no mask."""
        ...

    def fingerprint(self, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None) -> str:
        """Fingerprint of images and labels, see :func:`data_fingerprint`."""
        ...


def data_fingerprint(
    data: DataSet, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None
) -> str:
    """Fingerprint class names, ids, file sizes and labels, but not where the data lies.

    Where the sides of a picture alone make the size of its file, its bytes count as well.
    """
    images = [[image_id, *_identity(data.image_path(image_id))] for image_id in image_ids]
    packed_labels = None if labels is None else np.packbits(labels).tobytes().hex()
    return fingerprint([data.class_names, images, packed_labels])


def _identity(path: Path) -> list[int | str]:
    """What tells the file of a photograph from that of another one."""
    facts = path.stat()
    if path.suffix.lower() not in _PLAIN_SUFFIXES:
        return [facts.st_size]
    return [facts.st_size, _bytes_hash(path, facts.st_size, facts.st_ctime_ns)]


@cache
def _bytes_hash(path: Path, _size: int, _changed: int) -> str:
    """SHA-256 of a file's bytes; several inputs of a stage are of the same photographs."""
    return file_fingerprint(path)


def image_sizes(
    data: DataSet, image_ids: Sequence[str], note: Callable[[str], None]
) -> list[tuple[int, int]]:
    """Check photographs before any work, and report what of them is not used.

    Args:
        data: The data set.
        image_ids: Which of its photographs.
        note: Receives one sentence for each kind of content that is not used as it is.

    Returns:
        (H, W) of every image.

    Raises:
        WsssError: Photographs are missing or unreadable.
    """
    not_used = NotUsed()
    sizes = check_images(map(data.image_path, image_ids), not_used)
    for sentence in not_used.remarks(lambda: data.bits):
        note(sentence)
    return sizes
