"""Joins rows of labels, from a table or folder names, with the photographs that they name."""

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
    """The labels of one picture as a file states them.

    Attributes:
        picture: Name of the picture in the row.
        classes: Names of its classes, none for a negative; None without labels.
        split: List of the picture, None without lists.
        where: Where the row stands, such as ``labels.csv line 7``.
    """

    picture: str
    classes: frozenset[str] | None
    split: str | None
    where: str


@dataclass(frozen=True)
class Parts:
    """The parts of a data set, as the module of a layout collects them.

    Attributes:
        root: Path that ``--data`` names.
        layout: Name of the layout, for people.
        source: The file or folder of the labels, for messages.
        pictures: The photographs.
        rows: The labels.
        class_names: Names in the order of their labels; None takes the rows' names, sorted.
        in_given_order: Whether the user gave the order of ``class_names``.
        lists: Lines that name pictures, by list; None if the rows state the lists.
        masks: Folder of true masks.
        problems: Sentences on what is wrong so far.
        remarks: Sentences on how the files were understood.
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
    """Rows whose picture is missing, by list: a list without any picture is one problem."""

    def __init__(self) -> None:
        """Start without rows."""
        self._of_list: dict[str, list[str]] = defaultdict(list)

    def add(self, split: str, problem: str, problems: list[str]) -> None:
        """Record that the picture of a row is missing."""
        self._of_list[split].append(problem)
        problems.append(problem)

    def take_absent(self, problems: list[str], lists: dict[str, list[str]]) -> dict[str, str]:
        """Remove the problems of lists that have no picture at all.

        Args:
            problems: All problems so far; changed in place.
            lists: Ids by list; absent lists are added, empty.

        Returns:
            Reasons by absent list; the other lists may still be used.
        """
        absent = {}
        for split, of_list in self._of_list.items():
            if lists.get(split):
                continue
            lists.setdefault(split, [])
            gone = set(of_list)
            problems[:] = [problem for problem in problems if problem not in gone]
            count = len(of_list)
            several = f"none of the {count:,} pictures of the list {split} is there"
            single = f"the list {split} names no other picture"
            absent[split] = f"{of_list[0]}; {several if count > 1 else single}"
        return absent


def assemble(
    parts: Parts,
    *,
    masks_advice: str = ImageTable.masks_advice,
    truth: Truth | None = None,
) -> ImageTable:
    """Look up every row's picture; a row that does not fit becomes a problem, not an error.

    Raises:
        WsssError: There are no classes, or invalid ones.
    """
    problems, remarks = list(parts.problems), list(parts.remarks)
    used = {name for row in parts.rows for name in row.classes or ()}
    if not used and parts.class_names is None:
        names_nothing = (
            f"{parts.source} names no class (the background is label 0 without being named); "
            "label at least one image"
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
            f"{parts.source} calls a class 0, but in masks 0 is the background: if 0 means that no "
            "class is present, leave it out; if it is a class, write the names into "
            f"{CLASSES_FILE} in the order of the masks' labels 1, 2, ..."
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
                    f"{row.where} puts {row.picture} into the list {row.split}, but {where} puts "
                    f"it into {split}; correct one of them"
                )
        else:
            split_of[image_id] = (row.split, row.where)
            if parts.lists is None:
                lists.setdefault(row.split or TRAIN, []).append(image_id)
        images[image_id] = LabelledImage(parts.pictures.paths[image_id], classes)
    if again:
        remarks.append(f"{again} rows name a picture again; labels of the same picture are merged")
    for split, listed in (parts.lists or {}).items():
        lists[split] = _listed_ids(split, listed, parts.pictures, problems, missing)
        for image_id in lists[split]:
            bare = LabelledImage(parts.pictures.paths[image_id], None)
            images.setdefault(image_id, bare)
    unlisted = len(parts.pictures.paths) - len({i for ids in lists.values() for i in ids})
    if unlisted and any(lists.values()):
        remarks.append(f"{unlisted:,} pictures are in no list and therefore not used")
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
        photographs=list(parts.pictures.paths.values()),
        masks=parts.masks,
        problems=problems,
        absent=absent,
        remarks=[*remarks, *parts.pictures.remarks(), *absent.values()],
        masks_advice=masks_advice,
        truth=truth,
    )


def _listed_ids(
    split: str,
    lines: Sequence[str],
    pictures: Pictures,
    problems: list[str],
    missing: Missing,
) -> list[str]:
    """Ids of a list's pictures, each once; whatever is wrong is added to the problems."""
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
