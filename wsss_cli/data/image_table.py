"""A data set as a table of images: what every layout but VOC's is read into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.command_line import command_line
from wsss_cli.data.data_set import data_fingerprint
from wsss_cli.data.images import Pixels, bits_in_use, read_image
from wsss_cli.data.list_names import TRAIN, split_name
from wsss_cli.data.pictures import MASK_FOLDERS
from wsss_cli.errors import UsageError, WsssError, did_you_mean, listing

MASKS_ADVICE = (
    "put masks as masks/ID.png into its folder, name a folder of them with --gt DIR, or do without "
    "scores"
)


class Truth(Protocol):
    """True masks that are made where there are no files of them."""

    def __contains__(self, image_id: object) -> bool:
        """Whether anything is known of an image's mask."""
        ...

    def __call__(self, image_id: str) -> Pixels | None:
        """(H, W) uint8 of an image; None where its mask is not known."""
        ...

    def remarks(self) -> list[str]:
        """What of the sources is left out of the masks, and why."""
        ...


@dataclass(frozen=True)
class LabelledImage:
    """Where a photograph lies, and what is known to be in it.

    Attributes:
        path: The file.
        classes: Names of its classes, none for a negative; None where nobody says them.
    """

    path: Path
    classes: frozenset[str] | None


@dataclass(frozen=True)
class ImageTable:
    """Images with labels, held in memory.

    Attributes:
        root: What ``--data`` names.
        layout: What kind of data set it is, for people.
        class_names: Of classes 1..C.
        images: By id.
        lists: Ids of each list.
        found: All photographs below the folder, labelled or not.
        masks: Folder of true masks, if there is one.
        problems: What is wrong with its files.
        absent: Why a list has no picture, where that is no reason to refuse the others.
        remarks: How they were understood.
        masks_advice: How to come to masks where there are none.
        truth: Makes true masks where there is no folder of them.
    """

    root: Path
    layout: str
    class_names: tuple[str, ...]
    images: Mapping[str, LabelledImage]
    lists: Mapping[str, Sequence[str]]
    found: Sequence[Path]
    masks: Path | None = None
    problems: Sequence[str] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    masks_advice: str = MASKS_ADVICE
    truth: Truth | None = None

    def splits(self) -> list[str]:
        """Names of the lists."""
        return list(self.lists)

    def training_split(self) -> str:
        """Always ``train``."""
        return TRAIN

    def about_training(self) -> str | None:
        """Say so where nobody has divided the images."""
        if list(self.lists) != [TRAIN]:
            return None
        return f"{self.root} has one list only, so all its images are trained on"

    def image_ids(self, split: str, *, option: str = "--split") -> list[str]:
        """The ids of a list, in its order.

        Args:
            split: Its name.
            option: The option that names it, for the message.

        Raises:
            UsageError: There is no such list.
            WsssError: Something is wrong with the data set's files, or the list is empty.
        """
        split = self._list_called(split)
        if split in self.absent:
            raise WsssError(self.absent[split])
        if self.problems:
            more = len(self.problems) - 1
            lists = command_line("data check", self.root)
            rest = f" (and {more} more: `{lists}` lists them)" if more else ""
            raise WsssError(f"{self.problems[0]}{rest}")
        if split not in self.lists:
            raise UsageError(
                f"{self.root} has no list {split}; there is {listing(self.splits()) or 'none'} "
                f"(choose with {option}){did_you_mean(split, self.splits())}"
            )
        if not self.lists[split]:
            raise WsssError(f"{self.root}: the list {split} holds no image")
        return list(self.lists[split])

    def usable_ids(self, split: str) -> list[str]:
        """The ids of a list whose pictures are there, whatever else is wrong."""
        return list(self.lists.get(self._list_called(split), ()))

    def _list_called(self, name: str) -> str:
        return name if name in self.lists else split_name(name)

    def image_path(self, image_id: str) -> Path:
        """Where the photograph lies; a place where nothing is for an unknown id."""
        image = self.images.get(image_id)
        return self.root / image_id if image is None else image.path

    def read_image(self, image_id: str) -> Pixels:
        """The photograph; those of 16 bits a channel are scaled alike."""
        return read_image(self.image_path(image_id), lambda: self.bits)

    @cached_property
    def bits(self) -> int:
        """How many bits a channel the photographs of 16 bits use."""
        return bits_in_use(self.found)

    def pictures(self) -> list[Path]:
        """All photographs below the folder."""
        return list(self.found)

    def labels(self, image_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Image-level labels, (N, C) multi-hot; a row of zeros is an image of none of the classes.

        Raises:
            WsssError: Names the images of which nobody says their classes.
        """
        said = {i: self.images[i].classes for i in image_ids if i in self.images}
        known = {i: classes for i, classes in said.items() if classes is not None}
        bare = [i for i in image_ids if i not in known]
        if bare:
            raise WsssError(
                f"{self.root}: {len(bare)} images have no label: {listing(bare)}; label them or "
                "take them out of the list"
            )
        rows = [[name in known[i] for name in self.class_names] for i in image_ids]
        return np.array(rows, np.bool_).reshape(len(image_ids), len(self.class_names))

    def mask_path(self, image_id: str) -> Path | None:
        """Where the mask lies, or should."""
        return None if self.masks is None else self.masks / f"{image_id}.png"

    def training_mask_path(self, image_id: str) -> Path | None:
        """The same."""
        return self.mask_path(image_id)

    def has_mask(self, image_id: str) -> bool:
        """Whether there is a mask, or what one can be made of."""
        path = self.mask_path(image_id)
        if path is None:
            return self.truth is not None and image_id in self.truth
        return path.exists()

    def about_masks(self) -> list[str]:
        """What is left out where masks are made."""
        return [] if self.masks is not None or self.truth is None else self.truth.remarks()

    def true_label_map(self, image_id: str) -> Pixels | None:
        """The mask, read or made."""
        path = self.mask_path(image_id)
        if path is None:
            return None if self.truth is None else self.truth(image_id)
        if not path.exists():
            return None
        return read_label_map(path, num_labels=len(self.class_names) + 1)

    def fingerprint(self, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None) -> str:
        """As of every data set."""
        return data_fingerprint(self, image_ids, labels)


def masks_beside(folder: Path) -> Path | None:
    """The folder of masks in a data set's folder, ``masks`` before ``Masks``."""
    there = [*(folder / name for name in MASK_FOLDERS), *sorted(folder.iterdir())]
    usual = {name.casefold() for name in MASK_FOLDERS}
    return next((path for path in there if path.name.casefold() in usual and path.is_dir()), None)
