"""The photographs of a folder and its subfolders, and their ids.

An id names everything made of a picture, so it is a plain file name. That of ``dogs/my dog.jpg`` is
``dogs__my_dog``: the path without its ending, a folder's ``/`` as ``__``, and ``_`` for whatever
else is no letter, digit, ``.``, ``-`` or ``_``.
"""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from wsss_cli.artifacts.file_names import LONGEST
from wsss_cli.artifacts.picture_formats import is_picture
from wsss_cli.artifacts.stage_directory import MANIFEST
from wsss_cli.data.name_index import NameIndex
from wsss_cli.errors import WsssError, listing

MASK_FOLDERS = ("SegmentationClass", "masks")
# Folders of grey or label maps, which are no photographs even where they are PNG.
NO_PICTURES = frozenset({*MASK_FOLDERS, "SegmentationClassAug", "saliency", "saliency_maps"})
PICTURES_UNREAD = frozenset({
    ".heic", ".heif", ".avif", ".gif", ".jp2", ".jxl", ".tga", ".psd", ".svg", ".ppm", ".pgm",
    ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".dcm", ".nii", ".npy",
})  # fmt: skip
"""Endings of pictures that are not read."""

# Texts, tables, archives and programs: what lies beside pictures and is not one.
_NO_PICTURE_SUFFIXES = frozenset({
    "", ".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".toml", ".yaml", ".yml", ".md", ".rst",
    ".html", ".htm", ".pdf", ".doc", ".docx", ".xlsx", ".log", ".ini", ".cfg", ".db", ".lnk",
    ".url", ".py", ".ipynb", ".sh", ".bat", ".zip", ".gz", ".tar", ".tgz", ".7z", ".rar", ".pt",
    ".pth", ".onnx", ".lock", ".sha256", ".md5", ".license",
})  # fmt: skip


def picture_id(relative: PurePosixPath) -> str:
    """The id of a picture, from its path below the folder of pictures."""
    composed = unicodedata.normalize("NFC", str(relative.with_suffix("")))
    plain = re.sub(r"[^\w.\-]", "_", composed.replace("/", "__"))
    return plain if re.match(r"\w", plain) else f"_{plain}"


@dataclass(frozen=True)
class FolderSurvey:
    """What lies below a folder.

    Attributes:
        pictures: The photographs, sorted.
        unread: Files by ending that may be pictures or maps and are not read, by their folder.
        empty: Folders that hold nothing.
    """

    pictures: Sequence[Path]
    unread: Mapping[Path, Counter[str]]
    empty: Sequence[Path]


def survey(folder: Path) -> FolderSurvey:
    """Find the photographs below a folder; not masks, not hidden files, nothing that we made.

    Links are followed: whoever has the folder made them, to use pictures that lie elsewhere.
    """
    pictures: list[Path] = []
    unread: dict[Path, Counter[str]] = {}
    empty: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for directory, folders, files in os.walk(folder, followlinks=True):
        here = Path(directory)
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen or MANIFEST in files:
            folders.clear()
            continue
        if here != folder and any((here / name / MANIFEST).exists() for name in folders):
            folders.clear()  # a run
            continue
        seen.add((status.st_dev, status.st_ino))  # a link to a folder above would go round for ever
        if not folders and not files:
            empty.append(here)
        folders[:] = [f for f in folders if f not in NO_PICTURES and not f.startswith(".")]
        pictures += [here / name for name in files if is_picture(Path(name))]
        endings = Counter(filter(None, map(unread_ending, files)))
        if endings:
            unread[here] = endings
    return FolderSurvey(sorted(pictures), unread, sorted(empty))


def find_pictures(folder: Path) -> list[Path]:
    """All photographs below a folder, sorted."""
    return list(survey(folder).pictures)


def unread_ending(name: str) -> str | None:
    """The ending of a file that could be meant as a picture and is not read as one; else None."""
    ending = PurePosixPath(name).suffix.lower()
    ordinary = name.startswith(".") or ending in _NO_PICTURE_SUFFIXES or is_picture(Path(name))
    return None if ordinary else ending


def about_unread(unread: Mapping[Path, Counter[str]]) -> list[str]:
    """A remark that counts the files which are not read, by ending; empty without such files."""
    endings = sum(unread.values(), Counter[str]())
    if not endings:
        return []
    counted = ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common())
    return [
        f"files beside the pictures are not read because of their ending: {counted}; convert "
        "pictures among them to JPEG or PNG"
    ]


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
        paths: Path of each picture, by id.
        unread: Files beside them that are not read, as :class:`FolderSurvey` has them.
    """

    def __init__(
        self,
        folder: Path,
        paths: Iterable[Path],
        *,
        by_name: bool = False,
        unread: Mapping[Path, Counter[str]] | None = None,
    ) -> None:
        """Give every picture its id.

        Args:
            folder: Where they lie.
            paths: The photographs.
            by_name: Leave the folders out of the ids.
            unread: Files beside them that are not read.

        Raises:
            WsssError: Two pictures have one id, or an id is too long for a file name.
        """
        self.folder = folder
        self.unread = unread or {}
        by_id: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            below = self.relative(path)
            by_id[picture_id(PurePosixPath(below.name) if by_name else below)].append(path)
        for image_id, same_id in by_id.items():
            if len(same_id) > 1:
                names = listing([str(self.relative(path)) for path in same_id])
                raise WsssError(
                    f"{folder}: {names} would share the id {image_id}, by which everything made of "
                    "a picture is named; rename all but one"
                )
            if len(os.fsencode(image_id)) > LONGEST:
                raise WsssError(f"{same_id[0]}: its name is too long for an id; shorten it")
        self.paths: dict[str, Path] = {image_id: same_id[0] for image_id, same_id in by_id.items()}

    @classmethod
    def of_folder(cls, folder: Path, *, without: Path | None = None) -> "Pictures":
        """The photographs below a folder.

        Args:
            folder: Where they lie.
            without: A folder whose pictures are masks, whatever its name.

        Raises:
            WsssError: Two pictures have one id, or an id is too long for a file name.
        """
        there = survey(folder)
        photographs = [p for p in there.pictures if without is None or without not in p.parents]
        return cls(folder, photographs, unread=there.unread)

    def remarks(self) -> list[str]:
        """What is not read beside them, and which names looked up so far are not quite theirs."""
        return [*about_unread(self.unread), *self.names.remarks()]

    def relative(self, path: Path) -> PurePosixPath:
        """A picture's path below the folder."""
        return PurePosixPath(path.relative_to(self.folder).as_posix())

    def look_up(self, name: str) -> str:
        """The id of the picture that a list calls so, as :meth:`NameIndex.look_up` finds it.

        Raises:
            WsssError: No picture or several have the name, or it leads out of the folder.
        """
        return self.names.look_up(name)

    @cached_property
    def names(self) -> NameIndex:
        """The pictures by the names that somebody may give them."""
        return NameIndex(
            self.folder, {image_id: self.relative(path) for image_id, path in self.paths.items()}
        )
