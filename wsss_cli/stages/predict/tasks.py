"""The work that is left of the pictures and videos that are to be predicted."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wsss_cli.artifacts.video_file import SUFFIX
from wsss_cli.data.photo_arguments import Photograph
from wsss_cli.errors import UsageError
from wsss_cli.stages.predict.records import (
    Source,
    files_of,
    is_whole,
    read_record,
    require_free,
)

OVERLAYS = "overlays"


@dataclass(frozen=True)
class Task:
    """A picture that is not done.

    Attributes:
        picture: The picture.
        changed: It is another one than when it was predicted.
        drawn_only: Its maps are there; only the overlay is missing.
    """

    picture: Photograph
    changed: bool = False
    drawn_only: bool = False


def task_of(
    out: Path,
    picture: Photograph,
    paths: Iterable[PurePosixPath],
    *,
    overlay: bool,
    numbers: bool,
) -> Task | None:
    """Find what is to be done for a picture; None where all is there.

    Args:
        out: The folder of results.
        picture: The picture.
        paths: The files that it will get, as far as they are known.
        overlay: It is to be drawn.
        numbers: The numbers behind its maps are to be written.

    Raises:
        UsageError: The results there are of another picture, or not ours.
    """
    record = read_record(out, picture.name)
    require_free(out, picture.path, paths, files_of(record) if record else [])
    if record is None:
        return Task(picture)
    source = Source(**record["source"])
    if not source.is_of(picture.path):
        if source.path != str(picture.path.absolute()) and Path(source.path).exists():
            raise UsageError(
                f"{picture.path} would be called {picture.name}, and {out} has results of "
                f"{source.path} under that name; choose another --out"
            )
        return Task(picture, changed=True)
    if not is_whole(out, record) or "video" in record:
        return Task(picture)
    if numbers and "numbers" not in record:
        return Task(picture)
    if overlay and "overlay" not in record:
        return Task(picture, drawn_only=True)
    return None


def is_predicted(out: Path, video: Photograph) -> bool:
    """Whether a video's overlays are there.

    Raises:
        UsageError: The results there are of another file, or not ours.
    """
    record = read_record(out, video.name)
    path = PurePosixPath(video_path(video))
    require_free(out, video.path, [path], files_of(record) if record else [])
    if record is None:
        return False
    source = Source(**record["source"])
    if not source.is_of(video.path):
        if source.path != str(video.path.absolute()):
            raise UsageError(
                f"{video.path} would be called {video.name}, and {out} has results of "
                f"{source.path} under that name; choose another --out"
            )
        return False
    return "video" in record and is_whole(out, record)


def video_path(video: Photograph) -> str:
    """Where the overlays of a video lie, relative to the folder of results."""
    return f"{video.name}{SUFFIX}"


def overlay_path(name: str) -> str:
    """Where the overlay of a picture lies, relative to the folder of results."""
    return f"{OVERLAYS}/{name}.jpg"
