"""Rows of labels, wherever they stand, put together with the photographs that they name."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss_cli.data.class_names import (
    CLASSES_FILE,
    about_numbers,
    in_order,
    require_class_names,
)
from wsss_cli.data.image_table import ImageTable, LabelledImage, Truth
from wsss_cli.data.list_names import TRAIN, in_usual_order, name_on_line
from wsss_cli.data.pictures import Pictures
from wsss_cli.errors import WsssError, did_you_mean


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
        lists: Lines that name pictures, by list, where the rows do not say it.
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


class Missing:
    """Rows whose picture is not there, by list: a list without any picture is one problem."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of_list: dict[str, list[str]] = defaultdict(list)

    def add(self, split: str, problem: str, problems: list[str]) -> None:
        """Note that a row of a list has no picture."""
        self._of_list[split].append(problem)
        problems.append(problem)

    def take_absent(self, problems: list[str], lists: dict[str, list[str]]) -> dict[str, str]:
        """Take the rows of lists that have no picture at all out of the problems.

        Args:
            problems: What was found wrong so far, in its order.
            lists: Ids by list; the absent ones are added, empty.

        Returns:
            Of each absent list the reason, which does not keep others from being used.
        """
        absent = {}
        for split, of_list in self._of_list.items():
            if lists.get(split):
                continue
            lists.setdefault(split, [])
            gone = set(of_list)
            problems[:] = [problem for problem in problems if problem not in gone]
            count = len(of_list)
            none_there = f"none of the {count:,} pictures of the list {split} is there"
            no_other = f"the list {split} names no other picture"
            absent[split] = f"{of_list[0]}; {none_there if count > 1 else no_other}"
        return absent


def assemble(
    parts: Parts,
    *,
    masks_advice: str = ImageTable.masks_advice,
    truth: Truth | None = None,
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
    missing = Missing()
    again = 0
    for row in parts.rows:
        try:
            image_id = parts.pictures.look_up(row.picture)
        except WsssError as error:
            if parts.lists is None:
                missing.add(row.split or TRAIN, f"{row.where}: {error}", problems)
            else:
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
                lists.setdefault(row.split or TRAIN, []).append(image_id)
        images[image_id] = LabelledImage(parts.pictures.paths[image_id], classes)
    if again:
        remarks.append(f"{again} rows name a picture again; its labels are those of all its rows")
    for split, listed in (parts.lists or {}).items():
        lists[split] = _looked_up(split, listed, parts.pictures, problems, missing)
        for image_id in lists[split]:
            bare = LabelledImage(parts.pictures.paths[image_id], None)
            images.setdefault(image_id, bare)
    unlisted = len(parts.pictures.paths) - len({i for ids in lists.values() for i in ids})
    if unlisted and any(lists.values()):
        remarks.append(f"{unlisted:,} pictures are in no list, so nothing uses them")
    absent = missing.take_absent(problems, lists)
    lists = {split: lists[split] for split in in_usual_order(lists)}
    problems += [
        f"{parts.source}: {split!r} is not the name of a list, such as train or val"
        for split in lists
        if not re.fullmatch(r"\w[\w.\-]*", split)
    ]
    if not any(lists.values()) and not problems and not absent:
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
        absent=absent,
        remarks=[*remarks, *parts.pictures.remarks(), *absent.values()],
        masks_advice=masks_advice,
        truth=truth,
    )


def _looked_up(
    split: str,
    lines: Sequence[str],
    pictures: Pictures,
    problems: list[str],
    missing: Missing,
) -> list[str]:
    """Ids of a list's pictures, each once; what is wrong goes to the problems."""
    ids: dict[str, None] = {}
    for line in lines:
        name = name_on_line(line, pictures.names.knows)
        try:
            image_id = pictures.look_up(name)
        except WsssError as error:
            if not line.startswith("#"):
                missing.add(split, f"the list {split}: {error}", problems)
            continue
        if image_id in ids:
            problems.append(f"the list {split} names {name} twice")
        ids[image_id] = None
    return list(ids)
