"""Lists of a PASCAL VOC tree."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wsss_cli.artifacts.file_names import names_a_file
from wsss_cli.artifacts.picture_formats import is_picture
from wsss_cli.data.class_names import read_lines
from wsss_cli.data.list_names import is_usual, name_on_line, split_name
from wsss_cli.data.name_index import NameIndex
from wsss_cli.errors import WsssError, listing

TRAIN_AUG = "train_aug"
LIST_FOLDERS = ("ImageSets/Segmentation", "ImageSets/Main", "ImageSets")
"""Folders of lists; the first that holds any counts."""

# What may be the id of a picture that is not there.
_SAFE_ID = re.compile(r"\w[\w.\- ()\[\],'+&]*")


def list_files(root: Path) -> dict[str, Path]:
    """The files of a tree's lists by the names under which the commands look for them."""
    for folder in LIST_FOLDERS:
        paths = sorted(
            path for path in (root / folder).glob("*.[tT][xX][tT]") if not path.name.startswith(".")
        )
        if folder != LIST_FOLDERS[0]:  # those of single classes, cat_train.txt, are no lists
            paths = [path for path in paths if is_usual(path.stem) or path.stem == TRAIN_AUG]
        if paths:
            return _named(paths)
    return {}


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Files by their names, ``Train.txt`` as ``train`` unless there is one of that name."""
    stems = {path.stem for path in paths}
    lists: dict[str, Path] = {}
    for path in paths:
        usual = split_name(path.stem) if is_usual(path.stem) else path.stem
        free = usual not in stems and usual not in lists
        lists[usual if free else path.stem] = path
    return lists


@dataclass(frozen=True)
class ListedIds:
    """What a list says.

    Attributes:
        image_ids: Its ids, each once.
        problems: Why it cannot be used as it is.
    """

    image_ids: list[str]
    problems: Sequence[str]


def read_list(path: Path, names: NameIndex, images: Path) -> ListedIds:
    """Read the ids of a list: what each line names, or its first words.

    A line names an id, a file, or as in the lists of DeepLab and psa a path below the tree, with
    the path of a mask after it. Ids whose picture is not there are kept, to be missed by name.

    Args:
        path: The list.
        names: The pictures.
        images: Their folder.

    Raises:
        WsssError: It is no text.
    """
    ids: dict[str, None] = {}
    odd, repeated = [], []
    for line in filter(None, map(str.strip, read_lines(path))):
        name = name_on_line(line, names.knows)
        try:
            image_id: str | None = names.look_up(name)
        except WsssError:
            if line.startswith("#"):
                continue
            image_id = _absent_id(name, images)
        if image_id is None or not names_a_file(image_id):
            odd.append(f"{path}: {name!r} is not an image id (a file name without folder)")
        elif image_id in ids:
            repeated.append(image_id)
        else:
            ids[image_id] = None
    again = (
        [f"{path} lists an image twice: {listing(repeated)}; keep one line of each"]
        if repeated
        else []
    )
    empty = [] if ids or odd else [f"{path} lists no image; write an image id on each line"]
    return ListedIds(list(ids), [*odd, *again, *empty])


def _absent_id(name: str, images: Path) -> str | None:
    """The id that a name means of which there is no picture; None where it cannot be one."""
    path = PurePosixPath(name)
    if path.name != name and path.parent.name != images.name:
        return None
    image_id = path.stem if is_picture(path) else path.name
    return image_id if _SAFE_ID.fullmatch(image_id) else None
