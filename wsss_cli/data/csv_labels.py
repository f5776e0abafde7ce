"""A folder of pictures with a CSV of their labels.

The first line is a header. Either a column holds the labels, several of them in one cell, or every
class has a column::

    image,labels,split          image,cat,dog
    a.jpg,dog cat,train         a.jpg,1,1
    b.jpg,dog,val               b.jpg,0,1

Instead of the column split, each list may have a CSV of its own: ``train.csv`` and ``val.csv``, or
one in the folder of each list.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wsss_cli.artifacts.picture_formats import is_picture
from wsss_cli.data.class_names import CLASSES_FILE, in_order, read_class_names, read_lines
from wsss_cli.data.image_table import ImageTable, masks_beside
from wsss_cli.data.label_cells import read_cells
from wsss_cli.data.label_rows import LabelRow, Parts, assemble
from wsss_cli.data.list_names import TRAIN, VAL, is_usual, renamed, split_name
from wsss_cli.data.pictures import Pictures, pictures_folder
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.reserved_names import names_no_value

LAYOUT = "pictures with a CSV of labels"
CSV_SUFFIXES = (".csv", ".tsv")
_PREFERRED = ("labels.csv", "labels.tsv", "_classes.csv")
_DELIMITERS = (",", ";", "\t")
_IMAGE_COLUMNS = (
    *("image", "image_id", "image_name", "filename", "file_name", "file", "path", "image_path"),
    *("img_path", "image_file", "file_path", "filepath", "img_name", "filenames", "id", "img"),
    *("fname", "images", "picture", "photo"),
)
_LABEL_COLUMNS = (
    *("labels", "label", "classes", "class", "tags", "label_name", "class_name", "category"),
    "categories",
)
_SPLIT_COLUMN = "split"
# Other names of that column, valid if all its cells name lists; then one that marks validation.
_PERHAPS_SPLIT = ("subset", "partition", "set", "fold", "phase", "usage")
_HELD_OUT = "is_valid"
_WANTED = "image,labels or image,CLASS,CLASS,... and perhaps a column split"
_YES, _NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")


class NoLabelTableError(WsssError):
    """A CSV whose header names no column of pictures, or no other column."""


@dataclass(frozen=True)
class CsvRows:
    """The content of a CSV.

    Attributes:
        rows: In their order.
        columns: Names of classes with a column each, in order; empty with a column of labels.
        problems: Sentences on what is wrong, with line numbers.
        remarks: Sentences on how the CSV was understood.
    """

    rows: Sequence[LabelRow]
    columns: Sequence[str]
    problems: Sequence[str]
    remarks: Sequence[str]


def find(folder: Path) -> ImageTable | None:
    """Find the data set of a folder with a CSV, or with one in each list's folder; else None.

    Raises:
        UsageError: There are several, and none is called ``labels.csv``.
        NoLabelTableError: The CSV has no labels.
    """
    of_lists = _named_as_lists(folder)
    if of_lists:
        return _read_lists(folder, of_lists)
    path = _csv_of(folder)
    if path is not None:
        return read(path, root=folder)
    lists = sorted(below for below in folder.iterdir() if is_usual(below.name) and below.is_dir())
    files = {below.name: path for below in lists if (path := _csv_of(below)) is not None}
    return _read_lists(folder, files) if files else None


def _tables(folder: Path) -> list[Path]:
    """The CSVs in a folder, sorted."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in CSV_SUFFIXES and not path.name.startswith(".")
    )


def _named_as_lists(folder: Path) -> dict[str, Path]:
    """CSVs named like lists, ``train.csv`` and ``val.csv``, by these names."""
    tables = {path.stem: path for path in _tables(folder)}
    splits = {split_name(stem) for stem in tables}
    together = len(tables) > 1 and len(splits) == len(tables) and TRAIN in splits
    return tables if together and all(map(is_usual, tables)) else {}


def _csv_of(folder: Path) -> Path | None:
    """The CSV of labels in a folder, None where it has no CSV.

    Raises:
        UsageError: There are several, and none has the usual name.
    """
    tables = _tables(folder)
    candidates = [path for path in tables if path.name.lower() in _PREFERRED] or tables
    if len(candidates) > 1:
        likely = next(
            (path for path in candidates if split_name(path.stem) == TRAIN), candidates[0]
        )
        raise UsageError(
            f"{folder} has several CSV files: {listing([path.name for path in tables])}; name the "
            f"one with the labels, as in --data {likely}"
        )
    return candidates[0] if candidates else None


def has_usual_name(folder: Path) -> bool:
    """Whether a folder has a CSV named like a table of labels."""
    path = _csv_of(folder)
    return path is not None and path.name.lower() in _PREFERRED


def _read_lists(folder: Path, files: Mapping[str, Path]) -> ImageTable:
    """Read a data set with a CSV for each list.

    Args:
        folder: The folder that ``--data`` names.
        files: CSVs by the names of their lists.
    """
    listed = folder / CLASSES_FILE
    names = read_class_names(listed) if listed.exists() else None
    masks = masks_beside(folder)
    pictures = Pictures.of_folder(folder, without=masks)
    rows: list[LabelRow] = []
    problems: list[str] = []
    remarks = list(filter(None, [renamed(set(files))]))
    columns: dict[str, None] = {}
    for list_name, path in files.items():
        table = read_rows(path, names or ())
        columns |= dict.fromkeys(table.columns)
        prefix = "" if path.parent == folder else f"{list_name}/"
        problems += [f"{prefix}{problem}" for problem in table.problems]
        remarks += [f"{list_name}: {remark}" for remark in table.remarks]
        for row in table.rows:
            paths = [f"{list_name}/{row.picture}", f"{list_name}/images/{row.picture}"]
            paths += [] if prefix else [row.picture]
            rows.append(
                replace(
                    row,
                    picture=next(filter(pictures.names.knows, paths), paths[0]),
                    split=row.split or split_name(list_name),
                    where=f"{prefix}{row.where}",
                )
            )
    return assemble(
        Parts(
            root=folder,
            layout=LAYOUT,
            source=folder,
            pictures=pictures,
            rows=rows,
            class_names=names or in_order(columns) or None,
            in_given_order=names is not None,
            masks=masks,
            problems=problems,
            remarks=remarks,
        )
    )


def read(path: Path, *, root: Path | None = None) -> ImageTable:
    """Read the data set of a CSV and the pictures in its folder.

    Args:
        path: The CSV.
        root: The path that ``--data`` names; None is the CSV itself.

    Raises:
        WsssError: The CSV cannot be read, or two pictures have the same id.
    """
    folder = path.parent
    listed = folder / CLASSES_FILE
    names = read_class_names(listed) if listed.exists() else None
    table = read_rows(path, names or ())
    images = pictures_folder(folder)
    masks = masks_beside(folder)
    return assemble(
        Parts(
            root=root or path,
            layout=LAYOUT,
            source=path,
            pictures=Pictures.of_folder(images, without=masks),
            rows=table.rows,
            class_names=names or table.columns or None,
            in_given_order=names is not None,
            masks=masks,
            problems=table.problems,
            remarks=table.remarks,
        )
    )


def read_rows(path: Path, class_names: Sequence[str] = ()) -> CsvRows:
    """Read the labels of a CSV.

    Args:
        path: The file.
        class_names: Known classes, whose names may contain separators.

    Raises:
        WsssError: It is empty, is no CSV or has no readable header.
    """
    lines = read_lines(path)
    header_line = next((line for line in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True)
    try:
        cells = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise WsssError(f"{path} line {reader.line_num} cannot be read ({error})") from error
    if not cells:
        raise WsssError(f"{path} is empty; its first line should be {_WANTED}")
    columns = _columns(path, cells[0][1], [row for _, row in cells[1:]])
    problems: list[str] = []
    complete = list(_complete_rows(path.name, columns, cells[1:], problems))
    if columns.labels is None:
        names = _one_column_each(path.name, columns, complete, problems)
        positions = columns.classes.values()
        blank = [all(names_no_value(row[column]) for column in positions) for _, row in complete]
        remarks: list[str] = []
    else:
        column = read_cells([row[columns.labels] for _, row in complete], class_names)
        names, blank, remarks = column.classes, column.blank, column.remarks
        problems += [
            f"{path.name} line {complete[row][0]}: {problem}"
            for row, problem in column.problems.items()
        ]
        if columns.classes:
            remarks.append(f"columns that are not used: {listing(list(columns.classes))}")
    splits = [columns.split_of(row) for _, row in complete]
    unlabelled = _unlabelled(splits, blank)
    rows = [
        LabelRow(
            row[columns.image],
            None if split in unlabelled else of_row,
            split,
            f"{path.name} line {line}",
        )
        for (line, row), split, of_row in zip(complete, splits, names, strict=True)
    ]
    remarks += columns.as_lists([row for _, row in complete])
    remarks += [
        f"{path.name} has no label for the list {split}, so its images count as unlabelled"
        for split in unlabelled
        if split is not None
    ]
    return CsvRows(
        rows, in_order(columns.classes) if columns.labels is None else [], problems, remarks
    )


def _unlabelled(splits: Sequence[str | None], blank: Sequence[bool]) -> list[str | None]:
    """Lists whose cells are all blank: their images are unlabelled, not negative."""
    is_blank: dict[str | None, bool] = defaultdict(lambda: True)
    for split, empty in zip(splits, blank, strict=True):
        is_blank[split] &= empty
    return [split for split, all_blank in is_blank.items() if all_blank]


@dataclass(frozen=True)
class _Columns:
    """Positions of the columns, of ``count`` in all."""

    count: int
    image: int
    labels: int | None
    split: int | None
    held_out: bool
    classes: Mapping[str, int]

    def split_of(self, row: Sequence[str]) -> str | None:
        if self.split is None:
            return None
        if self.held_out:
            return VAL if row[self.split].lower() in _YES else TRAIN
        return split_name(row[self.split])

    def as_lists(self, rows: Sequence[Sequence[str]]) -> list[str]:
        """A remark about lists with other names in the CSV; empty without such lists."""
        if self.split is None or self.held_out:
            return []
        return list(filter(None, [renamed({row[self.split] for row in rows})]))


def _columns(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> _Columns:
    names = [cell.strip() for cell in header]
    lower = [re.sub(r"[\s\-]+", "_", name.lower()) for name in names]
    image = next((lower.index(name) for name in _IMAGE_COLUMNS if name in lower), None)
    if image is None:
        first_line = "a picture's row" if is_picture(Path(names[0])) else listing(names)
        raise NoLabelTableError(
            f"{path}: its first line is {first_line}; it should be a header, {_WANTED}"
        )
    labels = next((lower.index(name) for name in _LABEL_COLUMNS if name in lower), None)
    split = _split_column(lower, rows)
    # A column without a name is the numbering that pandas writes.
    classes = {n: at for at, n in enumerate(names) if n and at not in (image, labels, split)}
    if labels is None and not classes:
        raise NoLabelTableError(f"{path} has the columns {listing(names)}; expected {_WANTED}")
    if len([name for name in names if name]) != len({name for name in names if name}):
        raise WsssError(f"{path} names a column twice: {listing(names)}; rename one of them")
    held_out = split is not None and lower[split] == _HELD_OUT
    return _Columns(len(names), image, labels, split, held_out, classes)


def _split_column(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """The column that divides the rows into lists, if there is one."""
    if _SPLIT_COLUMN in names:
        return names.index(_SPLIT_COLUMN)
    for name in (*_PERHAPS_SPLIT, _HELD_OUT):
        if name in names:
            position = names.index(name)
            cells = {row[position].strip() for row in rows if len(row) > position}
            is_value = ({*_YES, *_NO}).__contains__ if name == _HELD_OUT else is_usual
            if cells and all(is_value(cell.lower()) for cell in cells):
                return position
    return None


def _complete_rows(
    name: str, columns: _Columns, cells: Sequence[tuple[int, list[str]]], problems: list[str]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that fit the header, stripped, with their line numbers."""
    for number, row in cells:
        if len(row) != columns.count:
            problems.append(
                f"{name} line {number} has {len(row)} cells, the header {columns.count}; "
                "separate several labels of a cell by a space, ; or |, or put them in quotes"
            )
        elif columns.split is not None and not row[columns.split].strip():
            problems.append(f"{name} line {number} says no {_SPLIT_COLUMN}, such as train or val")
        else:
            yield number, [cell.strip() for cell in row]


def _one_column_each(
    name: str,
    columns: _Columns,
    rows: Sequence[tuple[int, list[str]]],
    problems: list[str],
) -> list[frozenset[str]]:
    """Classes of each row, from a column of 0 and 1 for each class."""
    labels = []
    for number, row in rows:
        present = set()
        for class_name, position in columns.classes.items():
            value = row[position].lower()
            if value in _YES:
                present.add(class_name)
            elif value not in _NO and not names_no_value(value):
                problems.append(
                    f"{name} line {number}: {row[position]!r} in the column {class_name} is "
                    "neither 0 nor 1; remove columns that are no classes, or put all labels into "
                    "one column called labels"
                )
        labels.append(frozenset(present))
    return labels
