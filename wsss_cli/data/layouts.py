"""Which layout lies where ``--data`` points."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from wsss_cli.data import class_folders, coco, csv_labels, toml_layout, unlabelled_pictures
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.image_table import ImageTable
from wsss_cli.data.pictures import survey
from wsss_cli.data.voc import VocDataSet
from wsss_cli.errors import UsageError, WsssError, listing

_FOLDERS = (
    *(VocDataSet.find, coco.find, csv_labels.find, class_folders.find),
    unlabelled_pictures.find,
)
# How many folders a data set may lie below the one that is given.
_LEVELS = 2
_FILES = {
    ".toml": toml_layout.read,
    ".json": coco.read,
    **dict.fromkeys(csv_labels.CSV_SUFFIXES, csv_labels.read),
}


def find_data_set(path: Path, option: str = "--data") -> DataSet:
    """The data set in a folder or file; the first layout that recognises it has it.

    Args:
        path: What was given.
        option: The option that gave it, for the message.

    Raises:
        UsageError: No layout recognises it.
        WsssError: One does, and cannot read it.
    """
    place = path.resolve()
    if place.is_dir():
        data_set = _in_folder(place)
        return _below(path, place, option) if data_set is None else data_set
    read = _FILES.get(place.suffix.lower())
    if read is None or not place.is_file():
        what = "is no data set" if place.exists() else "does not exist"
        raise UsageError(
            f"{option} {path}: it {what}; give a folder (PASCAL VOC, COCO, pictures with a CSV, "
            "one folder per class), a CSV, a COCO JSON, or a TOML that names the parts"
        )
    return read(place)


def _in_folder(place: Path) -> DataSet | None:
    """The data set of a folder, None where no layout recognises it."""
    for find in _FOLDERS:
        if find is class_folders.find and _holds_data_sets(place):
            continue  # whose folders are no classes
        try:
            data_set = find(place)
        except csv_labels.NoLabelTableError as error:
            return _beside_table(place, error)
        if data_set is not None:
            return data_set
    return None


def _beside_table(place: Path, error: WsssError) -> DataSet:
    """The class folders beside a CSV that is no table of labels, and is not called as one.

    Raises:
        WsssError: There are no such folders, or the CSV is ``labels.csv``.
    """
    data_set = None if csv_labels.has_usual_name(place) else class_folders.find(place)
    if data_set is None:
        raise error
    return _with_remark(data_set, f"labels are those of the folders, not of a table: {error}")


def _holds_data_sets(place: Path) -> bool:
    """Whether folders in it are VOC trees or COCO trees."""
    marks = ("*/JPEGImages", "*/annotations/instances_*.json")
    return any(next(place.glob(mark), None) is not None for mark in marks)


def _below(path: Path, place: Path, option: str) -> DataSet:
    """The only data set in a folder's folders: archives unpack into one, or two.

    Args:
        path: The folder that was given.
        place: The same, with links followed.
        option: The option that gave it, for the message.

    Raises:
        UsageError: There is none, or several.
    """
    level, reasons = [place], list[str]()
    for _ in range(_LEVELS):
        if reasons:
            break
        level = [below for folder in level for below in _folders(folder)]
        there = {}
        for folder in level:
            try:
                data_set = _in_folder(folder)
            except WsssError as error:
                reasons.append(str(error))
                continue
            if data_set is not None and data_set.pictures():
                there[folder] = data_set
        if len(there) > 1:
            names = listing([str(folder.relative_to(place)) for folder in there])
            raise UsageError(
                f"{option} {path} holds several data sets: {names}; name one, as in {option} "
                f"{path / next(iter(there)).relative_to(place)}"
            )
        for folder, data_set in there.items():
            return _with_remark(data_set, f"the data set lies in {folder.relative_to(place)}")
    raise UsageError(f"{option} {path}: {_nothing_in(place)}{'; '.join(['', *reasons[:1]])}")


def _with_remark(data_set: DataSet, remark: str) -> DataSet:
    if isinstance(data_set, ImageTable):
        return replace(data_set, remarks=[remark, *data_set.remarks])
    return replace(data_set, place=remark) if isinstance(data_set, VocDataSet) else data_set


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, as far as they may be looked into."""
    try:
        return sorted(
            path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
    except OSError:
        return []


def _nothing_in(place: Path) -> str:
    """Say what was looked for in a folder, and what is there instead."""
    there = survey(place)
    endings = sum(there.unread.values(), Counter[str]())
    counted = [f"{len(there.pictures):,} pictures"] if there.pictures else []
    counted += [f"{count:,} {ending}" for ending, count in endings.most_common(5)]
    seen = f"; there are {', '.join(counted)}" if counted else ""
    if any((place.parent / mark).is_dir() for mark in ("JPEGImages", "annotations")):
        seen += f"; {place.parent} above it looks like a data set: give that"
    if next((place / "labels").rglob("*.txt"), None) is not None:
        seen += "; labels/*.txt, as YOLO has them, are not read: write a CSV of image,labels"
    return (
        "no layout is known there: it has no JPEGImages folder (PASCAL VOC), no annotations/*.json "
        "(COCO), no CSV file of labels, not two folders with pictures (one per class), and no "
        f"pictures with a classes.txt (without labels){seen}"
    )
