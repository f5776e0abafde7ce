"""Which of the folders around pictures are lists, and which are classes.

``cat/1.jpg``, ``train/cat/1.jpg``, ``Training/cat/1.jpg``, ``cat/train/1.jpg``; and as archives
unpack it, ``training_set/training_set/cat/1.jpg``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from wsss_cli.data.list_names import TRAIN, is_usual, renamed, split_name
from wsss_cli.errors import UsageError, listing


@dataclass(frozen=True)
class Division:
    """How pictures are divided.

    Attributes:
        places: List (None without lists) and class of each picture that lies in a class's folder.
        lists: Names of the folders of lists, if these lie around those of the classes.
        remarks: What there was a choice about.
    """

    places: Mapping[PurePosixPath, tuple[str | None, str]]
    lists: Collection[str] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_divided(self) -> bool:
        """Whether there are folders of lists."""
        return any(split is not None for split, _ in self.places.values())


def divide(
    pictures: Iterable[PurePosixPath], class_names: Collection[str], folder: object
) -> Division:
    """Tell lists from classes by the folders in which pictures lie.

    Names that mean train, val or test are lists where folders of pictures lie in them. So are
    other names, if all of them hold the same two folders or more. Names in ``class_names`` decide
    before that.

    Args:
        pictures: Paths below the folder.
        class_names: Names of classes that somebody listed; empty where nobody did.
        folder: For messages.

    Raises:
        UsageError: Some folders look like lists and others beside them do not.
    """
    around = _without_doubled({path: path.parts[:-1] for path in pictures})
    inner: dict[str, set[str]] = defaultdict(set)
    direct: set[str] = set()
    for folders in around.values():
        if len(folders) > 1:
            inner[folders[0]].add(folders[1])
        elif folders:
            direct.add(folders[0])
    remarks: list[str | None] = []
    places: dict[PurePosixPath, tuple[str | None, str]]
    lists: set[str] = set()
    if _lists_lie_outside(inner, direct, class_names, folder):
        lists = set(inner)
        loose = sorted(direct - lists)
        remarks = [renamed(lists)]
        if not all(map(is_usual, lists)) and not class_names:
            remarks.append(
                f"the folders {listing(sorted(lists))} hold the same folders, so they are lists; "
                "if they are the classes, write their names into classes.txt"
            )
        if loose:
            remarks.append(f"pictures right in {listing(loose)} lie in no class's folder")
        places = {
            path: (split_name(folders[0]), folders[1])
            for path, folders in around.items()
            if len(folders) > 1
        }
    elif _lists_lie_inside(inner, direct, class_names):
        remarks = [
            "the folders of lists lie in those of the classes",
            renamed(set().union(*inner.values())),
        ]
        places = {
            path: (split_name(folders[1]), folders[0])
            for path, folders in around.items()
            if len(folders) > 1
        }
    elif direct and all(map(is_usual, direct)) and not direct & set(class_names):
        return Division({})  # lists without classes
    else:
        places = {path: (None, folders[0]) for path, folders in around.items() if folders}
        deeper = sorted(f"{name}/{below}" for name, folders in inner.items() for below in folders)
        if deeper:
            remarks.append(f"folders within those of the classes say nothing: {listing(deeper)}")
    return Division(places, lists, tuple(filter(None, remarks)))


def _without_doubled(
    around: Mapping[PurePosixPath, tuple[str, ...]],
) -> dict[PurePosixPath, tuple[str, ...]]:
    """Take folders that hold nothing but a folder of their own name as one."""
    inner: dict[str, set[str | None]] = defaultdict(set)
    for folders in around.values():
        if folders:
            inner[folders[0]].add(folders[1] if len(folders) > 1 else None)
    doubled = {name for name, below in inner.items() if below == {name}}
    return {
        path: folders[1:] if folders and folders[0] in doubled else folders
        for path, folders in around.items()
    }


def _lists_lie_outside(
    inner: Mapping[str, set[str]],
    direct: set[str],
    class_names: Collection[str],
    folder: object,
) -> bool:
    """Whether the outer folders are lists, and the classes lie in them.

    Raises:
        UsageError: Only some of the outer folders are called as lists are.
    """
    within = set().union(*inner.values())
    if class_names and (within | direct | set(inner)) & set(class_names):
        return bool(within) and not (set(inner) | direct) & set(class_names)
    usual = {name for name in inner if is_usual(name)}
    others = sorted((set(inner) | direct) - usual - {name for name in direct if is_usual(name)})
    if inner and usual == set(inner) and (len(inner) > 1 or not others):
        return True
    meant = {split_name(name) for name in usual}
    if TRAIN in meant and len(meant) > 1:
        raise UsageError(
            f"{folder}: {listing(sorted(usual))} look like lists, with a folder for each class in "
            f"them, but {listing(others)} beside them do not; give the folder that holds the lists "
            "alone, or move the others away"
        )
    same = len(inner) > 1 and not direct and len({frozenset(i) for i in inner.values()}) == 1
    return same and len(within) > 1 and not all(map(is_usual, within))


def _lists_lie_inside(
    inner: Mapping[str, set[str]], direct: set[str], class_names: Collection[str]
) -> bool:
    """Whether the inner folders are lists, and lie in those of the classes."""
    within = set().union(*inner.values())
    if not inner or direct or set(class_names) & within:
        return False
    return all(map(is_usual, within)) and TRAIN in map(split_name, within)
