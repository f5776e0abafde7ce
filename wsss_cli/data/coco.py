"""Data sets in COCO's layout: annotations as JSON, regions as polygons or run lengths.

COCO/
  annotations/instances_train2017.json  instances_val2017.json
  train2017/*.jpg  val2017/*.jpg        beside them or in images/

or ``train/_annotations.coco.json`` with the pictures beside it, or one JSON file.
COCO numbers its 80 classes 1 to 90 with gaps; here they are 1..80 in the order of those numbers.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from wsss_cli.command_line import command_line
from wsss_cli.data.coco_annotations import CocoAnnotations, read_annotations
from wsss_cli.data.coco_truth import CocoTruth, Entry
from wsss_cli.data.image_table import ImageTable
from wsss_cli.data.label_rows import LabelRow, Parts, assemble
from wsss_cli.data.list_names import split_name
from wsss_cli.data.pictures import Pictures, survey
from wsss_cli.errors import WsssError, listing

LAYOUT = "COCO"
# COCO's files without objects, or with the same objects again.
_NO_OBJECTS = ("captions_", "panoptic_", "image_info_", "stuff_", "person_keypoints_")
# Number of images of a file that are compared to find the folder of its pictures.
_LOOKED_AT = 1000
_PLACES = ("annotations/instances_*.json", "annotations/*.json", "*/_annotations.coco.json",
           "instances_*.json", "_annotations.coco.json", "annotations.json")  # fmt: skip


def find(folder: Path) -> ImageTable | None:
    """Find the data set of a folder with annotations in one of COCO's usual places; else None.

    Raises:
        WsssError: A file is no COCO JSON, or two files have different classes.
    """
    for pattern in _PLACES:
        matches = sorted(folder.glob(pattern))
        files = [path for path in matches if not path.name.startswith(_NO_OBJECTS)] or matches
        if files:
            beside = {path for path in files[0].parent.glob("*.json") if path not in files}
            others = sorted(p.name for p in beside if not p.name.startswith(_NO_OBJECTS))
            return _table(folder, folder, _splits(files), others)
    return None


def read(path: Path) -> ImageTable:
    """Read the data set of one annotation file; all its images are ``train``.

    Raises:
        WsssError: It is no COCO JSON.
    """
    folder = path.parent.parent if path.parent.name == "annotations" else path.parent
    return _table(path, folder, {"train": path})


def read_rows(path: Path) -> tuple[list[LabelRow], CocoAnnotations]:
    """Read the labels of every image of an annotation file, and the annotations.

    Raises:
        WsssError: It is no COCO JSON.
    """
    annotations = read_annotations(path, regions=False)
    rows = list(annotations.rows(None).values())
    return rows, annotations


def _table(
    root: Path, folder: Path, files: Mapping[str, Path], unread: Sequence[str] = ()
) -> ImageTable:
    contents = survey(folder)
    names = {path.name for path in contents.pictures}
    # COCO's file names are unique numbers, so ids leave the folders out.
    by_name = len(names) == len(contents.pictures)
    pictures = Pictures(folder, contents.pictures, by_name=by_name, unread=contents.unread)
    rows: list[LabelRow] = []
    remarks = [f"not read beside the annotations: {listing(unread)}"] if unread else []
    problems: list[str] = []
    entries: dict[str, list[Entry]] = defaultdict(list)
    class_names: tuple[str, ...] = ()
    for split, path in files.items():
        annotations = read_annotations(path, regions=False)
        problems += annotations.problems
        if class_names not in ((), annotations.class_names):
            raise WsssError(
                f"{path} has other classes than the files beside it; use the same categories"
            )
        class_names = annotations.class_names
        of_split = annotations.rows(split, _prefix(annotations, folder, pictures))
        remarks += annotations.about_images(split)
        for number, row in of_split.items():
            rows.append(row)
            with suppress(WsssError):  # which becomes a problem of the table
                entries[pictures.look_up(row.picture)].append((path, number))
    return assemble(
        Parts(
            root=root,
            layout=LAYOUT,
            source=next(iter(files.values())),
            pictures=pictures,
            rows=rows,
            class_names=class_names,
            in_given_order=True,
            problems=problems,
            remarks=remarks,
        ),
        masks_advice=(
            f"COCO keeps regions, not masks: `{command_line('data convert', root, 'OUT')}` draws "
            "them into a tree that can be scored"
        ),
        truth=CocoTruth(entries, pictures.paths),
    )


def _splits(files: Sequence[Path]) -> dict[str, Path]:
    """Annotation files by list: ``instances_val2017`` and ``valid/`` are ``val``."""
    by_name = {
        path.parent.name
        if path.stem.startswith("_")
        else path.stem.removeprefix("instances_"): path
        for path in files
    }
    splits = [split_name(re.sub(r"\d{4}$", "", name)) for name in by_name]
    if len(files) == 1:
        return {splits[0] if splits[0] in ("val", "test") else "train": files[0]}
    unique = len(set(splits)) == len(splits)
    return dict(zip(splits if unique else map(split_name, by_name), files, strict=True))


def _prefix(annotations: CocoAnnotations, folder: Path, pictures: Pictures) -> str:
    """Find the folder with most of a file's pictures, since names may occur in several folders."""
    name = annotations.path.stem.removeprefix("instances_")
    beside = annotations.path.parent.relative_to(folder).as_posix()
    prefixes = (f"{beside}/", f"{name}/", f"images/{name}/", "images/", "")
    files = [image["file_name"] for image in islice(annotations.images.values(), _LOOKED_AT)]
    counts = {
        prefix: sum(pictures.names.is_at(f"{prefix}{file}") for file in files)
        for prefix in prefixes
    }
    best = max(counts, key=lambda prefix: counts[prefix])
    return best if counts[best] else ""
