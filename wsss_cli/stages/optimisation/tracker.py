"""A training as a tracker such as MLflow gets to know it."""

from wsss_cli import ranks
from wsss_cli.artifacts.metrics_log import read_metrics
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.artifacts.trackers import TrackedTraining, TrackerLog
from wsss_cli.tracking import Track


def tracked_training(
    directory: StageDirectory, tracker: str | None, track: Track
) -> TrackedTraining | None:
    """A training as a tracker gets to know it; None where none is asked for.

    Args:
        directory: That of the training.
        tracker: Name of the tracker.
        track: Told where the tracker fails.
    """
    if tracker is None:
        return None
    return TrackedTraining(
        tracker,
        directory.path,
        name=f"{directory.path.absolute().parent.name}/{directory.stage}",
        settings={**directory.details["config"], "device": directory.details["device"]},
        fingerprint=directory.fingerprint,
        warn=track.note,
    )


def track_finished(directory: StageDirectory, tracker: str | None, track: Track) -> None:
    """Log a finished training to a tracker, as far as it was not while it ran.

    To be called by who has claimed the directory.
    """
    tracked = tracked_training(directory, tracker, track)
    if tracked is not None and ranks.first():
        TrackerLog(tracked, read_metrics(directory.path)).close(finished=True)


def track_complete(directory: StageDirectory, tracker: str | None, track: Track) -> None:
    """As :func:`track_finished`, in a directory that is complete and that nobody has claimed."""
    if tracker is not None:
        with directory.claimed():
            directory.reopen()
            track_finished(directory, tracker, track)
