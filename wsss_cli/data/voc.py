"""Data sets in PASCAL VOC's layout, with image-level labels from the annotations.

VOC2012/
  JPEGImages/ID.jpg  Annotations/ID.xml  ImageSets/Segmentation/SPLIT.txt
  SegmentationClass/ID.png     masks of VOC, for scoring
  SegmentationClassAug/ID.png  masks of VOC and SBD, for full supervision where there
  classes.txt                  class names, one a line, where they are not VOC's twenty

A tree without the list train_aug that has SBD's lists beside it gets the list they make.
"""

import re
import xml.parsers.expat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.file_names import names_a_file
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.plain_file import NOT_PLAIN, is_plain
from wsss_cli.data.class_names import CLASSES_FILE, read_class_names, read_lines
from wsss_cli.data.data_set import data_fingerprint
from wsss_cli.data.images import Pixels, bits_in_use, read_image
from wsss_cli.data.pictures import PICTURE_SUFFIXES, is_picture
from wsss_cli.data.sbd import TRAIN_AUG_IMAGES, find_sbd, train_aug
from wsss_cli.errors import UsageError, WsssError, did_you_mean, listing

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip

_TRAIN_AUG = "train_aug"
_SAFE_ID = re.compile(r"[\w][\w.\-]*")


@dataclass(frozen=True)
class VocTree:
    """A VOC tree on disk.

    Attributes:
        root: The folder that holds ``JPEGImages``.
    """

    root: Path
    layout = "PASCAL VOC"
    problems = ()
    masks_advice = "give them with --gt DIR"

    @classmethod
    def find(cls, path: Path) -> "VocTree | None":
        """The tree itself, or the one in it as ``VOCdevkit`` or its parent holds it; else None."""
        for candidate in (path, path / "VOC2012", path / "VOCdevkit" / "VOC2012"):
            if (candidate / "JPEGImages").is_dir():
                return cls(candidate.resolve())
        return None

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of classes 1..C: ``classes.txt`` where the tree has one, else VOC's twenty."""
        path = self.root / CLASSES_FILE
        return read_class_names(path) if path.exists() else VOC_CLASSES

    @property
    def remarks(self) -> list[str]:
        """Where ``train_aug`` comes from, unless it is a list of the tree."""
        sbd = self._sbd
        if sbd is None:
            return []
        found = len(self.image_ids(_TRAIN_AUG))
        usual = "" if found == TRAIN_AUG_IMAGES else f"; the usual list has {TRAIN_AUG_IMAGES:,}"
        return [
            f"train_aug is made of the lists in {sbd} and VOC's train, less VOC's val: {found:,} "
            f"images{usual}"
        ]

    def splits(self) -> list[str]:
        """Names of the lists."""
        there = sorted(found.stem for found in self._list_path("train").parent.glob("*.txt"))
        return there if self._sbd is None else [_TRAIN_AUG, *there]

    def training_split(self) -> str:
        """``train_aug`` where its list exists or SBD's lists do, else ``train``."""
        made = self._list_path(_TRAIN_AUG).exists() or self._sbd is not None
        return _TRAIN_AUG if made else "train"

    def about_training(self) -> str | None:
        """Say so where the larger list is not there, or how it was made."""
        if self.training_split() == "train":
            return "the tree has no train_aug list, so the train list is used"
        return next(iter(self.remarks), None)

    def image_ids(self, split: str, *, option: str = "--split") -> list[str]:
        """The ids of a split, in the order of its list.

        Args:
            split: Its name.
            option: The option that names it, for the message.

        Raises:
            UsageError: There is no such list.
            WsssError: The list is empty or holds something that is no id.
        """
        path = self._list_path(split, option)
        sbd = self._sbd
        if split == _TRAIN_AUG and sbd is not None:
            lists = (sbd / "train.txt", sbd / "val.txt", *map(self._list_path, ("train", "val")))
            return train_aug(*(set(_read_list(one)) for one in lists))
        if not path.is_file():
            raise UsageError(
                f"{path} does not exist; lists found beside it: "
                f"{listing(self.splits()) or 'none'} (choose with {option})"
                f"{did_you_mean(split, self.splits())}"
            )
        return _read_list(path)

    @cached_property
    def _sbd(self) -> Path | None:
        """The folder of SBD's lists, where they are needed to make ``train_aug``."""
        needed = map(self._list_path, ("train", "val"))
        if self._list_path(_TRAIN_AUG).exists() or not all(path.is_file() for path in needed):
            return None
        return find_sbd(self.root)

    def image_path(self, image_id: str) -> Path:
        """Where the photograph lies: ``ID.jpg``, or another kind of picture where there is none."""
        path = self.root / "JPEGImages" / f"{image_id}.jpg"
        if path.exists() or not _SAFE_ID.fullmatch(image_id):
            return path
        others = (path.with_name(f"{image_id}{suffix}") for suffix in sorted(PICTURE_SUFFIXES))
        return next((other for other in others if other.exists()), path)

    def read_image(self, image_id: str) -> Pixels:
        """The photograph; those of 16 bits a channel are scaled alike."""
        return read_image(self.image_path(image_id), lambda: self.bits)

    @cached_property
    def bits(self) -> int:
        """How many bits a channel the photographs of 16 bits use."""
        return bits_in_use(self.pictures())

    def pictures(self) -> list[Path]:
        """All photographs, also those of no list."""
        return sorted(path for path in (self.root / "JPEGImages").iterdir() if is_picture(path))

    @property
    def masks(self) -> Path:
        """The folder of VOC's own masks, by which everything is scored."""
        return self.root / "SegmentationClass"

    def mask_path(self, image_id: str) -> Path:
        """Where VOC's own mask lies."""
        return self.masks / f"{image_id}.png"

    def training_mask_path(self, image_id: str) -> Path:
        """The mask for full supervision: VOC's own, else SBD's from ``SegmentationClassAug``."""
        own = self.mask_path(image_id)
        extra = self.root / "SegmentationClassAug" / f"{image_id}.png"
        return extra if extra.exists() and not own.exists() else own

    def true_label_map(self, image_id: str) -> Pixels | None:
        """VOC's own mask."""
        path = self.mask_path(image_id)
        if not path.exists():
            return None
        return read_label_map(path, num_labels=len(self.class_names) + 1)

    def labels(self, image_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Image-level labels, (N, C) multi-hot, from the annotations.

        Every object counts, "difficult" ones too, as in the label files this field shares. An
        annotation without objects is that of an image of none of the classes: a row of zeros.

        Raises:
            WsssError: An annotation is missing or broken, or names an unknown class.
        """
        index = {name: column for column, name in enumerate(self.class_names)}
        labels = np.zeros((len(image_ids), len(index)), np.bool_)
        missing = []
        for row, image_id in enumerate(image_ids):
            path = self.root / "Annotations" / f"{image_id}.xml"
            if not path.exists():
                missing.append(image_id)
                continue
            for name in object_names(path):
                if name not in index:
                    raise WsssError(
                        f"{path} names the class {name!r}, which is not among {', '.join(index)}; "
                        "correct it, or list your own classes in classes.txt beside JPEGImages"
                        f"{did_you_mean(name, index)}"
                    )
                labels[row, index[name]] = True
        if missing:
            raise WsssError(
                f"{self.root / 'Annotations'} lacks the XML of {len(missing)} images: "
                f"{listing(missing)}; add them or take the ids out of the list"
            )
        return labels

    def fingerprint(self, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None) -> str:
        """As of every data set."""
        return data_fingerprint(self, image_ids, labels)

    def _list_path(self, split: str, option: str = "--split") -> Path:
        if not _SAFE_ID.fullmatch(split) or not names_a_file(split):
            raise UsageError(f"{option} {split!r} is not the name of a list, such as train or val")
        return self.root / "ImageSets" / "Segmentation" / f"{split}.txt"


def _read_list(path: Path) -> list[str]:
    """The ids of a list: the first word of each line.

    Raises:
        WsssError: There is none, one twice, or something that is no id.
    """
    ids = [line.split()[0] for line in read_lines(path) if line.strip()]
    if not ids:
        raise WsssError(f"{path} lists no image")
    odd = [i for i in ids if not _SAFE_ID.fullmatch(i) or not names_a_file(i)]
    if odd:
        raise WsssError(f"{path}: {odd[0]!r} is not an image id (a file name without folder)")
    repeated = (
        sorted({image_id for image_id in ids if ids.count(image_id) > 1})
        if len(set(ids)) != len(ids)
        else []
    )
    if repeated:
        raise WsssError(f"{path} lists an image twice: {listing(repeated)}")
    return ids


def object_names(path: Path) -> list[str]:
    """The class name of every ``<object>`` of a VOC annotation.

    Raises:
        WsssError: The file is not such XML; a document type, the door of entity bombs, is refused.
    """
    names: list[str] = []
    open_tags: list[str] = []

    def in_name() -> bool:
        return len(open_tags) == 3 and open_tags[1:] == ["object", "name"]

    def start(tag: str, _: dict[str, str]) -> None:
        open_tags.append(tag)
        if in_name():
            names.append("")

    def text(content: str) -> None:
        if in_name():
            names[-1] += content

    def doctype(*_: object) -> None:
        raise WsssError(f"{path} declares a document type, which no VOC annotation does; remove it")

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_tags.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        if not is_plain(path):
            raise OSError(NOT_PLAIN)
        parser.Parse(path.read_bytes(), True)
    except (xml.parsers.expat.ExpatError, ValueError, LookupError, OSError) as error:
        # Value and look-up errors are of encodings that Python has not, or that are none of text.
        raise WsssError(f"{path} is not readable XML ({error}); restore the file") from error
    return [name.strip() for name in names]
