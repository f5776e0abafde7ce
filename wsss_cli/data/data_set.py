"""What a stage may ask of a data set, whatever the layout on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.data.images import NotUsed, Pixels, check_images


class DataSet(Protocol):
    """Images with image-level labels, in named lists, perhaps with true masks.

    A picture is asked for by its id, a plain file name without folder and ending, which is also the
    name of everything made of it (``ID.png``). Ids are looked up in what was found in the tree;
    none is taken for a path.
    """

    @property
    def root(self) -> Path:
        """The folder or file by which ``--data`` finds the data set again."""
        ...

    @property
    def layout(self) -> str:
        """What kind of data set it is, for people."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of classes 1..C."""
        ...

    @property
    def remarks(self) -> Sequence[str]:
        """How its files were understood, where there was a choice."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """What was found wrong while its files were read."""
        ...

    def splits(self) -> list[str]:
        """Names of its lists."""
        ...

    def training_split(self) -> str:
        """The list that is trained on unless another one is asked for."""
        ...

    def about_training(self) -> str | None:
        """Why that list, where one could have expected another."""
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
        """The ids of a list that could be read, whatever else is wrong: to be looked at."""
        ...

    def image_path(self, image_id: str) -> Path:
        """Where the photograph lies, or should."""
        ...

    def read_image(self, image_id: str) -> Pixels:
        """The photograph, (H, W, 3) uint8 RGB.

        Raises:
            WsssError: It is missing or cannot be read.
        """
        ...

    @property
    def bits(self) -> int:
        """How many bits a channel its photographs of 16 bits use, 8 to 16."""
        ...

    def pictures(self) -> list[Path]:
        """All photographs of the tree, also those that no list names."""
        ...

    def labels(self, image_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Image-level labels, (N, C) multi-hot; a row of zeros is an image of none of the classes.

        Raises:
            WsssError: Nobody says which classes an image shows.
        """
        ...

    @property
    def masks(self) -> Path | None:
        """The folder of true masks, ``ID.png``, by which everything is scored, if there is one."""
        ...

    @property
    def masks_advice(self) -> str:
        """How to come to masks where there is no such folder."""
        ...

    def mask_path(self, image_id: str) -> Path | None:
        """Where an image's mask lies, or should; None without :attr:`masks`."""
        ...

    def training_mask_path(self, image_id: str) -> Path | None:
        """The mask to learn from with full supervision."""
        ...

    def has_mask(self, image_id: str) -> bool:
        """Whether a true mask, or regions to draw one of, belong to an image."""
        ...

    def about_masks(self) -> list[str]:
        """What is left out of the true masks and why; reads the regions where there are such."""
        ...

    def true_label_map(self, image_id: str) -> Pixels | None:
        """(H, W) uint8: 0 background, 1..C, 255 ignore; None where the truth is not known."""
        ...

    def fingerprint(self, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None) -> str:
        """As :func:`data_fingerprint`."""
        ...


def data_fingerprint(
    data: DataSet, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None
) -> str:
    """Name the data by class names, ids, image sizes in bytes and labels, not by its place."""
    images = [[image_id, data.image_path(image_id).stat().st_size] for image_id in image_ids]
    hot = None if labels is None else np.packbits(labels).tobytes().hex()
    return fingerprint([data.class_names, images, hot])


def image_sizes(
    data: DataSet, image_ids: Sequence[str], note: Callable[[str], None]
) -> list[tuple[int, int]]:
    """Check photographs before any work, and say once what of them is not used.

    Args:
        data: The data set.
        image_ids: Which of its photographs.
        note: Is told what they hold that is not used, or not as it is.

    Returns:
        (H, W) of every image.

    Raises:
        WsssError: Names the missing files, or the first broken one.
    """
    not_used = NotUsed()
    sizes = check_images(map(data.image_path, image_ids), not_used)
    for sentence in not_used.remarks(lambda: data.bits):
        note(sentence)
    return sizes
