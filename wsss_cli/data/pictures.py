"""The photographs of a folder and its subfolders, and their ids.

An id names everything made of a picture, so it is a plain file name. That of ``dogs/my dog.jpg`` is
``dogs__my_dog``: the path without its ending, a folder's ``/`` as ``__``, and ``_`` for whatever
else is no letter, digit, ``.``, ``-`` or ``_``.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from wsss_cli.artifacts.file_names import LONGEST
from wsss_cli.artifacts.stage_directory import MANIFEST
from wsss_cli.errors import WsssError, listing

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
MASK_FOLDERS = ("SegmentationClass", "masks")
# Folders of grey or label maps, which are no photographs even where they are PNG.
NO_PICTURES = frozenset({*MASK_FOLDERS, "SegmentationClassAug", "saliency", "saliency_maps"})


def is_picture(path: Path) -> bool:
    """Whether the name is that of a photograph."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def picture_id(relative: PurePosixPath) -> str:
    """The id of a picture, from its path below the folder of pictures."""
    composed = unicodedata.normalize("NFC", str(relative.with_suffix("")))
    plain = re.sub(r"[^\w.\-]", "_", composed.replace("/", "__"))
    return plain if re.match(r"\w", plain) else f"_{plain}"


def find_pictures(folder: Path) -> list[Path]:
    """All photographs below a folder, sorted; not masks, not hidden files, nothing that we made.

    Links are followed: whoever has the folder made them, to use pictures that lie elsewhere.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place)
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen or MANIFEST in files:
            folders.clear()
            continue
        if here != folder and any((here / name / MANIFEST).exists() for name in folders):
            folders.clear()  # a run
            continue
        seen.add((status.st_dev, status.st_ino))  # a link to a folder above would go round for ever
        folders[:] = [f for f in folders if f not in NO_PICTURES and not f.startswith(".")]
        found += [here / name for name in files if is_picture(Path(name))]
    return sorted(found)


def holds_pictures(folder: Path) -> bool:
    """Whether a folder that may hold photographs does, in itself or below."""
    return folder.name not in NO_PICTURES and bool(find_pictures(folder))


def pictures_folder(folder: Path) -> Path:
    """Where the pictures of a data set's folder lie: in ``images`` if there is such, else in it."""
    return folder / "images" if (folder / "images").is_dir() else folder


class Pictures:
    """The photographs of a folder, by id and by what a list may call them.

    Attributes:
        folder: Where they lie.
        paths: Of all of them, by id.
    """

    def __init__(self, folder: Path, found: Iterable[Path], *, by_name: bool = False) -> None:
        """Give every picture its id.

        Args:
            folder: Where they lie.
            found: All of them.
            by_name: Leave the folders out of the ids.

        Raises:
            WsssError: Two pictures have one id, or an id is too long for a file name.
        """
        self.folder = folder
        by_id: dict[str, list[Path]] = defaultdict(list)
        for path in found:
            below = self.relative(path)
            by_id[picture_id(PurePosixPath(below.name) if by_name else below)].append(path)
        for image_id, paths in by_id.items():
            if len(paths) > 1:
                names = listing([str(self.relative(path)) for path in paths])
                raise WsssError(
                    f"{folder}: {names} would share the id {image_id}, by which everything made of "
                    "a picture is named; rename all but one"
                )
            if len(os.fsencode(image_id)) > LONGEST:
                raise WsssError(f"{paths[0]}: its name is too long for an id; shorten it")
        self.paths: dict[str, Path] = {image_id: paths[0] for image_id, paths in by_id.items()}

    def relative(self, path: Path) -> PurePosixPath:
        """A picture's path below the folder."""
        return PurePosixPath(path.relative_to(self.folder).as_posix())

    @cached_property
    def _called(self) -> Sequence[dict[str, list[str]]]:
        """Ids by path, by path without ending, by name, by name without ending."""
        called: tuple[dict[str, list[str]], ...] = tuple(defaultdict(list) for _ in range(4))
        for image_id, path in self.paths.items():
            below = self.relative(path)
            bare = below.with_suffix("")
            names = (_plain(below), str(bare), _plain(PurePosixPath(below.name)), bare.name)
            for kind, name in zip(called, names, strict=True):
                kind[unicodedata.normalize("NFC", name)].append(image_id)
        return called

    def look_up(self, name: str) -> str:
        """The id of the picture that a list calls so.

        Args:
            name: A path below the folder, or a file name in any of its folders, with or without
                ending.

        Raises:
            WsssError: The name leaves the folder, or no picture or several have it; the message is
                to be preceded by where the name stands.
        """
        exact = self._called[0].get(name, [])
        if len(exact) == 1:  # most lists write it so, and hundred thousands of paths take long
            return exact[0]
        path = PureWindowsPath(name)  # which knows both kinds of slashes
        if path.drive or path.root or ".." in path.parts:
            raise WsssError(f"{name!r} leads out of {self.folder}; give a path below it")
        plain = unicodedata.normalize("NFC", _plain(PurePosixPath(path.as_posix())))
        plain = plain.removeprefix("images/") if self.folder.name == "images" else plain
        for kind in self._called:
            ids = kind.get(plain, [])
            if len(ids) == 1:
                return ids[0]
            if ids:
                places = listing([str(self.relative(self.paths[found])) for found in ids])
                raise WsssError(f"{name!r} may be {places}; give its path below {self.folder}")
        if len(plain.encode(errors="replace")) <= LONGEST and (self.folder / plain).is_file():
            kinds = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
            raise WsssError(f"{name!r} is none of {kinds}; convert it to one of these")
        raise WsssError(f"{name!r} is no picture below {self.folder}; add it, or leave it out")


def _plain(path: PurePosixPath) -> str:
    """A path whose ending is in small letters: lists and cameras do not agree about these."""
    return str(path.with_suffix(path.suffix.lower()) if is_picture(Path(path.name)) else path)
