"""One folder of pictures per class, perhaps below folders of lists.

``dog/1.jpg cat/2.jpg`` or ``train/dog/1.jpg val/dog/3.jpg``. A picture that lies in the folders of
several classes, under one name and with the same bytes, is one picture with several labels.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.data.class_names import CLASSES_FILE, read_class_names
from wsss_cli.data.image_table import ImageTable, masks_beside
from wsss_cli.data.label_rows import LabelRow, Parts, assemble, split_name
from wsss_cli.data.pictures import Pictures, find_pictures, pictures_folder

LAYOUT = "one folder per class"
_SPLITS = frozenset({"train", "val", "test"})


def find(folder: Path) -> ImageTable | None:
    """The data set of a folder that has two folders with pictures or more; else None."""
    base = pictures_folder(folder)
    pictures = find_pictures(base)
    below = [PurePosixPath(path.relative_to(base).as_posix()) for path in pictures]
    tops = {path.parts[0] for path in below if len(path.parts) > 1}
    divided = bool(tops) and {split_name(top) for top in tops} <= _SPLITS
    depth = 1 if divided else 0
    place = {p: path for p, path in zip(below, pictures, strict=True) if len(p.parts) > depth + 1}
    classes = {path.parts[depth] for path in place}
    if len(classes) < 2:
        return None
    kept, rows = [], []
    for copies in _groups(place, depth):
        kept.append(place[copies[0]])
        names = frozenset(path.parts[depth] for path in copies)
        split = split_name(copies[0].parts[0]) if divided else None
        rows.append(LabelRow(str(copies[0]), names, split, str(copies[0])))
    loose = [path for p, path in zip(below, pictures, strict=True) if p not in place]
    several = len(place) - len(kept)
    remarks = [f"{several} pictures lie in another folder too; each is one, with both labels"]
    listed = folder / CLASSES_FILE
    return assemble(
        Parts(
            root=folder,
            layout=LAYOUT,
            source=folder,
            pictures=Pictures(base, [*kept, *loose]),
            rows=rows,
            class_names=read_class_names(listed) if listed.exists() else sorted(classes),
            masks=masks_beside(folder),
            remarks=remarks if several else (),
        )
    )


def _groups(place: dict[PurePosixPath, Path], depth: int) -> Iterable[list[PurePosixPath]]:
    """Pictures of one name and the same bytes in the class folders of one list."""
    alike: dict[tuple[str, ...], list[PurePosixPath]] = defaultdict(list)
    named: dict[tuple[str, int], list[PurePosixPath]] = defaultdict(list)
    for below, path in place.items():
        named[below.name, path.stat().st_size].append(below)
    for group in named.values():
        for below in group:
            content = file_fingerprint(place[below]) if len(group) > 1 else str(below)
            alike[*below.parts[:depth], below.name, content].append(below)
    return alike.values()
