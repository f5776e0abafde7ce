"""Data sets in PASCAL VOC's layout, with image-level labels from the annotations.

VOC2012/
  JPEGImages/ID.jpg  Annotations/ID.xml  ImageSets/Segmentation/SPLIT.txt
  SegmentationClass/ID.png     masks of VOC, for scoring
  SegmentationClassAug/ID.png  masks of VOC and SBD, for full supervision where there
  classes.txt                  class names, one a line, where they are not VOC's twenty

Lists name pictures by id, by file name, or as DeepLab's and psa's do by path and mask. They may lie
in ImageSets/Main or ImageSets instead; without any, all pictures with an annotation are train.
Without the list train_aug it is made from SBD's lists, if these lie beside the tree.
"""

import re
import unicodedata
import xml.parsers.expat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.file_names import names_a_file
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.picture_formats import is_picture
from wsss_cli.artifacts.plain_file import NOT_PLAIN, is_plain
from wsss_cli.command_line import command_line
from wsss_cli.data.class_names import CLASSES_FILE, read_class_names
from wsss_cli.data.data_set import data_fingerprint
from wsss_cli.data.images import Pixels, bits_in_use, read_image
from wsss_cli.data.list_names import TRAIN, VAL, renamed, split_name
from wsss_cli.data.name_index import NameIndex
from wsss_cli.data.pictures import about_unread, find_pictures, survey
from wsss_cli.data.sbd import TRAIN_AUG_IMAGES, find_sbd, train_aug
from wsss_cli.data.voc_lists import LIST_FOLDERS, TRAIN_AUG, ListedIds, list_files, read_list
from wsss_cli.errors import UsageError, WsssError, did_you_mean, listing

VOC_MASKS, VOC_AND_SBD_MASKS = "SegmentationClass", "SegmentationClassAug"
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip

# Valid names of lists.
_SAFE_LIST = re.compile(r"[\w][\w.\-]*")


@dataclass(frozen=True)
class VocDataSet:
    """A data set in VOC's layout.

    Attributes:
        root: The folder that holds ``JPEGImages``.
        notes: Remarks about where it was found.
    """

    root: Path
    notes: tuple[str, ...] = ()
    layout = "PASCAL VOC"
    masks_advice = "give them with --gt DIR"

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of classes 1..C: ``classes.txt`` where the tree has one, else VOC's twenty."""
        path = self.root / CLASSES_FILE
        return read_class_names(path) if path.exists() else VOC_CLASSES

    @property
    def remarks(self) -> list[str]:
        """Sentences on the lists and on what is not read."""
        remarks = [self._about_train_aug(), self._about_lists(), self._about_unused()]
        images = survey(self._images)
        return [
            *self.notes,
            *filter(None, remarks),
            *about_unread(images.unread),
            *(self._names.remarks() if self.splits() else ()),
        ]

    def with_remark(self, remark: str) -> "VocDataSet":
        """Return the same data set with one more remark, before the others."""
        return replace(self, notes=(remark, *self.notes))

    def _about_train_aug(self) -> str | None:
        sbd = self._sbd
        if sbd is None:
            return None
        count = len(self.usable_ids(TRAIN_AUG))
        usual = "" if count == TRAIN_AUG_IMAGES else f"; the usual list has {TRAIN_AUG_IMAGES:,}"
        return (
            f"train_aug is the lists in {sbd} plus VOC's train minus VOC's val: {count:,} "
            f"images{usual}"
        )

    def _about_lists(self) -> str | None:
        paths = self._lists
        if not paths:
            which = "with an annotation " if self._annotated else ""
            return (
                f"{self.root} has no list in {LIST_FOLDERS[0]}, so all "
                f"{len(self._unlisted):,} pictures {which}are train"
            )
        return renamed({path.stem for path in paths.values()})

    def _about_unused(self) -> str | None:
        listed = {image_id for split in self.splits() for image_id in self.usable_ids(split)}
        unused = len(self._paths.keys() - listed)
        return f"{unused:,} pictures are in no list and therefore not used" if unused else None

    @property
    def problems(self) -> list[str]:
        """Sentences on lists that are empty or have invalid entries."""
        return [problem for split in self.splits() for problem in self._read(split).problems]

    def splits(self) -> list[str]:
        """Names of the lists."""
        names = list(self._lists) or [TRAIN]
        return names if self._sbd is None else [TRAIN_AUG, *names]

    def training_split(self) -> str:
        """``train_aug`` where its list exists or SBD's lists do, else ``train``."""
        has_train_aug = TRAIN_AUG in self._lists or self._sbd is not None
        return TRAIN_AUG if has_train_aug else TRAIN

    def about_training(self) -> str | None:
        """Report that there is no ``train_aug``, or how it was made."""
        if not self._lists:
            return self._about_lists()
        if self.training_split() == TRAIN:
            return "there is no train_aug list, so the train list is used"
        return self._about_train_aug()

    def image_ids(self, split: str, *, option: str = "--split") -> list[str]:
        """The ids of a split, in the order of its list.

        Args:
            split: Its name.
            option: The option that names it, for the message.

        Raises:
            UsageError: There is no such list.
            WsssError: The list is empty or has an entry that is no id.
        """
        listed = self._read(split, option)
        if listed.problems:
            more = len(listed.problems) - 1
            lists = command_line("data check", self.root)
            rest = f" (and {more} more: `{lists}` lists them)" if more else ""
            raise WsssError(f"{listed.problems[0]}{rest}")
        return listed.image_ids

    def usable_ids(self, split: str) -> list[str]:
        """The ids of a list, whatever else is wrong with it."""
        try:
            return self._read(split).image_ids
        except WsssError:
            return []

    def _read(self, split: str, option: str = "--split") -> ListedIds:
        """Read a list.

        Raises:
            UsageError: There is no such list.
        """
        if not _SAFE_LIST.fullmatch(split) or not names_a_file(split):
            raise UsageError(f"{option} {split!r} is not the name of a list, such as train or val")
        sbd, paths = self._sbd, self._lists
        if split == TRAIN_AUG and sbd is not None:
            sources = (sbd / "train.txt", sbd / "val.txt", paths[TRAIN], paths[VAL])
            lists = [read_list(path, self._names, self._images) for path in sources]
            ids = train_aug(*(set(listed.image_ids) for listed in lists))
            return ListedIds(ids, [problem for listed in lists for problem in listed.problems])
        path = paths.get(split) or paths.get(split_name(split))
        if path is not None:
            return read_list(path, self._names, self._images)
        if not paths and split_name(split) == TRAIN:
            return ListedIds(self._unlisted, [] if self._unlisted else [self._no_picture()])
        raise UsageError(
            f"{self.root / LIST_FOLDERS[0] / split}.txt does not exist; lists beside it: "
            f"{listing(list(paths)) or 'none'} (choose with {option})"
            f"{did_you_mean(split, self.splits())}"
        )

    @property
    def _lists(self) -> dict[str, Path]:
        return list_files(self.root)

    @cached_property
    def _unlisted(self) -> list[str]:
        """Ids of the pictures with an annotation, or of all pictures where none has one."""
        return self._annotated or sorted(self._paths)

    def _no_picture(self) -> str:
        nested = len(find_pictures(self._images))
        advice = f"{nested:,} lie in its folders, move them up" if nested else "add some"
        return f"{self._images} contains no picture; {advice}"

    @property
    def _annotated(self) -> list[str]:
        stems = {path.stem for path in (self.root / "Annotations").glob("*.[xX][mM][lL]")}
        return sorted(self._paths.keys() & stems)

    @property
    def _images(self) -> Path:
        return self.root / "JPEGImages"

    @cached_property
    def _paths(self) -> dict[str, Path]:
        """The photographs by id; the JPEG where several pictures have the same id."""
        paths: dict[str, Path] = {}
        for path in sorted(self.pictures(), key=lambda path: path.suffix != ".jpg"):
            paths.setdefault(unicodedata.normalize("NFC", path.stem), path)
        return paths

    @cached_property
    def _names(self) -> NameIndex:
        """Index of the photographs by the names that lists may use."""
        below = {image_id: PurePosixPath(path.name) for image_id, path in self._paths.items()}
        return NameIndex(self._images, below)

    @cached_property
    def _sbd(self) -> Path | None:
        """The folder of SBD's lists, if ``train_aug`` has to be made from them."""
        lists = self._lists
        if TRAIN_AUG in lists or not {TRAIN, VAL} <= lists.keys():
            return None
        return find_sbd(self.root)

    def image_path(self, image_id: str) -> Path:
        """Path of the photograph: ``ID.jpg``, or another format where there is no JPEG."""
        path = self._images / f"{image_id}.jpg"
        return path if path.exists() else self._paths.get(image_id, path)

    def read_image(self, image_id: str) -> Pixels:
        """The photograph; those of 16 bits a channel are scaled alike."""
        return read_image(self.image_path(image_id), lambda: self.bits)

    @cached_property
    def bits(self) -> int:
        """Bits per channel that the 16-bit photographs use."""
        return bits_in_use(self.pictures())

    def pictures(self) -> list[Path]:
        """All photographs, also those of no list."""
        return sorted(path for path in self._images.iterdir() if is_picture(path))

    @property
    def masks(self) -> Path:
        """Folder of VOC's own masks, for scores."""
        return self.root / VOC_MASKS

    def mask_path(self, image_id: str) -> Path:
        """Path of VOC's own mask, which may not exist."""
        return self._beside(self.masks, image_id, ".png")

    def has_mask(self, image_id: str) -> bool:
        """Whether there is a mask of VOC."""
        return self.mask_path(image_id).exists()

    def about_masks(self) -> list[str]:
        """Empty, since masks are files that leave nothing out."""
        return []

    def training_mask_path(self, image_id: str) -> Path:
        """Path of VOC's mask, or of SBD's in ``SegmentationClassAug`` where VOC has none."""
        voc_mask = self.mask_path(image_id)
        sbd_mask = self._beside(self.root / VOC_AND_SBD_MASKS, image_id, ".png")
        return sbd_mask if sbd_mask.exists() and not voc_mask.exists() else voc_mask

    def true_label_map(self, image_id: str) -> Pixels | None:
        """The label map of VOC's mask, None where there is no mask."""
        path = self.mask_path(image_id)
        if not path.exists():
            return None
        return read_label_map(path, num_labels=len(self.class_names) + 1)

    def labels(self, image_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Image-level labels, (N, C) multi-hot, from the annotations.

        Every object counts, "difficult" ones too, as in the label files of earlier work. An
        annotation without objects gives a row of zeros.

        Raises:
            WsssError: An annotation is missing or broken, or names an unknown class.
        """
        index = {name: column for column, name in enumerate(self.class_names)}
        labels = np.zeros((len(image_ids), len(index)), np.bool_)
        missing = []
        for row, image_id in enumerate(image_ids):
            path = self._beside(self.root / "Annotations", image_id, ".xml")
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
                f"{listing(missing)}; add them or remove the ids from the list"
            )
        return labels

    def fingerprint(self, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None) -> str:
        """Fingerprint of images and labels."""
        return data_fingerprint(self, image_ids, labels)

    def _beside(self, folder: Path, image_id: str, ending: str) -> Path:
        """Path of an image's file in another folder; upper and lower case may differ."""
        path = folder / f"{image_id}{ending}"
        if path.exists():
            return path
        if folder not in self._others:
            files = folder.iterdir() if folder.is_dir() else ()
            self._others[folder] = {_folded(file.name): file for file in files}
        return self._others[folder].get(_folded(path.name), path)

    @cached_property
    def _others(self) -> dict[Path, dict[str, Path]]:
        """Cache: files of other folders by case-folded name."""
        return {}


def find(folder: Path) -> VocDataSet | None:
    """Find the data set in a folder: ``VOC2012``, ``VOCdevkit`` or the folder around that."""
    for root in (folder, folder / "VOC2012", folder / "VOCdevkit" / "VOC2012"):
        if (root / "JPEGImages").is_dir():
            beside = root.parent.glob("VOC20??/JPEGImages") if root != folder else ()
            years = sorted({images.parent.name for images in beside} - {root.name})
            notes = (f"{listing(years)} beside {root.name} is not used",) if years else ()
            return VocDataSet(root.resolve(), notes)
    return None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def object_names(path: Path) -> list[str]:
    """The class name of every ``<object>`` of a VOC annotation.

    Raises:
        WsssError: The file is no such XML; it has a document type, which would allow entity bombs;
            or an object has no name or lies elsewhere, so that its label would be lost.
    """
    names: list[str] = []
    open_tags: list[str] = []
    objects = elsewhere = 0
    root = ""

    def in_name() -> bool:
        return len(open_tags) == 3 and open_tags[1:] == ["object", "name"]

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal objects, elsewhere, root
        root = root or tag
        open_tags.append(tag)
        if len(open_tags) == 2 and tag == "object":
            objects += 1
        else:
            elsewhere += tag.casefold() in ("object", "objects")
        if in_name():
            names.append("")

    def text(content: str) -> None:
        if in_name():
            names[-1] += content

    def doctype(*_: object) -> None:
        raise WsssError(f"{path} declares a document type, unlike VOC's annotations; remove it")

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
        # ValueError and LookupError come from unknown encodings.
        raise WsssError(f"{path} is not readable XML ({error}); restore the file") from error
    if not objects and (elsewhere or root.casefold() != "annotation"):
        raise WsssError(
            f"{path} is no VOC annotation: it has no <object> directly in <annotation>, but "
            f"{'objects elsewhere' if elsewhere else f'the root <{root}>'}; write it like VOC's"
        )
    if len(names) < objects:
        raise WsssError(f"{path} has an object without <name>; name its class, or remove it")
    return [name.strip() for name in names]
