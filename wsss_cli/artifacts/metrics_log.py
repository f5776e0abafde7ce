"""The course of a training, one JSON object a line, to be read while it is being written.

The one file of ours that grows in place: renaming a new copy over it would leave behind whoever
follows it (``tail -f``). A kill costs it at most its last line, which readers leave out and a
resumed training writes again, since the resumable state has every line up to it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wsss_cli.artifacts.atomic import finite, unwritable, write_bytes
from wsss_cli.artifacts.trackers import TrackedTraining, TrackerLog
from wsss_cli.errors import WsssError

METRICS_FILE = "metrics.jsonl"

Metrics = Mapping[str, Any]
"""One line: ``iteration``, mean ``losses`` by name over the last iterations, ``lr``, and of this
very machine ``images_per_second`` and ``time`` (ISO 8601, UTC); at intervals of ``wsss train`` also
``classification_map``, and of `wsss segment --label-correction` ``replaced_labels``, the share of
pixels that were learned with another label than the given one, both in 0..1."""


class MetricsLog:
    """Written by a training while it runs, and closed at its end."""

    def __init__(
        self, directory: Path, lines: Sequence[Metrics], tracked: TrackedTraining | None = None
    ) -> None:
        """Begin with the lines that belong to the state from which the training resumes.

        Args:
            directory: ``RUN/STAGE``; lines of a later iteration, which a kill left there, go.
            lines: Those logged before.
            tracked: The training as a tracker gets to know it, which has all lines as well.

        Raises:
            WsssError: The disk is full or the folder cannot be written to.
        """
        self._path = directory / METRICS_FILE
        write_bytes(self._path, b"".join(map(_line, lines)))
        self._tracker = None if tracked is None else TrackerLog(tracked, lines)

    def add(self, line: Metrics) -> None:
        """Append a line.

        Raises:
            WsssError: The disk is full or the file cannot be written to.
        """
        try:
            with self._path.open("ab") as file:
                file.write(_line(line))
        except OSError as error:
            raise unwritable(self._path, error) from error
        if self._tracker is not None:
            self._tracker.add(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let a tracker know whether the training was finished or stopped by an error."""
        if self._tracker is not None:
            self._tracker.close(finished=error is None)


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """The lines of a training's log, as far as it has got; none where there is no log.

    Raises:
        WsssError: The file is not one of ours.
    """
    path = directory / METRICS_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    complete, _, _ = text.rpartition(
        "\n"
    )  # what follows the last line break is still being written
    try:
        lines = [json.loads(line) for line in complete.splitlines()]
        if not all({"iteration", "losses", "lr"} <= line.keys() for line in lines):
            raise ValueError("a line lacks iteration, losses or lr")
    except (ValueError, AttributeError) as error:
        raise WsssError(f"{path} is not a log of wsss ({error}); restore or remove it") from error
    return lines


def _line(metrics: Metrics) -> bytes:
    return json.dumps(finite(metrics)).encode() + b"\n"
