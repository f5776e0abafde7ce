"""Data sets in COCO's layout: annotations as JSON, regions as polygons or run lengths.

COCO/
  annotations/instances_train2017.json  instances_val2017.json
  train2017/*.jpg  val2017/*.jpg        beside them or in images/

or ``train/_annotations.coco.json`` with the pictures beside it, or one JSON file.
COCO numbers its 80 classes 1 to 90 with gaps; here they are 1..80 in the order of those numbers.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

import numpy as np

from wsss_cli.artifacts.image_size import is_believable
from wsss_cli.data.class_names import require_class_names
from wsss_cli.data.coco_regions import region_mask
from wsss_cli.data.image_table import ImageTable
from wsss_cli.data.images import Pixels
from wsss_cli.data.label_rows import LabelRow, Parts, assemble, split_name
from wsss_cli.data.pictures import Pictures, find_pictures
from wsss_cli.errors import WsssError
from wsss_cli.labels import IGNORE
from wsss_cli.reserved_names import names_background

LAYOUT = "COCO"
MASKS_ADVICE = (
    "COCO keeps regions, not masks: `wsss data convert` draws them into a tree that can be scored"
)
_PLACES = ("annotations/instances_*.json", "annotations/*.json", "*/_annotations.coco.json",
           "instances_*.json", "_annotations.coco.json", "annotations.json")  # fmt: skip


def find(folder: Path) -> ImageTable | None:
    """The data set of a folder with annotations where COCO or its exporters put them; else None.

    Raises:
        WsssError: A file is no such JSON, or two of them have different classes.
    """
    files = next((found for place in _PLACES if (found := sorted(folder.glob(place)))), [])
    return _table(folder, folder, _splits(files)) if files else None


def read(path: Path) -> ImageTable:
    """The data set of one annotation file, all of whose images are ``train``.

    Raises:
        WsssError: It is no such JSON.
    """
    folder = path.parent.parent if path.parent.name == "annotations" else path.parent
    return _table(path, folder, {"train": path})


def read_rows(path: Path) -> tuple[list[LabelRow], tuple[str, ...], list[str]]:
    """Labels of every image of an annotation file, the names of the classes, and remarks.

    Raises:
        WsssError: It is no such JSON.
    """
    annotations = _read(path, regions=False)
    remarks = annotations.about_images(path.name)
    return list(annotations.rows(None).values()), annotations.class_names, remarks


@dataclass(frozen=True)
class _Annotations:
    """What is used of a file.

    Attributes:
        path: The file.
        class_names: In the order of their numbers.
        labels: Label 1..C by COCO's number, 0 of categories that are the background.
        images: Of each image its entry, by COCO's number.
        objects: Of each image its annotations.
    """

    path: Path
    class_names: tuple[str, ...]
    labels: Mapping[int, int]
    images: Mapping[int, Mapping[str, Any]]
    objects: Mapping[int, Sequence[Mapping[str, Any]]]

    def rows(self, split: str | None, prefix: str = "") -> dict[int, LabelRow]:
        """A row for each image. Crowds count: they show their class as well as one object does.

        Without any annotation in the whole file nobody has looked for classes.
        """
        labels = {
            number: {self.labels[one["category_id"]] for one in self.objects.get(number, ())} - {0}
            for number in self.images
        }
        return {
            number: LabelRow(
                f"{prefix}{image['file_name']}",
                frozenset(self.class_names[label - 1] for label in labels[number])
                if self.objects
                else None,
                split,
                f"{self.path.name}, image {number}",
            )
            for number, image in self.images.items()
        }

    def about_images(self, what: str) -> list[str]:
        """Say which images show no class, and why.

        Args:
            what: What to call the images: the list that they make.
        """
        if not self.objects:
            return [f"{self.path.name} annotates no image, so those of {what} count as unlabelled"]
        shown = sum(
            any(self.labels[one["category_id"]] for one in of_image)
            for of_image in self.objects.values()
        )
        bare = len(self.images) - shown
        background = sorted(str(number) for number, label in self.labels.items() if not label)
        said = [f"{bare:,} images of {what} have no object, so they show none of the classes"]
        category = f"the category {', '.join(background)} of {self.path.name} is the background"
        return (said if bare else []) + ([f"{category}, which is no class"] if background else [])


def _table(root: Path, folder: Path, files: Mapping[str, Path]) -> ImageTable:
    found = find_pictures(folder)
    names = {path.name for path in found}
    # COCO's file names are numbers that no two images share, and what everybody calls them by.
    pictures = Pictures(folder, found, by_name=len(names) == len(found))
    rows: list[LabelRow] = []
    remarks: list[str] = []
    numbers: dict[str, tuple[Path, int]] = {}
    class_names: tuple[str, ...] = ()
    for split, path in files.items():
        annotations = _read(path, regions=False)
        if class_names not in ((), annotations.class_names):
            raise WsssError(f"{path} has other classes than the files beside it")
        class_names = annotations.class_names
        of_split = annotations.rows(split, _prefix(annotations, folder, found))
        if not names & {PurePosixPath(row.picture).name for row in of_split.values()}:
            remarks.append(f"no picture of {path.name} is there, so there is no list {split}")
            continue
        remarks += annotations.about_images(split)
        for number, row in of_split.items():
            rows.append(row)
            with suppress(WsssError):  # which becomes a problem of the table
                numbers[pictures.look_up(row.picture)] = path, number
    return assemble(
        Parts(
            root=root,
            layout=LAYOUT,
            source=next(iter(files.values())),
            pictures=pictures,
            rows=rows,
            class_names=class_names,
            in_given_order=True,
            remarks=remarks,
        ),
        masks_advice=MASKS_ADVICE,
        truth=CocoTruth(numbers),
    )


def _splits(files: Sequence[Path]) -> dict[str, Path]:
    """Files by the list that they hold: ``instances_val2017`` and ``valid/`` are ``val``."""
    whole = {
        path.parent.name
        if path.stem.startswith("_")
        else path.stem.removeprefix("instances_"): path
        for path in files
    }
    short = [split_name(re.sub(r"\d{4}$", "", name)) for name in whole]
    if len(files) == 1:
        return {short[0] if short[0] in ("val", "test") else "train": files[0]}
    unique = len(set(short)) == len(short)
    return dict(zip(short if unique else map(split_name, whole), files, strict=True))


def _prefix(annotations: _Annotations, folder: Path, found: Sequence[Path]) -> str:
    """The folder of a file's pictures, told by its first one; they may share names with others'."""
    below = {path.relative_to(folder).as_posix() for path in found}
    name = annotations.path.stem.removeprefix("instances_")
    beside = annotations.path.parent.relative_to(folder).as_posix()
    first = next(iter(annotations.images.values()))["file_name"]
    places = (f"{beside}/", f"{name}/", f"images/{name}/")
    return next((place for place in places if f"{place}{first}" in below), "")


class CocoTruth:
    """Draws the label maps of COCO's images, reading a file's regions when they are first needed.

    Crowd regions, in which single objects are not told apart, are 255. Objects lie on them, large
    ones first: what is small and inside of a larger one is seen in front of it, as a rule.
    """

    def __init__(self, numbers: Mapping[str, tuple[Path, int]]) -> None:
        """Take each image's annotation file and number there, by id."""
        self._numbers = numbers
        self._opened: dict[Path, _Annotations] = {}
        self._opening = Lock()

    def __call__(self, image_id: str) -> Pixels | None:
        """(H, W) uint8 of an image; None for an unknown one.

        Raises:
            WsssError: A region is broken.
        """
        if image_id not in self._numbers:
            return None
        path, number = self._numbers[image_id]
        with self._opening:  # once, whichever thread comes first: it takes seconds
            if path not in self._opened:
                self._opened[path] = _read(path, regions=True)
        return label_map(self._opened[path], number)


def label_map(annotations: _Annotations, number: int) -> Pixels:
    """(H, W) uint8: 0 background, 1..C, 255 where a crowd is and no object.

    Raises:
        WsssError: The image's size or a region is broken.
    """
    path, image = annotations.path, annotations.images[number]
    height, width = image.get("height"), image.get("width")
    if not isinstance(height, int) or not isinstance(width, int):
        raise WsssError(f"{path}: image {number} has no height and width; correct the file")
    if not is_believable(height, width):
        raise WsssError(f"{path}: image {number} has the size {height} x {width}; correct it")
    drawn = []
    for one in annotations.objects.get(number, ()):
        try:
            mask = region_mask(one["segmentation"], height, width)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            what = f"{path}: the annotation {one.get('id')} of image {number}"
            raise WsssError(f"{what} has no readable region ({error}); correct it") from error
        drawn.append((bool(one.get("iscrowd")), int(mask.sum()), one["category_id"], mask))
    found = np.zeros((height, width), np.uint8)
    for crowd, _, category, mask in sorted(drawn, key=lambda one: (not one[0], -one[1])):
        found[mask] = IGNORE if crowd else annotations.labels[category]
    return found


def _read(path: Path, *, regions: bool) -> _Annotations:
    """Read a file, without the regions unless they are wanted: they are nearly all of it."""

    def without_regions(entry: dict[str, Any]) -> dict[str, Any]:
        entry.pop("segmentation", None)
        return entry

    try:
        with path.open(encoding="utf-8-sig") as file:
            content = json.load(file, object_hook=None if regions else without_regions)
        return _checked(path, content)
    except (ValueError, RecursionError) as error:
        raise WsssError(f"{path} cannot be read as JSON ({error}); restore the file") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise WsssError(
            f"{path} is no COCO annotation file: it lacks or misuses {error}; it should have "
            "images (id, file_name), annotations (image_id, category_id) and categories (id, name)"
        ) from error


def _checked(path: Path, content: Mapping[str, Any]) -> _Annotations:
    categories = {int(one["id"]): str(one["name"]).strip() for one in content["categories"]}
    background = {number for number, name in categories.items() if names_background(name)}
    order = sorted(set(categories) - background)
    names = require_class_names([categories[number] for number in order], path)
    labels = {number: label for label, number in enumerate(order, start=1)}
    labels |= dict.fromkeys(background, 0)
    images = {one["id"]: one for one in content["images"]}
    if not images or len(images) != len(content["images"]):
        raise WsssError(f"{path} names no image, or one number twice; correct it")
    for image in images.values():
        if not isinstance(image["file_name"], str):
            raise TypeError("file_name")
    objects: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for one in content["annotations"]:
        if one["category_id"] not in labels or one["image_id"] not in images:
            raise WsssError(
                f"{path}: the annotation {one.get('id')} is of image {one['image_id']} and "
                f"category {one['category_id']}, of which the file does not have both; correct it"
            )
        objects[one["image_id"]].append(one)
    return _Annotations(path, names, labels, images, objects)
