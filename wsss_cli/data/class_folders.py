"""One folder of pictures per class, perhaps below folders of lists.

``dog/1.jpg cat/2.jpg`` or ``train/dog/1.jpg val/dog/3.jpg``. A picture that lies in the folders of
several classes, with the same name and the same bytes, is one picture with several labels. A
folder ``background`` (``negative``, ``no dog`` beside ``dog``) holds pictures of none of them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.artifacts.picture_formats import is_picture
from wsss_cli.data.class_names import CLASSES_FILE, in_order, read_class_names
from wsss_cli.data.image_table import ImageTable, masks_beside
from wsss_cli.data.label_rows import LabelRow, Parts, assemble
from wsss_cli.data.list_folders import divide
from wsss_cli.data.pictures import (
    MASK_FOLDERS,
    PICTURES_UNREAD,
    FolderSurvey,
    Pictures,
    holds_pictures,
    pictures_folder,
    survey,
)
from wsss_cli.errors import UsageError, listing
from wsss_cli.reserved_names import answers, names_negative, same_name

LAYOUT = "one folder per class"
# What tells that the folders in a folder are VOC or COCO trees instead of classes.
_DATA_SETS = ("*/JPEGImages", "*/annotations/instances_*.json")
# Usual names of folders of masks and maps; one of them may still be a class.
_DRAWN = frozenset(
    {
        *("mask", "masks", "label", "labels", "annotation", "annotations", "gt", "ground truth"),
        *("groundtruth", "segmentation", "segmentations", "saliency"),
    }
)


def find(folder: Path) -> ImageTable | None:
    """Find the data set of a folder that has at least two folders with pictures.

    Returns:
        None for any other folder, and for one whose folders are data sets themselves.

    Raises:
        UsageError: Folders of lists lie beside others.
    """
    if any(next(folder.glob(mark), None) is not None for mark in _DATA_SETS):
        return None
    base = pictures_folder(folder)
    contents = survey(base)
    listed = folder / CLASSES_FILE
    names = read_class_names(listed) if listed.exists() else None
    below = {PurePosixPath(path.relative_to(base).as_posix()): path for path in contents.pictures}
    division = divide(below, names or (), folder)
    classified = {path: below[path] for path in division.places}
    folders = {name for _, name in division.places.values()}
    unreadable = _unreadable(base, contents, folders, divided=division.is_divided)
    if len(folders | unreadable.keys()) < 2 or not folders:
        if base != folder:
            _require_no_class_beside(folder, base)
        return None
    negatives = _negatives(folders, names or ())
    kept, rows = [], []
    for copies in _groups(classified, division.places):
        kept.append(classified[copies[0]])
        class_names_of = frozenset(division.places[path][1] for path in copies) - negatives
        split = division.places[copies[0]][0]
        rows.append(LabelRow(str(copies[0]), class_names_of, split, str(copies[0])))
    loose = [path for p, path in below.items() if p not in classified]
    remarks = list(division.remarks)
    several = len(classified) - len(kept)
    if several:
        remarks.append(
            f"{several} pictures lie in several class folders; each counts once, with all labels"
        )
    if negatives:
        folders_of = listing(sorted(negatives))
        remarks.append(f"pictures in the folder {folders_of} count as negatives")
    empty = [path.name for path in contents.empty if base in (path.parent, path.parent.parent)]
    if empty:
        remarks.append(f"empty folders are ignored: {listing(empty)}")
    masks = masks_beside(folder)
    pictures = Pictures(base, [*kept, *loose], unread=contents.unread)
    return assemble(
        Parts(
            root=folder,
            layout=LAYOUT,
            source=folder,
            pictures=pictures,
            rows=rows,
            class_names=in_order(folders - negatives) if names is None else names,
            in_given_order=names is not None,
            masks=masks if masks is None or masks.name not in folders else None,
            problems=[
                *unreadable.values(),
                *_drawn_or_classes(sorted(folders - set(names or ()))),
                *_masks_or_classes(folder, base, division.lists, pictures.paths),
            ],
            remarks=remarks,
        )
    )


def _negatives(folders: set[str], class_names: Sequence[str]) -> frozenset[str]:
    """Names of the folders of negatives, unless they are listed as classes."""
    answered = answers(folders)
    absent = frozenset() if answered is None else answered[1]
    denied = frozenset(name for name in folders if names_negative(name, folders))
    return (absent | denied) - frozenset(class_names)


def _drawn_or_classes(folders: Sequence[str]) -> list[str]:
    """Report class folders whose names suggest masks or saliency maps."""
    return [
        f"the folder {name} may contain masks or be a class: put true masks into "
        f"{MASK_FOLDERS[-1]}/ID.png and other maps outside the data set; if it is a class, rename "
        f"it or list the classes in {CLASSES_FILE}"
        for name in folders
        if same_name(name) in _DRAWN
    ]


def _masks_or_classes(
    folder: Path, base: Path, lists: Iterable[str], image_ids: Collection[str]
) -> list[str]:
    """Report folders named like masks that contain no mask of a picture: they may be classes.

    Args:
        folder: The data set.
        base: Where the folders of lists or classes lie.
        lists: Names of the folders of lists.
        image_ids: Ids of the pictures.
    """
    questions = []
    for parent in dict.fromkeys((folder, base, *(base / name for name in lists))):
        for mask_folder in (parent / name for name in MASK_FOLDERS if (parent / name).is_dir()):
            stems = {path.stem for path in mask_folder.rglob("*") if is_picture(path)}
            if stems and (parent != folder or not stems.intersection(image_ids)):
                example = f"{folder / MASK_FOLDERS[-1] / min(image_ids)}.png"
                questions.append(
                    f"{mask_folder} has {len(stems)} pictures, but not the mask of any picture: "
                    f"masks are named like {example}; if it is a class, rename the folder"
                )
    return questions


def _require_no_class_beside(folder: Path, images: Path) -> None:
    """Refuse class folders that lie beside the folder ``images``.

    Raises:
        UsageError: ``images`` may be a class, or the other folders would be ignored.
    """
    beside = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and path != images and holds_pictures(path)
    )
    if beside:
        raise UsageError(
            f"{folder}: pictures are read from {images.name} only, so those in {listing(beside)} "
            f"would be left out; if {images.name} is a class, rename it, otherwise move the class "
            "folders into it"
        )


def _unreadable(
    base: Path, contents: FolderSurvey, classes: Collection[str], *, divided: bool
) -> dict[str, str]:
    """Report class or list folders without a readable picture, by their name."""
    read = {path.parent for path in contents.pictures}
    problems = {}
    for folder, endings in contents.unread.items():
        parts = folder.relative_to(base).parts
        if not parts or any(path.is_relative_to(folder) for path in read):
            continue
        as_pictures = not PICTURES_UNREAD.isdisjoint(endings)
        if parts[-1] in classes or (as_pictures and len(parts) == (2 if divided else 1)):
            counted = ", ".join(f"{count:,} {ending}" for ending, count in endings.items())
            problems[parts[-1]] = (
                f"the folder {'/'.join(parts)} holds no picture that can be read ({counted}); "
                "convert its files to JPEG or PNG, or move the folder away"
            )
    return problems


def _groups(
    classified: Mapping[PurePosixPath, Path],
    division: Mapping[PurePosixPath, tuple[str | None, str]],
) -> Iterable[list[PurePosixPath]]:
    """Group the pictures of one list that have the same name and bytes in several folders."""
    copies: dict[tuple[str | None, ...], list[PurePosixPath]] = defaultdict(list)
    same_name_and_size: dict[tuple[str, int], list[PurePosixPath]] = defaultdict(list)
    for below, path in classified.items():
        same_name_and_size[below.name, path.stat().st_size].append(below)
    for group in same_name_and_size.values():
        for below in group:
            content = file_fingerprint(classified[below]) if len(group) > 1 else str(below)
            copies[division[below][0], below.name, content].append(below)
    return copies.values()
