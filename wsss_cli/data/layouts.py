"""Which layout lies where ``--data`` points."""

from pathlib import Path

from wsss_cli.data import class_folders, coco, csv_labels, named_parts, unlabelled_pictures
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.voc import VocTree
from wsss_cli.errors import UsageError

_FOLDERS = (
    *(VocTree.find, coco.find, csv_labels.find, class_folders.find),
    unlabelled_pictures.find,
)
_FILES = {
    ".toml": named_parts.read,
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
        for find in _FOLDERS:
            found = find(place)
            if found is not None:
                return found
        raise UsageError(
            f"{option} {path}: no layout is known there: it has no JPEGImages folder (PASCAL VOC), "
            "no annotations/*.json (COCO), no CSV file of labels, not two folders with pictures "
            "(one per class), and no pictures with a classes.txt (without labels)"
        )
    read = _FILES.get(place.suffix.lower())
    if read is None or not place.is_file():
        what = "is no data set" if place.exists() else "does not exist"
        raise UsageError(
            f"{option} {path}: it {what}; give a folder (PASCAL VOC, COCO, pictures with a CSV, "
            "one folder per class), a CSV, a COCO JSON, or a TOML that names the parts"
        )
    return read(place)
