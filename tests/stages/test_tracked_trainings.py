"""Trainings that a tracker follows: the same result, one run, and no harm where it fails."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TinyVoc

from wsss_cli import ranks
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.artifacts.trackers import OPENERS, RUNS_FILE, TrackedTraining
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.stages import segment, train
from wsss_cli.stages.optimisation.trainer import Trainer
from wsss_cli.tracking import Silent


@dataclass
class _Server:
    """The lines of each run; the settings that its runs began with."""

    runs: dict[str, list[tuple[int, Mapping[str, float]]]] = field(default_factory=dict)
    settings: list[Mapping[str, Any]] = field(default_factory=list)
    down: bool = False


@dataclass
class _Run:
    server: _Server
    run_id: str

    def log(self, scalars: Mapping[str, float], iteration: int, when: datetime) -> None:
        assert isinstance(when, datetime)
        self.server.runs[self.run_id].append((iteration, scalars))

    def close(self, *, finished: bool) -> None:
        assert isinstance(finished, bool)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> _Server:
    """Takes the place of the servers of MLflow and wandb, which need not be installed."""
    server = _Server()

    def opened(training: TrackedTraining, run_id: str | None) -> _Run:
        if server.down:
            raise ConnectionError("no route to host")
        if run_id is None:
            run_id = training.name
            assert run_id not in server.runs
            server.runs[run_id] = []
            server.settings.append(training.settings)
        return _Run(server, run_id)

    for tracker in ("mlflow", "wandb"):
        monkeypatch.setitem(OPENERS, tracker, opened)
    for stage in ("train", "segment"):
        monkeypatch.setattr(f"wsss_cli.stages.{stage}.plan.require_tracker", lambda _: None)
    return server


class _Listener(Silent):
    """Keeps the warnings, and may interrupt after so many steps."""

    def __init__(self, steps: int | None = None) -> None:
        self.warnings: list[str] = []
        self.left = steps

    def note(self, message: str) -> None:
        if message.startswith("warning"):
            self.warnings.append(message)

    def steps(self, items: Iterable[Any], **_: Any) -> Iterator[Any]:
        for item in items:
            yield item
            if self.left is not None:
                self.left -= 1
                if self.left == 0:
                    raise KeyboardInterrupt


def _config(voc: TinyVoc, run: Path, **settings: Any) -> TrainConfig:
    small = {"iterations": 30, "batch_size": 2, "crop": 32, "backbone": "tiny", "method": "cam"}
    return TrainConfig(run=run, data=voc.root, amp="off", **{**small, **settings})


def _steps(server: _Server, run: str) -> list[int]:
    return [iteration for iteration, _ in server.runs[run]]


def test_an_interrupted_training_is_one_run_with_every_step_once(
    voc: TinyVoc, tmp_path: Path, server: _Server
) -> None:
    config = _config(voc, tmp_path / "cam", tracker="mlflow", checkpoint_every=15)
    with pytest.raises(KeyboardInterrupt):
        train.run(config, track=_Listener(25))
    train.run(config, track=Silent())
    assert _steps(server, "cam/train") == [10, 20, 30]
    assert {"loss/a", "lr"} <= server.runs["cam/train"][0][1].keys()
    assert "classification_map" in server.runs["cam/train"][-1][1]
    (settings,) = server.settings
    assert settings["iterations"] == 30
    assert settings["method"] == "cam"
    assert settings["device"] == "cpu"


def test_a_tracker_changes_neither_weights_nor_fingerprint(
    voc: TinyVoc, tmp_path: Path, server: _Server
) -> None:
    runs = {name: tmp_path / str(name) for name in (None, "wandb")}
    for tracker, run in runs.items():
        train.run(_config(voc, run, tracker=tracker), track=Silent())
    manifests = [read_manifest(run / "train") for run in runs.values()]
    assert manifests[0]["fingerprint"] == manifests[1]["fingerprint"]
    files = [torch.load(run / "train" / CHECKPOINT_FILE) for run in runs.values()]
    for name, tensor in files[0]["network"].items():
        assert torch.equal(tensor, files[1]["network"][name])


def test_a_tracker_that_fails_is_one_warning_and_catches_up_later(
    voc: TinyVoc, tmp_path: Path, server: _Server
) -> None:
    config = _config(voc, tmp_path / "cam", tracker="mlflow")
    server.down = True
    listener = _Listener()
    assert not train.run(config, track=listener).up_to_date
    (warning,) = listener.warnings
    assert "no route to host" in warning
    assert (tmp_path / "cam" / "train" / CHECKPOINT_FILE).exists()
    server.down = False
    for _ in range(2):
        assert train.run(config, track=listener).up_to_date
    assert _steps(server, "cam/train") == [10, 20, 30]
    assert len(listener.warnings) == 1


def test_overwriting_forgets_the_run_of_what_it_replaces(
    voc: TinyVoc, tmp_path: Path, server: _Server
) -> None:
    config = _config(voc, tmp_path / "cam", tracker="mlflow")
    train.run(config, track=Silent())
    assert (tmp_path / "cam" / "train" / RUNS_FILE).exists()
    train.run(replace(config, tracker=None, lr=0.01, overwrite=True), track=Silent())
    assert not (tmp_path / "cam" / "train" / RUNS_FILE).exists()


def test_segment_logs_its_training_now_or_later(
    voc: TinyVoc, tmp_path: Path, server: _Server
) -> None:
    small = {"iterations": 20, "batch_size": 2, "crop": 32, "model": "tiny", "scales": (1.0,)}
    where = {"data": voc.root, "supervision": "full", "split": "val", "train_split": "train"}
    config = SegmentConfig(run=tmp_path / "now", amp="off", **small, **where)
    segment.run(replace(config, tracker="wandb"), track=Silent())
    assert _steps(server, "now/segment") == [10, 20]
    later = replace(config, run=tmp_path / "later")
    segment.run(later, track=Silent())
    next((tmp_path / "later" / "segment" / "predictions").glob("*.png")).unlink()
    segment.run(replace(later, tracker="wandb"), track=Silent())  # trained, but not whole
    assert _steps(server, "later/segment") == [10, 20]


def test_only_the_first_rank_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = torch.nn.Linear(1, 1)
    optimiser = torch.optim.SGD(network.parameters())
    trainer = Trainer(network, optimiser, lambda _: 0.1, tmp_path, 0, 100, 1)
    monkeypatch.setattr(ranks, "first", lambda: False)
    with trainer._opened_log() as log:
        assert log is None
    assert list(tmp_path.iterdir()) == []


def test_a_finished_training_gets_the_events_that_it_was_not_asked_for(
    voc: TinyVoc, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    config = _config(voc, tmp_path)
    train.run(config, track=Silent())
    assert not (tmp_path / "train" / "tensorboard").exists()
    report = train.run(replace(config, tracker="tensorboard"), track=Silent())
    assert report.up_to_date
    (events,) = (tmp_path / "train" / "tensorboard").iterdir()
    assert b"loss/a" in events.read_bytes()
