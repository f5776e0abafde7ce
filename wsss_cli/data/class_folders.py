"""One folder of pictures per class, perhaps below folders of lists.

``dog/1.jpg cat/2.jpg`` or ``train/dog/1.jpg val/dog/3.jpg``. A picture that lies in the folders of
several classes, under one name and with the same bytes, is one picture with several labels. A
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
# Folders that mostly hold what is drawn for pictures; one of them may still be a class.
_DRAWN = frozenset(
    {
        *("mask", "masks", "label", "labels", "annotation", "annotations", "gt", "ground truth"),
        *("groundtruth", "segmentation", "segmentations", "saliency"),
    }
)


def find(folder: Path) -> ImageTable | None:
    """The data set of a folder that has two folders with pictures or more; else None.

    Raises:
        UsageError: Folders of lists lie beside others.
    """
    base = pictures_folder(folder)
    there = survey(base)
    listed = folder / CLASSES_FILE
    names = read_class_names(listed) if listed.exists() else None
    below = {PurePosixPath(path.relative_to(base).as_posix()): path for path in there.pictures}
    division = divide(below, names or (), folder)
    place = {path: below[path] for path in division.places}
    folders = {name for _, name in division.places.values()}
    unreadable = _unreadable(base, there, folders, divided=division.is_divided)
    if len(folders | unreadable.keys()) < 2 or not folders:
        if base != folder:
            _require_no_class_beside(folder, base)
        return None
    negatives = _negatives(folders, names or ())
    kept, rows = [], []
    for copies in _groups(place, division.places):
        kept.append(place[copies[0]])
        shown = frozenset(division.places[path][1] for path in copies) - negatives
        split = division.places[copies[0]][0]
        rows.append(LabelRow(str(copies[0]), shown, split, str(copies[0])))
    loose = [path for p, path in below.items() if p not in place]
    remarks = list(division.remarks)
    several = len(place) - len(kept)
    if several:
        remarks.append(
            f"{several} pictures lie in another folder too; each is one, with both labels"
        )
    if negatives:
        folders_of = listing(sorted(negatives))
        remarks.append(f"pictures in the folder {folders_of} show none of the classes")
    empty = [path.name for path in there.empty if base in (path.parent, path.parent.parent)]
    if empty:
        remarks.append(f"folders that hold nothing are no classes: {listing(empty)}")
    masks = masks_beside(folder)
    pictures = Pictures(base, [*kept, *loose], unread=there.unread)
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
    """Folders of pictures that show none of the classes, unless they are listed as classes."""
    answered = answers(folders)
    absent = frozenset() if answered is None else answered[1]
    denied = frozenset(name for name in folders if names_negative(name, folders))
    return (absent | denied) - frozenset(class_names)


def _drawn_or_classes(folders: Sequence[str]) -> list[str]:
    """Ask about classes that are called as what is drawn for pictures."""
    return [
        f"the folder {name} may hold masks or be a class: true masks belong into "
        f"{MASK_FOLDERS[-1]}/ID.png, other maps beside the data set; if it is a class, rename it "
        f"or list the classes in {CLASSES_FILE}"
        for name in folders
        if same_name(name) in _DRAWN
    ]


def _masks_or_classes(
    folder: Path, base: Path, lists: Iterable[str], image_ids: Collection[str]
) -> list[str]:
    """Ask about folders of masks that hold the mask of no picture: they may be classes.

    Args:
        folder: The data set.
        base: Where the folders of lists or classes lie.
        lists: Names of the folders of lists.
        image_ids: Ids of the pictures.
    """
    questions = []
    for place in dict.fromkeys((folder, base, *(base / name for name in lists))):
        for drawn in (place / name for name in MASK_FOLDERS if (place / name).is_dir()):
            stems = {path.stem for path in drawn.rglob("*") if is_picture(path)}
            if stems and (place != folder or not stems.intersection(image_ids)):
                example = f"{folder / MASK_FOLDERS[-1] / min(image_ids)}.png"
                questions.append(
                    f"{drawn} holds {len(stems)} pictures, but not the mask of any picture: masks "
                    f"are named as {example}; if it is a class, rename the folder"
                )
    return questions


def _require_no_class_beside(folder: Path, images: Path) -> None:
    """Refuse class folders that lie beside a folder of that name.

    Raises:
        UsageError: The folder ``images`` may be a class, or other folders be forgotten.
    """
    beside = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and path != images and holds_pictures(path)
    )
    if beside:
        raise UsageError(
            f"{folder}: {images.name} is where all pictures are looked for, so those in "
            f"{listing(beside)} would be left out; if {images.name} is a class, rename it, else "
            f"move the folders of the classes into it"
        )


def _unreadable(
    base: Path, there: FolderSurvey, classes: Collection[str], *, divided: bool
) -> dict[str, str]:
    """Folders that seem to be classes or lists, and hold no picture that can be read: why."""
    read = {path.parent for path in there.pictures}
    problems = {}
    for place, endings in there.unread.items():
        parts = place.relative_to(base).parts
        if not parts or any(path.is_relative_to(place) for path in read):
            continue
        as_pictures = not PICTURES_UNREAD.isdisjoint(endings)
        if parts[-1] in classes or (as_pictures and len(parts) == (2 if divided else 1)):
            counted = ", ".join(f"{count:,} {ending}" for ending, count in endings.items())
            problems[parts[-1]] = (
                f"the folder {'/'.join(parts)} holds no picture that can be read ({counted}); "
                "convert them to JPEG or PNG, or move the folder away"
            )
    return problems


def _groups(
    place: Mapping[PurePosixPath, Path], division: Mapping[PurePosixPath, tuple[str | None, str]]
) -> Iterable[list[PurePosixPath]]:
    """Pictures of one name and the same bytes in the class folders of one list."""
    alike: dict[tuple[str | None, ...], list[PurePosixPath]] = defaultdict(list)
    named: dict[tuple[str, int], list[PurePosixPath]] = defaultdict(list)
    for below, path in place.items():
        named[below.name, path.stat().st_size].append(below)
    for group in named.values():
        for below in group:
            content = file_fingerprint(place[below]) if len(group) > 1 else str(below)
            alike[division[below][0], below.name, content].append(below)
    return alike.values()
