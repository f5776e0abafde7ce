"""Making a stage's artifact: once, by one process at a time, and how much of it was made."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from wsss_cli.artifacts.stage_directory import StageDirectory, read_manifest, standing
from wsss_cli.errors import DivergenceError
from wsss_cli.stages.outcome import Report


def make(
    directory: StageDirectory, work: Callable[[], Mapping[str, Any]], *, overwrite: bool
) -> Report:
    """Do a stage's work unless its artifact is there already.

    Args:
        directory: Of the stage.
        work: Begins the directory, makes everything in it and returns the counts to report.
        overwrite: Replace another result.

    Raises:
        WsssError: The work fails, or another process is doing it.
        UsageError: Another result lies there.
        KeyboardInterrupt: With a note of what is kept.
    """
    if directory.state(overwrite=overwrite) == "complete":
        counts = read_manifest(directory.path)["counts"]
        return Report(directory.stage, directory.path, True, counts)
    with directory.claimed():
        try:
            counts = work()
        except DivergenceError as stop:
            stop.add_note(directory.diverge(stop))
            raise
        except KeyboardInterrupt as interrupt:
            if not getattr(interrupt, "__notes__", None):
                interrupt.add_note(standing(directory.path))
            raise
        directory.complete(counts)
    return Report(directory.stage, directory.path, False, counts)


def images_made(images: int, written: int, started: float) -> dict[str, Any]:
    """How many images a stage has made, and how fast.

    Args:
        images: That it is to have in the end.
        written: Of these, now, by all ranks; the others were there.
        started: When, by ``time.monotonic``.
    """
    seconds = time.monotonic() - started
    return {
        "images": images,
        "written": written,
        "skipped": images - written,
        "seconds": round(seconds, 2),
        "rate": round(written / seconds, 2),
    }
