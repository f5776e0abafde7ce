"""A training's log in a tracker as well: TensorBoard, MLflow or Weights & Biases, all extras.

No tracker is worth a training: where one fails, that is said once, and the training goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from wsss_cli.artifacts.atomic import read_json, write_json
from wsss_cli.artifacts.mlflow_run import MlflowRun
from wsss_cli.artifacts.tensorboard_events import TensorBoardEvents
from wsss_cli.artifacts.wandb_run import WandbRun
from wsss_cli.errors import UsageError, first_line

RUNS_FILE = "tracker_runs.json"
"""Beside the log, by tracker: the ``run`` to go on in, the last ``iteration`` that was logged there
and the ``fingerprint`` of the training."""

_MOST_OF_A_REASON = 200


class Tracker(Protocol):
    """The run of one training in a tracker, opened; anything may be raised by it."""

    @property
    def run_id(self) -> str | None:
        """What a later process goes on in; None where it begins anew with all lines."""

    def log(self, scalars: Mapping[str, float], iteration: int, when: datetime) -> None:
        """Log scalars by name, with the iteration as step."""

    def close(self, *, finished: bool) -> None:
        """End this process's part; the training is finished, or was stopped."""


@dataclass(frozen=True)
class TrackedTraining:
    """A training as a tracker gets to know it.

    Attributes:
        tracker: One of ``configs.train.TRACKERS``.
        directory: ``RUN/STAGE``.
        name: What the run is called in the tracker.
        settings: Settings of the training, JSON values.
        fingerprint: That of the training: with another one it is another run.
        warn: Told, once, that the tracker failed.
    """

    tracker: str
    directory: Path
    name: str
    settings: Mapping[str, Any]
    fingerprint: str
    warn: Callable[[str], None]


OPENERS: dict[str, Callable[[TrackedTraining, str | None], Tracker]] = {
    "tensorboard": lambda training, _: TensorBoardEvents(training.directory),
    "mlflow": lambda training, run: MlflowRun(training.name, training.settings, run),
    "wandb": lambda training, run: WandbRun(training.name, training.settings, run),
}
"""How the run of a training is opened, by tracker: a new one, or the one with the id given."""


class TrackerLog:
    """Logs to a tracker the lines that it does not have yet, and forgives it everything."""

    def __init__(self, training: TrackedTraining, lines: Iterable[Mapping[str, Any]]) -> None:
        """Open the training's run in the tracker and log the lines that are missing there.

        Args:
            training: What is logged, and where.
            lines: Lines of the log so far.
        """
        self._training = training
        self._tracker: Tracker | None = None
        self._logged = 0  # the iteration of the last line that the tracker has
        with self._forgiving():
            run_id, logged = self._recorded()
            self._tracker = OPENERS[training.tracker](training, run_id)
            self._logged = logged
            self._record(logged)
        for line in lines:
            self.add(line)

    def add(self, line: Mapping[str, Any]) -> None:
        """Log one line, unless the tracker has it or has failed before."""
        iteration = line["iteration"]
        if self._tracker is None or iteration <= self._logged:
            return
        with self._forgiving():
            self._record(iteration)  # before: a kill in between must not log a line twice
            try:
                self._tracker.log(_scalars(line), iteration, datetime.fromisoformat(line["time"]))
            except Exception:
                self._record(self._logged)
                raise
            self._logged = iteration

    def close(self, *, finished: bool) -> None:
        """End this process's part of the run."""
        if self._tracker is not None:
            with self._forgiving():
                self._tracker.close(finished=finished)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Give the tracker up where it fails, and say so."""
        try:
            yield
        except Exception as error:
            self._tracker = None
            name = self._training.tracker
            reason = first_line(error)[:_MOST_OF_A_REASON]
            self._training.warn(
                f"warning: {name} failed and gets nothing more of this training "
                f"({reason}); metrics.jsonl has everything, and the same "
                f"command with --tracker {name} logs the rest later"
            )

    def _recorded(self) -> tuple[str | None, int]:
        """The run to go on in, None for a new one, and the last iteration logged there."""
        run = self._recorded_runs().get(self._training.tracker)
        if run is None or run["fingerprint"] != self._training.fingerprint:
            return None, 0
        return str(run["run"]), int(run["iteration"])

    def _recorded_runs(self) -> dict[str, Any]:
        try:
            return read_json(self._training.directory / RUNS_FILE)
        except FileNotFoundError:
            return {}

    def _record(self, iteration: int) -> None:
        """Note that the tracker has the lines up to an iteration."""
        if self._tracker is None or self._tracker.run_id is None:
            return
        run = {
            "run": self._tracker.run_id,
            "iteration": iteration,
            "fingerprint": self._training.fingerprint,
        }
        runs = {**self._recorded_runs(), self._training.tracker: run}
        write_json(self._training.directory / RUNS_FILE, runs)


def require_tracker(tracker: str | None) -> None:
    """Refuse before any work a tracker that could not be opened; None asks for none.

    Raises:
        UsageError: Its package is not installed.
    """
    # wandb and MLflow write folders of their own names, which Python finds as empty packages.
    if tracker is None or ((spec := find_spec(tracker)) is not None and spec.origin is not None):
        return
    raise UsageError(
        f"--tracker {tracker} needs the package {tracker}, which is not installed: "
        f"pip install 'wsss-cli[{tracker}]', or leave the option out (metrics.jsonl has the same "
        "numbers)"
    )


def _scalars(line: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of one line of the log by the names that they have in a tracker."""
    losses = {f"loss/{name}": loss for name, loss in line["losses"].items()}
    others = ("lr", "images_per_second", "classification_map", "replaced_labels")
    return losses | {name: line[name] for name in others if line.get(name) is not None}
