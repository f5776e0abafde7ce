"""A data set whose parts lie anywhere, named in a small TOML file.

images = "photos"                # a folder, searched with its subfolders
labels = "labels.csv"            # a CSV, a COCO JSON, a folder of VOC's XML, or by number
                                 # cls_labels.npy, train_cls.txt
classes = ["cat", "dog"]         # or a file of names, one a line; may be left out
masks = "masks"                  # ID.png, for scores; may be left out
[splits]                         # may be left out: a file of picture names each
train = "train.txt"
val = "val.txt"

Paths are relative to the file. Unlike names in the parts, they may lead anywhere: whoever writes
the file says what is read.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsss_cli.data import coco, csv_labels, label_vectors
from wsss_cli.data.class_names import read_class_names, read_lines, require_class_names
from wsss_cli.data.image_table import ImageTable
from wsss_cli.data.label_rows import LabelRow, Parts, assemble
from wsss_cli.data.list_names import renamed, split_name
from wsss_cli.data.pictures import Pictures
from wsss_cli.data.voc import object_names
from wsss_cli.errors import WsssError, did_you_mean, listing, near_path

LAYOUT = "parts named in a TOML file"
_KEYS = ("images", "labels", "classes", "masks", "splits")


def read(path: Path) -> ImageTable:
    """The data set that a TOML file names.

    Raises:
        WsssError: It is no such file, or a part is missing or broken.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise WsssError(f"{path} cannot be read as TOML ({error}); correct it") from error
    unknown = sorted(set(content) - set(_KEYS))
    if unknown:
        raise WsssError(
            f"{path} has {listing(unknown)}; it may have {', '.join(_KEYS)}"
            f"{did_you_mean(unknown[0], _KEYS)}"
        )
    images = _part(path, content, "images")
    labels = _part(path, content, "labels")
    if images is None or labels is None:
        raise WsssError(f'{path} must name images and labels, as in labels = "labels.csv"')
    class_names = _class_names(path, content.get("classes"))
    table = _rows(labels, class_names or ())
    splits = content.get("splits")
    lists = None if splits is None else _lists(path, splits)
    as_lists = None if splits is None else renamed(set(splits))
    return assemble(
        Parts(
            root=path,
            layout=LAYOUT,
            source=labels,
            pictures=Pictures.of_folder(images),
            rows=table.rows,
            class_names=class_names or table.columns or None,
            in_given_order=class_names is not None or labels.suffix.lower() == ".json",
            lists=lists,
            masks=_part(path, content, "masks"),
            problems=table.problems,
            remarks=[*table.remarks, *filter(None, [as_lists])],
        )
    )


def _part(path: Path, content: Mapping[str, Any], key: str) -> Path | None:
    """Where a part lies, None where it is not named."""
    named = content.get(key)
    if named is None:
        return None
    if not isinstance(named, str):
        raise WsssError(f"{path}: {key} must be a path in quotes")
    part = path.parent / named
    try:
        there = part.is_dir() if key in ("images", "masks") else part.exists()
    except OSError:  # the name is too long for one
        there = False
    if not there:
        near = near_path(part)
        raise WsssError(f"{path}: {key} names {part}, which is not there; correct the path{near}")
    return part


def _class_names(path: Path, named: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - TOML
    if named is None:
        return None
    if isinstance(named, str):
        part = _part(path, {"classes": named}, "classes")
        return None if part is None else read_class_names(part)
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise WsssError(f"{path}: classes must be a list of names, or the path of a file of them")
    return require_class_names(named, path)


def _lists(path: Path, splits: Any) -> dict[str, list[str]]:  # noqa: ANN401 - TOML
    if not isinstance(splits, dict):
        raise WsssError(f'{path}: splits must be a table, as in [splits] and train = "train.txt"')
    lists = {}
    for name in splits:
        part = _part(path, splits, name)
        if part is not None:
            lists[split_name(name)] = [line.strip() for line in read_lines(part) if line.strip()]
    return lists


def _rows(labels: Path, class_names: Sequence[str]) -> csv_labels.CsvRows:
    """Rows of whatever the labels are."""
    if labels.is_dir():
        rows = [
            LabelRow(file.stem, frozenset(object_names(file)), None, str(file))
            for file in sorted(labels.glob("*.xml"))
        ]
        return csv_labels.CsvRows(rows, [], [], [])
    if labels.suffix.lower() == ".json":
        of_images, annotations = coco.read_rows(labels)
        remarks = annotations.about_images(labels.name)
        return csv_labels.CsvRows(of_images, annotations.class_names, annotations.problems, remarks)
    if labels.suffix.lower() in label_vectors.SUFFIXES:
        return label_vectors.read_rows(labels, class_names)
    return csv_labels.read_rows(labels, class_names)
