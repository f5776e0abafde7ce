"""A tracker has each line once, is gone on in, and is never worth a training."""

import json
import math
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from wsss_cli.artifacts import trackers
from wsss_cli.artifacts.metrics_log import MetricsLog, read_metrics
from wsss_cli.artifacts.trackers import OPENERS, RUNS_FILE, TrackedTraining, require_tracker
from wsss_cli.configs.train import TRACKERS
from wsss_cli.errors import UsageError


def _line(iteration: int, **further: object) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "losses": {"a": iteration / 8, "b": 0.5},
        "lr": 0.001,
        "images_per_second": 12.5,
        "time": f"2026-01-02T03:04:{iteration:02d}+00:00",
        **further,
    }


@dataclass
class _Server:
    """What a tracker's server knows: of each run its settings, calls and how it was ended."""

    runs: dict[str, list[tuple[int, Mapping[str, float]]]] = field(default_factory=dict)
    settings: list[Mapping[str, Any]] = field(default_factory=list)
    ended: list[tuple[str, bool]] = field(default_factory=list)
    down_at: float = math.inf  # the iteration at which it cannot be reached; 0 for never


@dataclass
class _Run:
    """A run in it, as the adapters of real trackers have them."""

    server: _Server
    run_id: str

    def log(self, scalars: Mapping[str, float], iteration: int, when: datetime) -> None:
        assert when.tzinfo is not None
        if iteration >= self.server.down_at:
            raise ConnectionError("no route to host\nand more")
        self.server.runs[self.run_id].append((iteration, scalars))

    def close(self, *, finished: bool) -> None:
        self.server.ended.append((self.run_id, finished))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> _Server:
    """Takes the place of MLflow's."""
    server = _Server()

    def opened(training: TrackedTraining, run_id: str | None) -> _Run:
        if server.down_at == 0:
            raise ConnectionError("no route to host")
        if run_id is None:
            run_id = f"{training.name}#{len(server.runs)}"
            server.runs[run_id] = []
            server.settings.append(training.settings)
        return _Run(server, run_id)

    monkeypatch.setitem(OPENERS, "mlflow", opened)
    return server


@pytest.fixture
def warnings() -> list[str]:
    """Filled by the trainings below."""
    return []


@pytest.fixture
def training(tmp_path: Path, warnings: list[str]) -> TrackedTraining:
    """A training that is logged to MLflow."""
    settings = {"lr": 0.001, "lr_steps": [3, 9], "preset": None}
    return TrackedTraining("mlflow", tmp_path, "cam/train", settings, "f" * 64, warnings.append)


def _train(training: TrackedTraining, kept: int, until: int) -> None:
    """Go on from the state of an iteration, as a training does."""
    lines = [_line(iteration) for iteration in range(10, kept + 1, 10)]
    with MetricsLog(training.directory, lines, training) as log:
        for iteration in range(kept + 10, until + 1, 10):
            log.add(_line(iteration))


def _steps(server: _Server) -> dict[str, list[int]]:
    return {run: [iteration for iteration, _ in calls] for run, calls in server.runs.items()}


def test_there_is_one_opener_for_every_tracker() -> None:
    assert tuple(OPENERS) == TRACKERS


def test_losses_and_the_held_out_map_are_metrics_and_settings_parameters(
    server: _Server, training: TrackedTraining
) -> None:
    with MetricsLog(training.directory, [], training) as log:
        log.add(_line(10))
        log.add(_line(20, classification_map=0.75))
    scalars = {"loss/a": 1.25, "loss/b": 0.5, "lr": 0.001, "images_per_second": 12.5}
    measured = {**scalars, "loss/a": 2.5, "classification_map": 0.75}
    assert server.runs == {"cam/train#0": [(10, scalars), (20, measured)]}
    assert server.settings == [training.settings]
    assert server.ended == [("cam/train#0", True)]


def test_a_resumed_training_goes_on_in_its_run_and_logs_no_step_twice(
    server: _Server, training: TrackedTraining
) -> None:
    with pytest.raises(KeyError), MetricsLog(training.directory, [], training) as log:
        for iteration in (10, 20, 30):
            log.add(_line(iteration))
        raise KeyError  # the last state that was kept is that of iteration 10
    recorded = json.loads((training.directory / RUNS_FILE).read_text())
    assert recorded["mlflow"]["run"] == "cam/train#0"
    assert recorded["mlflow"]["iteration"] == 30
    _train(training, kept=10, until=50)
    assert _steps(server) == {"cam/train#0": [10, 20, 30, 40, 50]}
    assert server.ended == [("cam/train#0", False), ("cam/train#0", True)]
    assert [line["iteration"] for line in read_metrics(training.directory)] == [10, 20, 30, 40, 50]


def test_another_training_in_the_same_place_is_another_run(
    server: _Server, training: TrackedTraining
) -> None:
    _train(training, kept=0, until=30)
    _train(replace(training, fingerprint="0" * 64), kept=20, until=30)  # with a lower rate
    assert _steps(server) == {"cam/train#0": [10, 20, 30], "cam/train#1": [10, 20, 30]}


def test_a_training_may_be_in_two_trackers_and_go_on_in_both(
    server: _Server, training: TrackedTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPENERS, "wandb", OPENERS["mlflow"])
    other = replace(training, tracker="wandb")
    for tracked, until in ((training, 20), (other, 30), (training, 40), (other, 50)):
        _train(tracked, kept=10, until=until)
    assert _steps(server) == {"cam/train#0": [10, 20, 30, 40], "cam/train#1": [10, 20, 30, 40, 50]}


def test_a_server_that_is_lost_is_one_warning_and_gets_the_rest_later(
    server: _Server, training: TrackedTraining, warnings: list[str]
) -> None:
    server.down_at = 30
    _train(training, kept=0, until=50)
    assert len(read_metrics(training.directory)) == 5
    (warning,) = warnings
    for fact in ("mlflow", "no route to host", "metrics.jsonl", "--tracker mlflow"):
        assert fact in warning
    assert "and more" not in warning
    server.down_at = math.inf
    _train(training, kept=50, until=50)
    assert _steps(server) == {"cam/train#0": [10, 20, 30, 40, 50]}
    assert len(warnings) == 1


def test_a_server_that_is_not_there_is_one_warning(
    server: _Server, training: TrackedTraining, warnings: list[str]
) -> None:
    server.down_at = 0
    _train(training, kept=20, until=50)
    assert len(read_metrics(training.directory)) == 5
    assert len(warnings) == 1
    assert not (training.directory / RUNS_FILE).exists()


@pytest.mark.parametrize("content", ["", "[]", '{"mlflow": 1}', '{"mlflow": {"run": "a"}}'])
def test_a_spoiled_record_of_runs_is_one_warning_too(
    server: _Server, training: TrackedTraining, warnings: list[str], content: str
) -> None:
    (training.directory / RUNS_FILE).write_text(content)
    _train(training, kept=0, until=20)
    assert len(read_metrics(training.directory)) == 2
    assert len(warnings) == 1
    assert server.runs == {}


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("spec", [None, ModuleSpec("a folder of that name", None)])
def test_a_missing_package_is_one_sentence_with_the_extra(
    tracker: str, spec: ModuleSpec | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda _: spec)
    with pytest.raises(UsageError, match=rf"--tracker {tracker}.*wsss-cli\[{tracker}\]"):
        require_tracker(tracker)
    require_tracker(None)


def test_events_are_the_lines_once_after_a_resumption_too(training: TrackedTraining) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracked = replace(training, tracker="tensorboard")
    _train(tracked, kept=0, until=20)
    _train(tracked, kept=10, until=20)
    events = EventAccumulator(str(training.directory / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"loss/a", "loss/b", "lr", "images_per_second"}
    found = [(e.step, e.value, e.wall_time) for e in events.Scalars("loss/a")]
    # 2026-01-02T03:04:10 is 1767323050 s after 1970, counted by `date -d`.
    assert found == [(10, 1.25, 1767323050.0), (20, 2.5, 1767323060.0)]
    assert not (training.directory / RUNS_FILE).exists()


def test_mlflow_has_one_run_after_a_resumption(
    training: TrackedTraining,
    warnings: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    pytest.importorskip("sqlalchemy", reason="of mlflow there is the skinny one, without a store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    _train(training, kept=0, until=20)
    _train(training, kept=10, until=30)
    assert warnings == []
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        runs = store.execute("select run_uuid, name, status from runs").fetchall()
        params = dict(store.execute("select key, value from params").fetchall())
        losses = store.execute(
            "select step, value, timestamp from metrics where key = 'loss/a' order by step"
        ).fetchall()
    run_id = json.loads((tmp_path / RUNS_FILE).read_text())["mlflow"]["run"]
    assert runs == [(run_id, "cam/train", "FINISHED")]
    assert params == {"lr": "0.001", "lr_steps": "[3, 9]", "preset": "None"}
    assert losses == [(n, n / 8, 1767323040000 + n * 1000) for n in (10, 20, 30)]


def test_wandb_has_one_run_after_a_resumption(
    training: TrackedTraining,
    warnings: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    tracked = replace(training, tracker="wandb")
    _train(tracked, kept=0, until=20)
    _train(tracked, kept=10, until=30)
    assert warnings == []
    run_id = json.loads((tmp_path / RUNS_FILE).read_text())["wandb"]["run"]
    files = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert {path.stem for path in files} == {f"run-{run_id}"}
    steps = [step for path in files for step in _wandb_steps(path)]
    assert steps == [10, 20, 30]


def _wandb_steps(path: Path) -> Iterator[int]:
    """The steps of which a file of an offline run has metrics.

    It is a log of LevelDB's format behind 7 bytes: blocks of 32 KiB of records, each with checksum
    (4 bytes), length (2) and type (1 is a whole record, 2 to 4 are its first, further, last parts).
    """
    from wandb.proto.wandb_internal_pb2 import Record

    content = path.read_bytes()
    at, parts = 7, b""
    while at + 7 < len(content):
        if 2**15 - at % 2**15 < 7:  # no room for a head at the end of a block
            at += 2**15 - at % 2**15
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            record, parts = Record.FromString(parts), b""
            if record.WhichOneof("record_type") == "history":
                yield record.history.step.num
