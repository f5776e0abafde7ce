"""Making a stage's artifact: once, and by one process at a time."""

from collections.abc import Callable, Mapping
from typing import Any

from wsss_cli.artifacts.stage_directory import StageDirectory, read_manifest
from wsss_cli.stages.report import Report


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
    """
    if directory.state(overwrite=overwrite) == "complete":
        counts = read_manifest(directory.path)["counts"]
        return Report(directory.stage, directory.path, True, counts)
    with directory.claimed():
        counts = work()
        directory.complete(counts)
    return Report(directory.stage, directory.path, False, counts)
