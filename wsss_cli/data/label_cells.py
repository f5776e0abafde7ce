"""Reads the cells of a column of labels.

A cell contains one name, several names with a separator, or a list as Python, numpy and JSON write
it. Placeholders for a missing value (``nan``, ``None``, ``[]``) are no names. If all cells are 0 or
1, there is one class.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from wsss_cli.errors import listing
from wsss_cli.reserved_names import answers, names_negative, names_no_value, number

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")


@dataclass
class LabelCells:
    """The classes of a column.

    Attributes:
        classes: Names of the classes of each cell, none for a cell that cannot be read.
        blank: Whether each cell is empty; a word for "none of the classes" is not.
        problems: Sentences on what is wrong, by position of the cell.
        remarks: Sentences on how the cells were understood.
    """

    classes: list[frozenset[str]] = field(default_factory=list)
    blank: list[bool] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read_cells(cells: Sequence[str], class_names: Sequence[str] = ()) -> LabelCells:
    """Read the cells of a column of labels.

    Args:
        cells: Texts, stripped.
        class_names: Known classes, whose names may contain separators.
    """
    class_name_set = set(class_names)
    answered = _answered(cells, class_names)
    if answered is not None:
        return answered
    lists = {
        cell: _items(cell) for cell in set(cells) if _is_list(cell) and cell not in class_name_set
    }
    separator, remark = _separator([cell for cell in cells if cell not in lists])
    words = {cell for cell in cells if not names_no_value(cell)}
    # Beside words 0 means no class; beside other numbers it may be a class.
    zero = {"0"} if any(number(cell) is None for cell in words - {"0"}) else set()

    @cache  # few of hundred thousands of cells are different
    def says_nothing(word: str) -> bool:
        return word not in class_name_set and (word in zero or names_negative(word, words))

    column = LabelCells()
    for row, cell in enumerate(cells):
        names: Iterable[str] | None
        if cell in class_name_set:
            names = [cell]
        elif cell in lists:
            names = lists[cell]
        elif says_nothing(cell):
            names = []
        else:
            names = _divided(cell, separator)
        if names is None:
            column.problems[row] = (
                f"{cell!r} cannot be read as a list; write names in quotes between [ and ], "
                "or separate them by | without brackets"
            )
            names = []
        column.classes.append(frozenset(name for name in names if not says_nothing(name)))
        column.blank.append(names_no_value(cell))
    pairs = list(zip(cells, column.classes, strict=True))
    if any(len(names) > 1 for cell, names in pairs if cell not in lists):
        column.remarks.append(remark)
    if lists:
        column.remarks.append("labels within a cell are written as lists in brackets")
    readable = [pair for row, pair in enumerate(pairs) if row not in column.problems]
    column.remarks += _about_words([cell for cell, names in readable if not names])
    return column


def _about_words(cells: Sequence[str]) -> list[str]:
    """Report the words that were read as none of the classes."""
    words = Counter(cell for cell in cells if cell)
    if not words:
        return []
    rows = "1 row says" if words.total() == 1 else f"{words.total():,} rows say"
    return [f"{rows} {listing(list(words))}, which is read as none of the classes"]


def _answered(cells: Sequence[str], class_names: Sequence[str]) -> LabelCells | None:
    """Read cells that all mean yes or no, for a single class; None for other cells."""
    values = [cell for cell in cells if not names_no_value(cell)]
    pair = answers(values)
    if pair is None or len(class_names) > 1 or set(values) & set(class_names):
        return None
    yes, no = pair
    name = class_names[0] if class_names else min(yes, key=len).removesuffix(".0")
    advice = "" if class_names else "; write its name into classes.txt to change it"
    return LabelCells(
        [frozenset({name} if cell in yes else ()) for cell in cells],
        [names_no_value(cell) for cell in cells],
        {},
        [
            *_about_words([cell for cell in cells if names_no_value(cell)]),
            f"labels are {min(no, key=len)} and {min(yes, key=len)}, so there is one class, "
            f"{name}, and {min(no, key=len)} means that a picture does not show it{advice}",
        ],
    )


def _is_list(cell: str) -> bool:
    """Whether a cell begins like a list; ( and { count only if quotes follow."""
    if names_no_value(cell):
        return False
    return cell.startswith("[") or (cell[:1] in ("(", "{") and bool(_QUOTED.search(cell)))


def _items(cell: str) -> list[str] | None:
    """The items of a list; None if it cannot be read or contains anything but names."""
    if cell[-1] != _BRACKETS[cell[0]]:
        return None
    try:
        items = json.loads(cell)
    except (ValueError, RecursionError):
        items = None
    if isinstance(items, list):
        plain = all(item is None or isinstance(item, str | int | float) for item in items)
        return [str(item).strip() for item in items] if plain else None
    inner = cell[1:-1]
    quoted = [re.sub(r"\\(.)", r"\1", a or b).strip() for a, b in _QUOTED.findall(inner)]
    between = _QUOTED.sub("", inner)
    if quoted:  # numpy writes no commas
        return None if re.sub(r"[\s,;]|\bnan\b|\bNone\b", "", between) else quoted
    return None if re.search(r"[\[\](){}:]", inner) else _divided(inner, ",")


def _separator(cells: Sequence[str]) -> tuple[str, str]:
    """The separator of labels within a cell, and a remark about it.

    If any cell contains another separator, spaces belong to names such as ``traffic light``.
    """
    for separator in ("|", ";", ","):
        if any(separator in cell for cell in cells):
            return separator, f"labels within a cell are separated by {separator}"
    return " ", "labels within a cell are separated by spaces"


def _divided(cell: str, separator: str) -> list[str]:
    parts = re.split(r"\s+", cell) if separator == " " else cell.split(separator)
    return [_unquoted(part.strip()) for part in parts if part.strip()]


def _unquoted(name: str) -> str:
    return (
        name[1:-1].strip() if len(name) > 2 and name[0] == name[-1] and name[0] in "'\"" else name
    )
