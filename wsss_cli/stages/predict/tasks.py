"""The work that is left of the pictures and videos that are to be predicted."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from wsss_cli.artifacts.video_file import SUFFIX
from wsss_cli.data.photo_arguments import Photograph
from wsss_cli.errors import UsageError
from wsss_cli.stages.predict.records import (
    Source,
    files_of,
    is_whole,
    read_record,
    require_free,
    whole_parts,
)

OVERLAYS = "overlays"


@dataclass(frozen=True)
class Task:
    """A picture or video that is not done.

    Attributes:
        picture: The picture or video.
        changed: It is another one than when it was predicted.
        kept: The files that stay, as its record names them: its maps and what else is there. It is
            predicted anew where there are none.
    """

    picture: Photograph
    changed: bool = False
    kept: Mapping[str, Any] = field(default_factory=dict)


def task_of(
    out: Path,
    picture: Photograph,
    paths: Iterable[PurePosixPath],
    extras: Set[str],
) -> Task | None:
    """Find what is to be done for a picture; None where all is there.

    Args:
        out: The folder of results.
        picture: The picture.
        paths: The files that it will get, as far as they are known.
        extras: What is asked for beside its maps, as its record has it.

    Raises:
        UsageError: The results there are of another picture, or not ours.
    """
    record = read_record(out, picture.name)
    require_free(out, picture.path, paths, files_of(record) if record else [])
    if record is None:
        return Task(picture)
    if _is_changed(out, picture, record):
        return Task(picture, changed=True)
    kept = whole_parts(out, record)
    if not {"label_map", "maps"} & kept.keys():
        return Task(picture)
    return None if is_whole(out, record) and extras <= kept.keys() else Task(picture, kept=kept)


def task_of_video(out: Path, video: Photograph) -> Task | None:
    """Find what is to be done for a video; None where its overlays are there.

    Raises:
        UsageError: The results there are of another file, or not ours.
    """
    record = read_record(out, video.name)
    path = PurePosixPath(video_path(video))
    require_free(out, video.path, [path], files_of(record) if record else [])
    if record is None:
        return Task(video)
    if _is_changed(out, video, record):
        return Task(video, changed=True)
    return None if "video" in record and is_whole(out, record) else Task(video)


def _is_changed(out: Path, photograph: Photograph, record: Mapping[str, Any]) -> bool:
    """Whether a picture or video is another one than its record is of; it may have moved, too.

    Raises:
        UsageError: The record is of another file, which is still there.
    """
    source = Source(**record["source"])
    if source.is_of(photograph.path):
        return False
    if source.path != str(photograph.path.absolute()) and Path(source.path).exists():
        raise UsageError(
            f"{photograph.path} would be called {photograph.name}, and {out} has results of "
            f"{source.path} under that name; choose another --out"
        )
    return True


def video_path(video: Photograph) -> str:
    """Where the overlays of a video lie, relative to the folder of results."""
    return f"{video.name}{SUFFIX}"


def overlay_path(name: str) -> str:
    """Where the overlay of a picture lies, relative to the folder of results."""
    return f"{OVERLAYS}/{name}.jpg"
