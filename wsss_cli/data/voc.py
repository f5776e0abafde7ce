"""Data sets in PASCAL VOC's layout, with image-level labels from the annotations.

VOC2012/
  JPEGImages/ID.jpg  Annotations/ID.xml  ImageSets/Segmentation/SPLIT.txt
  SegmentationClass/ID.png     masks of VOC, for scoring
  SegmentationClassAug/ID.png  masks of VOC and SBD, for full supervision where there
  classes.txt                  class names, one a line, where they are not VOC's twenty
"""

import re
import xml.parsers.expat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.errors import UsageError, WsssError, listing

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip

_SAFE_ID = re.compile(r"[\w][\w.\-]*")


@dataclass(frozen=True)
class VocTree:
    """A VOC tree on disk.

    Attributes:
        root: The folder that holds ``JPEGImages``.
    """

    root: Path

    @classmethod
    def find(cls, path: Path) -> "VocTree":
        """Accept the tree itself, its parent ``VOCdevkit``, or the parent of that.

        Raises:
            UsageError: There is no VOC tree at or right below ``path``.
        """
        for candidate in (path, path / "VOC2012", path / "VOCdevkit" / "VOC2012"):
            if (candidate / "JPEGImages").is_dir():
                return cls(candidate.resolve())
        what = "is a file" if path.is_file() else "does not exist"
        what = "has no JPEGImages folder" if path.is_dir() else what
        raise UsageError(
            f"--data {path}: it {what}; give the folder that holds JPEGImages, Annotations and "
            "ImageSets (VOC2012 or VOCdevkit)"
        )

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of classes 1..C: ``classes.txt`` where the tree has one, else VOC's twenty."""
        path = self.root / "classes.txt"
        if not path.exists():
            return VOC_CLASSES
        names = tuple(line.strip() for line in _lines(path) if line.strip())
        if not 0 < len(names) < 255 or len(set(names)) != len(names):
            raise WsssError(f"{path} must name 1 to 254 different classes, one a line")
        if "background" in (name.lower() for name in names):
            raise WsssError(
                f"{path} names the background, which is label 0 without being named; remove the "
                "line, or all classes are numbered one too high"
            )
        return names

    def training_split(self) -> str:
        """``train_aug`` where its list exists, else ``train``."""
        return "train_aug" if self._list_path("train_aug").exists() else "train"

    def image_ids(self, split: str) -> list[str]:
        """The ids of a split, in the order of its list.

        Raises:
            UsageError: There is no such list.
            WsssError: The list is empty or holds something that is no id.
        """
        path = self._list_path(split)
        if not path.is_file():
            there = sorted(found.stem for found in path.parent.glob("*.txt"))
            raise UsageError(
                f"{path} does not exist; lists found beside it: {listing(there) or 'none'} "
                "(choose with --split)"
            )
        ids = [line.split()[0] for line in _lines(path) if line.strip()]
        if not ids:
            raise WsssError(f"{path} lists no image")
        odd = [image_id for image_id in ids if not _SAFE_ID.fullmatch(image_id)]
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

    def image_path(self, image_id: str) -> Path:
        """Where the photograph lies."""
        return self.root / "JPEGImages" / f"{image_id}.jpg"

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

    def labels(self, image_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Image-level labels, (N, C) multi-hot, from the annotations.

        Every object counts, "difficult" ones too, as in the label files this field shares.

        Raises:
            WsssError: An annotation is missing or broken, names an unknown class, or names none.
        """
        index = {name: column for column, name in enumerate(self.class_names)}
        labels = np.zeros((len(image_ids), len(index)), np.bool_)
        missing, unlabelled = [], []
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
                    )
                labels[row, index[name]] = True
            if not labels[row].any():
                unlabelled.append(image_id)
        if missing:
            raise WsssError(
                f"{self.root / 'Annotations'} lacks the XML of {len(missing)} images: "
                f"{listing(missing)}; add them or take the ids out of the list"
            )
        if unlabelled:
            raise WsssError(
                f"{len(unlabelled)} images have no label (no <object> in their annotation): "
                f"{listing(unlabelled)}; label them or take the ids out of the list"
            )
        return labels

    def fingerprint(self, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None) -> str:
        """Name the data by class names, ids, image sizes in bytes and labels, not by its place."""
        images = [[image_id, self.image_path(image_id).stat().st_size] for image_id in image_ids]
        hot = None if labels is None else np.packbits(labels).tobytes().hex()
        return fingerprint([self.class_names, images, hot])

    def _list_path(self, split: str) -> Path:
        if not _SAFE_ID.fullmatch(split):
            raise UsageError(f"--split {split!r} is not the name of a list, such as train or val")
        return self.root / "ImageSets" / "Segmentation" / f"{split}.txt"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        raise WsssError(f"{path} is not UTF-8 text; save it as such") from None


def object_names(path: Path) -> list[str]:
    """The class name of every ``<object>`` of a VOC annotation.

    Raises:
        WsssError: The file is not such XML; a document type, the door of entity bombs, is refused.
    """
    names: list[str] = []
    open_tags: list[str] = []

    def start(tag: str, _: dict[str, str]) -> None:
        open_tags.append(tag)
        if open_tags[1:] == ["object", "name"]:
            names.append("")

    def text(content: str) -> None:
        if open_tags[1:] == ["object", "name"]:
            names[-1] += content

    def doctype(*_: object) -> None:
        raise WsssError(f"{path} declares a document type, which no VOC annotation does; remove it")

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_tags.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(path.read_bytes(), True)
    except xml.parsers.expat.ExpatError as error:
        raise WsssError(f"{path} is not readable XML ({error}); restore the file") from error
    return [name.strip() for name in names]
