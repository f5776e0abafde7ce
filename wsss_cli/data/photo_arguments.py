"""Finds the photographs and videos that a command line names by files, folders and patterns.

Results have the name of their picture without its ending. Subfolders of a folder are kept, as is
what follows the fixed part of a pattern: ``holiday/day1/IMG_1.jpg`` becomes ``day1/IMG_1``, and
among several arguments ``holiday/day1/IMG_1``.
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
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
_HEIC = (".heic", ".heif")


@dataclass(frozen=True)
class Photograph:
    """A picture or a video.

    Attributes:
        path: The file.
        name: Name of its results: a relative path with ``/``, without ending.
        size: (H, W) of a picture's stored pixels; (0, 0) for a video.
        orientation: EXIF orientation of a picture.
    """

    path: Path
    name: str
    size: tuple[int, int] = (0, 0)
    orientation: int = UPRIGHT


@dataclass(frozen=True)
class Photographs:
    """The files that the arguments name.

    Attributes:
        pictures: Pictures in the order of the arguments, folders sorted.
        videos: Videos in the same order.
        unreadable: Reasons why a file cannot be used, by its path.
        remarks: Sentences on what else is left out.
    """

    pictures: list[Photograph] = field(default_factory=list)
    videos: list[Photograph] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def unreadable_listing(self) -> str:
        """The first unreadable files with reasons, for a message."""
        return listing([f"{path} ({why})" for path, why in self.unreadable.items()], most=5)


def find_photographs(arguments: Sequence[str], out: Path) -> Photographs:
    """Find the files that the arguments name, and read the header of each picture.

    Args:
        arguments: Files, folders or patterns with ``*``, ``?``, ``[]`` and ``**``.
        out: Folder of results, which is left out.

    Raises:
        UsageError: An argument names no file, or results would have the same name.
    """
    photographs = Photographs()
    files: dict[Path, tuple[Path, str]] = {}  # by resolved path: path as named, name
    repeated: list[str] = []
    for path, name in _named_files(arguments, out, photographs):
        if files.setdefault(path.resolve(), (path, name))[0] != path:
            repeated.append(str(path))
    if repeated:
        photographs.remarks.append(
            f"named more than once, predicted once: {listing(repeated, most=3)}"
        )
    not_used = NotUsed()
    for path, name in _distinct(list(files.values()), photographs):
        _classify(path, name, photographs, not_used)
    if not (photographs.pictures or photographs.videos or photographs.unreadable):
        raise UsageError(f"PHOTOS: nothing to predict; {'; '.join(photographs.remarks)}")
    photographs.remarks.extend(not_used.remarks())
    return photographs


def _named_files(
    arguments: Sequence[str], out: Path, photographs: Photographs
) -> Iterator[tuple[Path, str]]:
    """Yield every file with the name of its results, which may still be ambiguous."""
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
    """Find the files and folders that an argument names, and the fixed part of a pattern.

    Raises:
        UsageError: The argument names nothing.
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
    """Yield the pictures below a folder, sorted; remarks name what is left out.

    Raises:
        UsageError: The folder is a result of wsss.
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
        if (status.st_dev, status.st_ino) in seen:  # a link to a parent folder would loop forever
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
            elif not name.startswith(".") and name.lower() not in _SYSTEM_FILES:
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
    """Whether wsss created a folder, by its manifest."""
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


def _is_valid_name(name: str) -> bool:
    """Whether a name is valid for results: no other folder, UTF-8 and not too long."""
    try:
        parts = [part.encode() for part in name.split("/")]
    except UnicodeEncodeError:  # it is no UTF-8
        return False
    return not {b"", b".", b".."} & set(parts) and all(len(part) <= LONGEST for part in parts)


def _distinct(files: list[tuple[Path, str]], photographs: Photographs) -> list[tuple[Path, str]]:
    """Make equal names different by adding folders, then endings.

    Raises:
        UsageError: Two files still have the same name.
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
            f"{len(changed)} files with equal names get longer ones: {listing(changed, most=4)}"
        )
    return list(renamed.items())


def _sharing(names: dict[Path, str]) -> list[list[Path]]:
    """Group files whose names are equal on a file system that ignores case."""
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


def _classify(path: Path, name: str, photographs: Photographs, not_used: NotUsed) -> None:
    """Add a file to the pictures, the videos or the unreadable files."""
    try:
        if not _is_valid_name(name):
            photographs.unreadable[path] = "results cannot have its name; rename it"
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
    except OSError:  # the name is too long, or links form a circle
        return False
