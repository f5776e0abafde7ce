"""A data set as a table of images in memory; every layout except VOC's becomes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    "put masks as masks/ID.png into its folder, pass a folder with --gt DIR, or do without scores"
)


class Truth(Protocol):
    """Draws true masks where there are no mask files."""

    def __contains__(self, image_id: object) -> bool:
        """Whether an image has a source for its mask."""
        ...

    def __call__(self, image_id: str) -> Pixels | None:
        """(H, W) uint8 label map of an image; None where it cannot be drawn."""
        ...

    def remarks(self) -> list[str]:
        """Sentences on what the masks leave out, and why."""
        ...


@dataclass(frozen=True)
class LabelledImage:
    """A photograph and its image-level labels.

    Attributes:
        path: The file.
        classes: Names of its classes, none for a negative; None without labels.
    """

    path: Path
    classes: frozenset[str] | None


@dataclass(frozen=True)
class ImageTable:
    """Images with labels, held in memory.

    Attributes:
        root: Path that ``--data`` names.
        layout: Name of the layout, for people.
        class_names: Names of classes 1..C.
        images: Labelled images by id.
        lists: Image ids by list.
        photographs: Paths of all photographs below the folder, labelled or not.
        masks: Folder of true masks, if there is one.
        problems: Sentences on what is wrong with its files.
        absent: Reasons why a list has no picture; other lists may still be used.
        remarks: Sentences on how its files were understood.
        masks_advice: Advice on how to get masks where there are none.
        truth: Source of true masks where there is no folder of masks.
    """

    root: Path
    layout: str
    class_names: tuple[str, ...]
    images: Mapping[str, LabelledImage]
    lists: Mapping[str, Sequence[str]]
    photographs: Sequence[Path]
    masks: Path | None = None
    problems: Sequence[str] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    masks_advice: str = MASKS_ADVICE
    truth: Truth | None = None

    def with_remark(self, remark: str) -> "ImageTable":
        """Return the same data set with one more remark, before the others."""
        return replace(self, remarks=[remark, *self.remarks])

    def splits(self) -> list[str]:
        """Names of the lists."""
        return list(self.lists)

    def training_split(self) -> str:
        """Always ``train``."""
        return TRAIN

    def about_training(self) -> str | None:
        """Report that the images are not divided into lists."""
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
            raise WsssError(f"{self.root}: the list {split} is empty; add images to it")
        return list(self.lists[split])

    def usable_ids(self, split: str) -> list[str]:
        """The ids of a list whose pictures are there, whatever else is wrong."""
        return list(self.lists.get(self._list_called(split), ()))

    def _list_called(self, name: str) -> str:
        return name if name in self.lists else split_name(name)

    def image_path(self, image_id: str) -> Path:
        """Path of the photograph; a path that does not exist for an unknown id."""
        image = self.images.get(image_id)
        return self.root / image_id if image is None else image.path

    def read_image(self, image_id: str) -> Pixels:
        """The photograph; those of 16 bits a channel are scaled alike."""
        return read_image(self.image_path(image_id), lambda: self.bits)

    @cached_property
    def bits(self) -> int:
        """Bits per channel that the 16-bit photographs use."""
        return bits_in_use(self.photographs)

    def pictures(self) -> list[Path]:
        """All photographs below the folder."""
        return list(self.photographs)

    def labels(self, image_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Image-level labels, (N, C) multi-hot; a row of zeros is an image of none of the classes.

        Raises:
            WsssError: Images have no label.
        """
        classes = {i: self.images[i].classes for i in image_ids if i in self.images}
        labelled = {i: names for i, names in classes.items() if names is not None}
        unlabelled = [i for i in image_ids if i not in labelled]
        if unlabelled:
            raise WsssError(
                f"{self.root}: {len(unlabelled)} images have no label: {listing(unlabelled)}; "
                "label them or remove them from the list"
            )
        rows = [[name in labelled[i] for name in self.class_names] for i in image_ids]
        return np.array(rows, np.bool_).reshape(len(image_ids), len(self.class_names))

    def mask_path(self, image_id: str) -> Path | None:
        """Path of the mask, which may not exist; None without a folder of masks."""
        return None if self.masks is None else self.masks / f"{image_id}.png"

    def training_mask_path(self, image_id: str) -> Path | None:
        """Path of the same mask."""
        return self.mask_path(image_id)

    def has_mask(self, image_id: str) -> bool:
        """Whether there is a mask, or regions from which one can be drawn."""
        path = self.mask_path(image_id)
        if path is None:
            return self.truth is not None and image_id in self.truth
        return path.exists()

    def about_masks(self) -> list[str]:
        """Sentences on what drawn masks leave out."""
        return [] if self.masks is not None or self.truth is None else self.truth.remarks()

    def true_label_map(self, image_id: str) -> Pixels | None:
        """The true mask, read or drawn."""
        path = self.mask_path(image_id)
        if path is None:
            return None if self.truth is None else self.truth(image_id)
        if not path.exists():
            return None
        return read_label_map(path, num_labels=len(self.class_names) + 1)

    def fingerprint(self, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None) -> str:
        """Fingerprint of images and labels."""
        return data_fingerprint(self, image_ids, labels)


def masks_beside(folder: Path) -> Path | None:
    """The folder of masks in a data set's folder, ``masks`` before ``Masks``."""
    there = [*(folder / name for name in MASK_FOLDERS), *sorted(folder.iterdir())]
    usual = {name.casefold() for name in MASK_FOLDERS}
    return next((path for path in there if path.name.casefold() in usual and path.is_dir()), None)
