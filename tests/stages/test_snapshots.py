"""Snapshots of a training: kept whole through stops, and without effect on the result."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc, train_arguments

from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import network_file
from wsss_cli.stages import train
from wsss_cli.tracking import Silent


class Stopping(Silent):
    """Stops the work when so many steps have been taken."""

    def __init__(self, after: int) -> None:
        self.after = after

    def steps(self, items: Iterable[Any], **_: Any) -> Iterator[Any]:
        for item in items:
            if item == self.after:
                raise KeyboardInterrupt
            yield item


def _config(voc: TinyVoc, run: Path, **settings: Any) -> TrainConfig:
    small: dict[str, Any] = {"backbone": "tiny", "iterations": 4, "batch_size": 4, "crop": 32}
    return TrainConfig(run=run, data=voc.root, lr=0.01, amp="off", **{**small, **settings})


def _snapshots(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "train" / "snapshots").glob("*")}


@pytest.fixture(scope="module")
def with_snapshots(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("snapshots") / "run"
    train.run(_config(voc, run, snapshot_every=2), track=Silent())
    return run


def test_snapshots_change_no_result(with_snapshots: Path, trained: Path) -> None:
    kept = _snapshots(with_snapshots)
    assert sorted(kept) == ["000002.pt", "000004.pt"]
    assert kept["000002.pt"] != kept["000004.pt"]
    final = (with_snapshots / "train" / "checkpoint.pt").read_bytes()
    assert kept["000004.pt"] == final == (trained / "train" / "checkpoint.pt").read_bytes()


def test_snapshot_is_the_network_after_so_many_steps(
    with_snapshots: Path, voc: TinyVoc, tmp_path: Path
) -> None:
    train.run(_config(voc, tmp_path / "short", iterations=2), track=Silent())
    short, _, _ = network_file.load_network(tmp_path / "short" / "train" / "checkpoint.pt")
    snapshot, _, _ = network_file.load_network(with_snapshots / "train" / "snapshots" / "000002.pt")
    expected = short.state_dict()
    assert all(tensor.equal(expected[name]) for name, tensor in snapshot.state_dict().items())


def test_attend_reads_a_snapshot(with_snapshots: Path, tmp_path: Path, wsss: Command) -> None:
    snapshot = with_snapshots / "train" / "snapshots" / "000002.pt"
    data = read_manifest(with_snapshots / "train")["data"]
    arguments = ["--checkpoint", snapshot, "--data", data, "--split", "val", "--size", "32"]
    assert wsss("attend", "--run", tmp_path / "run", *arguments).code == 0


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("checkpoint_every", [1, 3])
def test_stopped_training_keeps_the_same_snapshots(
    with_snapshots: Path, voc: TinyVoc, tmp_path: Path, stop: int, checkpoint_every: int
) -> None:
    config = _config(voc, tmp_path, snapshot_every=2, checkpoint_every=checkpoint_every)
    with pytest.raises(KeyboardInterrupt):
        train.run(config, track=Stopping(stop))
    train.run(config, track=Silent())
    assert _snapshots(tmp_path) == _snapshots(with_snapshots)


def test_snapshots_that_cannot_be_made_any_more_are_refused(
    trained: Path, voc: TinyVoc, tmp_path: Path, wsss: Command
) -> None:
    for dry in ([], ["--dry-run"]):
        late = wsss(*train_arguments(voc, trained), "--snapshot-every", 2, *dry)
        assert late.code == 2
        assert "000002.pt is not there" in late.err and "--overwrite" in late.err
    with pytest.raises(KeyboardInterrupt):
        train.run(_config(voc, tmp_path, checkpoint_every=1), track=Stopping(3))
    resumed = wsss(*train_arguments(voc, tmp_path), "--checkpoint-every", 1, "--snapshot-every", 2)
    assert resumed.code == 2
    assert "past iteration 2" in resumed.err


def test_training_is_whole_without_its_snapshots_and_replaces_them(
    voc: TinyVoc, tmp_path: Path, wsss: Command
) -> None:
    asked = [*train_arguments(voc, tmp_path), "--snapshot-every", 3]
    assert wsss(*asked).code == 0
    assert wsss(*asked, "--json").values["status"] == "up to date"
    assert wsss(*train_arguments(voc, tmp_path), "--json").values["status"] == "up to date"
    assert wsss(*asked[:-1], 2, "--overwrite").code == 0
    assert sorted(_snapshots(tmp_path)) == ["000002.pt", "000004.pt"]
    for path in (tmp_path / "train" / "snapshots").glob("*"):
        path.unlink()
    assert wsss(*train_arguments(voc, tmp_path), "--json").values["status"] == "up to date"
