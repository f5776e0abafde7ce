"""Rows of labels, wherever they stand, put together with the photographs that they name."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss_cli.data.class_names import (
    CLASSES_FILE,
    about_numbers,
    in_order,
    require_class_names,
)
from wsss_cli.data.image_table import ImageTable, LabelledImage
from wsss_cli.data.images import Pixels
from wsss_cli.data.pictures import Pictures
from wsss_cli.errors import WsssError, did_you_mean

# What others call the lists that the commands look for.
_SPLITS = {"training": "train", "valid": "val", "validation": "val", "dev": "val"}


@dataclass(frozen=True)
class LabelRow:
    """One picture's labels as they are written.

    Attributes:
        picture: What the row calls the picture.
        classes: Names of the classes in it, none for a negative; None where nobody says them.
        split: The list it belongs to, None where nothing says so.
        where: Where the row stands, such as ``labels.csv line 7``.
    """

    picture: str
    classes: frozenset[str] | None
    split: str | None
    where: str


def split_name(written: str) -> str:
    """The name under which the commands look for a list."""
    name = written.strip().lower()
    return _SPLITS.get(name, name)


@dataclass(frozen=True)
class Parts:
    """What a layout was found to consist of.

    Attributes:
        root: What ``--data`` names.
        layout: What kind of data set it is, for people.
        source: The file or folder of the labels, for messages.
        pictures: The photographs.
        rows: The labels.
        class_names: In their order; None makes it the sorted names that the rows use.
        in_given_order: Whether somebody wrote the order of ``class_names`` down.
        lists: Names of pictures by list, where the rows do not say it.
        masks: Folder of true masks.
        problems: What was found wrong so far.
        remarks: How the files were understood.
    """

    root: Path
    layout: str
    source: Path
    pictures: Pictures
    rows: Sequence[LabelRow]
    class_names: Sequence[str] | None = None
    in_given_order: bool = False
    lists: Mapping[str, Sequence[str]] | None = None
    masks: Path | None = None
    problems: Sequence[str] = ()
    remarks: Sequence[str] = ()


def assemble(
    parts: Parts,
    *,
    masks_advice: str = ImageTable.masks_advice,
    truth: Callable[[str], Pixels | None] | None = None,
) -> ImageTable:
    """Look up every row's picture. What does not fit is a problem of the table, not an error.

    Raises:
        WsssError: There are no classes, or impossible ones.
    """
    problems, remarks = list(parts.problems), list(parts.remarks)
    used = {name for row in parts.rows for name in row.classes or ()}
    if not used and parts.class_names is None:
        names_nothing = (
            f"{parts.source} names no class: words for nothing are none, nor is the background, "
            "which is label 0 without being named; label images"
        )
        raise WsssError(problems[0] if problems else names_nothing)
    names = require_class_names(
        in_order(used) if parts.class_names is None else parts.class_names, parts.source
    )
    in_numbers = about_numbers(names)
    if in_numbers is not None:
        remarks.append(in_numbers)
    if "0" in names and parts.masks is not None and not parts.in_given_order:
        problems.append(
            f"{parts.source} calls a class 0, and there are masks, in which 0 is the background: "
            "where 0 says that none of the classes is shown, leave it out; where it is a class, "
            f"write the names into {CLASSES_FILE} in the order of the masks' labels 1, 2, ..."
        )
    images: dict[str, LabelledImage] = {}
    split_of: dict[str, tuple[str | None, str]] = {}
    lists: dict[str, list[str]] = {}
    again = 0
    for row in parts.rows:
        try:
            image_id = parts.pictures.look_up(row.picture)
        except WsssError as error:
            problems.append(f"{row.where}: {error}")
            continue
        unknown = sorted((row.classes or frozenset()) - set(names))
        if unknown:
            problems.append(
                f"{row.where} names the class {unknown[0]!r}, which is not among {', '.join(names)}"
                f"{did_you_mean(unknown[0], names)}"
            )
        classes = row.classes
        if image_id in images:
            again += 1
            before = images[image_id].classes
            classes = before if classes is None else classes | (before or frozenset())
            split, where = split_of[image_id]
            if split != row.split:
                problems.append(
                    f"{row.where} puts {row.picture} into the list {row.split}, {where} puts it "
                    f"into {split}; correct one of them"
                )
        else:
            split_of[image_id] = (row.split, row.where)
            if parts.lists is None:
                lists.setdefault(row.split or "train", []).append(image_id)
        images[image_id] = LabelledImage(parts.pictures.paths[image_id], classes)
    if again:
        remarks.append(f"{again} rows name a picture again; its labels are those of all its rows")
    for split, listed in (parts.lists or {}).items():
        lists[split] = _looked_up(split, listed, parts.pictures, problems)
        for image_id in lists[split]:
            bare = LabelledImage(parts.pictures.paths[image_id], None)
            images.setdefault(image_id, bare)
    problems += [
        f"{parts.source}: {split!r} is not the name of a list, such as train or val"
        for split in lists
        if not re.fullmatch(r"\w[\w.\-]*", split)
    ]
    if not any(lists.values()) and not problems:
        problems.append(f"{parts.source} labels no picture")
    return ImageTable(
        root=parts.root,
        layout=parts.layout,
        class_names=names,
        images=images,
        lists=lists,
        found=list(parts.pictures.paths.values()),
        masks=parts.masks,
        problems=problems,
        remarks=remarks,
        masks_advice=masks_advice,
        truth=truth,
    )


def _looked_up(
    split: str, listed: Sequence[str], pictures: Pictures, problems: list[str]
) -> list[str]:
    """Ids of a list's pictures, each once."""
    ids: dict[str, None] = {}
    for name in listed:
        try:
            image_id = pictures.look_up(name)
        except WsssError as error:
            problems.append(f"the list {split}: {error}")
            continue
        if image_id in ids:
            problems.append(f"the list {split} names {name} twice")
        ids[image_id] = None
    return list(ids)
