"""Image labels by number, as weakly supervised segmentation hands them on.

``cls_labels.npy`` of irn, psa and their followers is a dictionary of a vector of zeros and ones for
each image, whose id irn writes as a number (2007000032 is 2007_000032). ``train_cls.txt`` of OAA
and its followers has a line for each image, its name and its classes, counted from 0. Neither names
the classes.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsss_cli.artifacts.foreign_pickle import Array, read_foreign_array
from wsss_cli.data.class_names import read_lines
from wsss_cli.data.csv_labels import CsvRows
from wsss_cli.data.label_rows import LabelRow
from wsss_cli.errors import WsssError

SUFFIXES = (".npy", ".txt")
# Of a dictionary of some hundred thousand images.
_MOST_OPERATIONS = 10**7
# Ids of VOC as irn writes them: a year, and a number of six digits.
_VOC_NUMBER = re.compile(r"(\d{4})(\d{6})")


def read_rows(path: Path, class_names: Sequence[str]) -> CsvRows:
    """Read the labels of every image.

    Args:
        path: ``.npy`` or ``.txt``.
        class_names: Names of the classes in the order of the numbers.

    Raises:
        WsssError: The file is another one, or its numbers are not those of the classes.
    """
    if not class_names:
        raise WsssError(
            f"{path} numbers its classes without naming them; name them in their order, as in "
            'classes = ["cat", "dog"]'
        )
    named = _named_vectors if path.suffix.lower() == ".npy" else _named_lines
    return CsvRows(named(path, class_names), [], [], [])


def _named_vectors(path: Path, class_names: Sequence[str]) -> list[LabelRow]:
    vectors = read_foreign_array(path, operations=_MOST_OPERATIONS)
    if not isinstance(vectors, dict):
        raise WsssError(
            f"{path} holds an array; labels are a dictionary of a vector for each image id"
        )
    return [_row(path, key, vector, class_names) for key, vector in vectors.items()]


def _row(path: Path, key: str | int, vector: Array, class_names: Sequence[str]) -> LabelRow:
    if vector.shape != (len(class_names),):
        raise WsssError(
            f"{path}, image {key}: its labels are of the shape {vector.shape}, and there are "
            f"{len(class_names)} classes; name as many classes as the file has"
        )
    if not np.isin(vector, (0, 1)).all():
        raise WsssError(f"{path}, image {key}: its labels are not 0 or 1 each; correct them")
    present = frozenset(class_names[number] for number in np.flatnonzero(vector).tolist())
    return LabelRow(_image_id(key), present, None, f"{path.name} image {key}")


def _image_id(key: str | int) -> str:
    number = _VOC_NUMBER.fullmatch(str(key)) if isinstance(key, int) else None
    return f"{number[1]}_{number[2]}" if number else str(key)


def _named_lines(path: Path, class_names: Sequence[str]) -> list[LabelRow]:
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        picture, *written = line.split() or [""]
        if not picture:
            continue
        where = f"{path.name} line {number}"
        wrong = [w for w in written if not w.isdecimal() or int(w) >= len(class_names)]
        if wrong:
            raise WsssError(
                f"{path} line {number} has {wrong[0]!r}; after the picture's name come numbers of "
                f"classes, from 0 to {len(class_names) - 1}"
            )
        present = frozenset(class_names[int(each)] for each in written)
        rows.append(LabelRow(picture, present, None, where))
    return rows
