"""Photographs and videos that a command line names, by files, folders and patterns.

What is made of a picture is called as the picture, without its ending. Of a folder the subfolders
are kept, of a pattern what follows its fixed part: ``holiday/day1/IMG_1.jpg`` becomes
``day1/IMG_1``, and among several arguments ``holiday/day1/IMG_1``.
"""

import glob
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wsss_cli.artifacts.file_names import LONGEST
from wsss_cli.artifacts.picture_formats import is_picture
from wsss_cli.artifacts.plain_file import NOT_PLAIN, is_plain
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.artifacts.video_formats import VIDEO_SUFFIXES, is_video
from wsss_cli.data.exif_orientation import UPRIGHT, read_outline
from wsss_cli.data.images import NotUsed
from wsss_cli.data.pictures import NO_PICTURES
from wsss_cli.errors import UsageError, WsssError, listing, near_path

# Files that operating systems leave in folders of pictures.
_BY_SYSTEMS = frozenset({"thumbs.db", "desktop.ini"})
_HEIC = (".heic", ".heif")


@dataclass(frozen=True)
class Photograph:
    """A picture or a video to look at.

    Attributes:
        path: The file.
        name: What is made of it is called so: a relative path with ``/``, without ending.
        size: (H, W) of a picture's stored pixels; (0, 0) of a video.
        orientation: EXIF orientation of a picture.
    """

    path: Path
    name: str
    size: tuple[int, int] = (0, 0)
    orientation: int = UPRIGHT


@dataclass(frozen=True)
class Photographs:
    """What the arguments name.

    Attributes:
        pictures: In the order in which they are named, folders sorted.
        videos: Likewise.
        unreadable: Why a file is no picture, by its path.
        remarks: What else was found and is left out, as sentences.
    """

    pictures: list[Photograph] = field(default_factory=list)
    videos: list[Photograph] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def told_unreadable(self) -> str:
        """The first unreadable files with the reasons, for a message."""
        return listing([f"{path} ({why})" for path, why in self.unreadable.items()], most=5)


def find_photographs(arguments: Sequence[str], out: Path) -> Photographs:
    """Find what the arguments name, and look at the header of each picture.

    Args:
        arguments: Files, folders or patterns with ``*``, ``?``, ``[]`` and ``**``.
        out: Where results go; nothing in it is taken for a photograph.

    Raises:
        UsageError: An argument names nothing, or results could not be told apart.
    """
    photographs = Photographs()
    files: dict[Path, tuple[Path, str]] = {}  # resolved: as named, and its name
    repeated: list[str] = []
    for path, name in _named(arguments, out, photographs):
        if files.setdefault(path.resolve(), (path, name))[0] != path:
            repeated.append(str(path))
    if repeated:
        photographs.remarks.append(
            f"given more than once and taken once: {listing(repeated, most=3)}"
        )
    not_used = NotUsed()
    for path, name in _distinct(list(files.values()), photographs):
        _look(path, name, photographs, not_used)
    if not (photographs.pictures or photographs.videos or photographs.unreadable):
        raise UsageError(f"PHOTOS: nothing to predict; {'; '.join(photographs.remarks)}")
    photographs.remarks.extend(not_used.remarks())
    return photographs


def _named(
    arguments: Sequence[str], out: Path, photographs: Photographs
) -> Iterator[tuple[Path, str]]:
    """Every file named, with what its results are called before names are made distinct."""
    for argument in arguments:
        matches, fixed = _expanded(argument)
        for path in matches:
            if not path.is_dir():
                yield path, _called(path.relative_to(fixed) if fixed else Path(path.name))
                continue
            before = Path(path.resolve().name) if len(arguments) > 1 else Path()
            if fixed is not None:
                before = path.relative_to(fixed)
            for file in _files_below(path, out, photographs):
                yield file, _called(before / file.relative_to(path))


def _expanded(argument: str) -> tuple[list[Path], Path | None]:
    """The files and folders that an argument names, and the fixed part of a pattern.

    Raises:
        UsageError: There are none.
    """
    path = Path(argument)
    if _exists(path):
        return [path], None
    if not glob.has_magic(argument):
        raise UsageError(f"PHOTOS {argument} does not exist{near_path(path) or '; check the path'}")
    pattern = Path(argument).expanduser()
    # Path.glob would take hidden files too.
    matches = sorted(map(Path, glob.glob(str(pattern), recursive=True)))  # noqa: PTH207
    if not matches:
        raise UsageError(
            f"PHOTOS {argument}: no file matches this pattern; check it, or give a folder"
        )
    parts = list(pattern.parts)
    end = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return matches, Path(*parts[:end])


def _files_below(folder: Path, out: Path, photographs: Photographs) -> Iterator[Path]:
    """The pictures below a folder, sorted; what is left out is put among the remarks.

    Raises:
        UsageError: The folder is a result of wsss itself.
    """
    if _is_result(folder):
        raise UsageError(
            f"PHOTOS {folder} holds results of wsss, not photographs; give the photographs' folder"
        )
    pictures, others, videos = [], [], []
    folders_left, results, seen = [], [], set()
    for directory, folders, names in os.walk(folder, followlinks=True):
        here = Path(directory)
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen:  # a link to a folder above goes round for ever
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in sorted(folders):
            below = here / name
            if name.startswith("."):
                folders.remove(name)
            elif below.resolve() == out.resolve() or _is_result(below) or _is_run(below):
                folders.remove(name)
                results.append(str(below.relative_to(folder)))
            elif name in NO_PICTURES:
                folders.remove(name)
                folders_left.append(str(below.relative_to(folder)))
        folders.sort()
        for name in sorted(names):
            path = here / name
            if is_picture(path):
                pictures.append(path)
            elif path.suffix.lower() in VIDEO_SUFFIXES and not name.startswith("."):
                videos.append(str(path.relative_to(folder)))
            elif not name.startswith(".") and name.lower() not in _BY_SYSTEMS:
                others.append(path.suffix.lower() or "without ending")
    if not pictures:
        photographs.remarks.append(f"{folder}: no pictures there")
    if folders_left:
        photographs.remarks.append(
            f"{folder}: folders of masks or maps by their name are left out, "
            f"{listing(folders_left)}; name such a folder itself to look at what is in it"
        )
    if results:
        photographs.remarks.append(f"{folder}: results of wsss are left out, {listing(results)}")
    if videos:
        photographs.remarks.append(
            f"{folder}: videos are left out, since each may take long, {len(videos)} in all: "
            f"{listing(videos, most=5)}; name them to predict them"
        )
    if others:
        counts = [f"{count} {kind}" for kind, count in Counter(others).most_common()]
        heic = "; HEIC is not read, convert it to JPEG" if set(_HEIC) & set(others) else ""
        photographs.remarks.append(f"{folder}: other files are left out, {', '.join(counts)}{heic}")
    yield from pictures


def _is_result(folder: Path) -> bool:
    """Whether wsss made a folder; a manifest of something else says nothing."""
    try:
        read_manifest(folder)
    except (OSError, WsssError):
        return False
    return True


def _is_run(folder: Path) -> bool:
    try:
        return any(_is_result(path) for path in folder.iterdir() if path.is_dir())
    except OSError:
        return False


def _called(path: Path) -> str:
    before = path.parent.as_posix()
    return path.stem if before == "." else f"{before}/{path.stem}"


def _may_be_called(name: str) -> bool:
    """Whether results can have a name: it leads nowhere else, is UTF-8 and not too long."""
    try:
        parts = [part.encode() for part in name.split("/")]
    except UnicodeEncodeError:  # it is no UTF-8
        return False
    return not {b"", b".", b".."} & set(parts) and all(len(part) <= LONGEST for part in parts)


def _distinct(files: list[tuple[Path, str]], photographs: Photographs) -> list[tuple[Path, str]]:
    """Give files of one name different ones: their folders', then their endings.

    Raises:
        UsageError: Even then two have the same.
    """
    renamed = dict(files)
    for rename in (_by_folder, _by_ending):
        for paths in _sharing(renamed):
            renamed |= rename(paths, renamed)
    for paths in _sharing(renamed):
        raise UsageError(
            f"{paths[0]} and {paths[1]} would both become {renamed[paths[0]]}; rename one of them, "
            "or predict them with two --out"
        )
    changed = [name for path, name in renamed.items() if dict(files)[path] != name]
    if changed:
        photographs.remarks.append(
            f"files of the same name are called apart, {len(changed)} in all: "
            f"{listing(changed, most=4)}"
        )
    return list(renamed.items())


def _sharing(names: dict[Path, str]) -> list[list[Path]]:
    """Files of the same name, as a file system may see it that is blind to case."""
    groups = defaultdict(list)
    for path, name in names.items():
        groups[unicodedata.normalize("NFC", name).casefold()].append(path)
    return [paths for paths in groups.values() if len(paths) > 1]


def _by_folder(paths: list[Path], names: dict[Path, str]) -> dict[Path, str]:
    absolute = [file.absolute() for file in paths]
    common = os.path.commonpath([path.parent for path in absolute])
    if all(path.parent == Path(common) for path in absolute):
        return {file: names[file] for file in paths}
    return {
        file: _called(path.relative_to(common)) for file, path in zip(paths, absolute, strict=True)
    }


def _by_ending(paths: list[Path], names: dict[Path, str]) -> dict[Path, str]:
    return {path: f"{names[path]}_{path.suffix[1:]}" for path in paths}


def _look(path: Path, name: str, photographs: Photographs, not_used: NotUsed) -> None:
    """Sort a file into pictures, videos and what cannot be read."""
    try:
        if not _may_be_called(name):
            photographs.unreadable[path] = "what is made of it cannot be called so; rename it"
        elif not is_plain(path):
            photographs.unreadable[path] = NOT_PLAIN
        elif is_video(path):
            photographs.videos.append(Photograph(path, name))
        else:
            outline = read_outline(path, not_used)
            photographs.pictures.append(Photograph(path, name, outline.size, outline.orientation))
    except OSError as error:
        photographs.unreadable[path] = error.strerror or str(error)
    except WsssError as error:
        heic = "; convert HEIC to JPEG" if path.suffix.lower() in _HEIC else ""
        photographs.unreadable[path] = f"{error}{heic}"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long for a name, or a circle of links
        return False
