"""Stages called from Python: silent, and torch is left as it was found."""

import gc
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, TinyVoc, logged

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.methods import METHODS, learns_from_saliency
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import WsssError
from wsss_cli.methods import network_file
from wsss_cli.methods.network_file import import_method
from wsss_cli.models.trunks import build_trunk
from wsss_cli.stages import attend, proxy, segment, train
from wsss_cli.stages.optimisation.solver import parameter_groups
from wsss_cli.stages.optimisation.trainer import Loss, Trainer, last_losses
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Silent


def _attend(voc: TinyVoc, checkpoint: Path, run: Path) -> AttendConfig:
    where = {"run": run, "data": voc.root, "checkpoint": checkpoint}
    return AttendConfig(**where, size=64, batch_size=2, amp="off")


def _modes() -> tuple[Any, ...]:
    return (
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_dtype(),
        torch.get_num_threads(),
    )


class _Watching(Silent):
    """Notes torch's modes while it is told of progress, and may stop the work."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.seen: set[tuple[Any, ...]] = set()
        self.error = error

    def steps(self, items: Iterable[Any], **_: Any) -> Iterator[Any]:
        for item in items:
            self.seen.add(_modes())
            yield item
            if self.error is not None:
                raise self.error


def _modes_around(config: AttendConfig, stopping: Silent) -> tuple[tuple[Any, ...], ...]:
    """Torch's modes before and after an attend that is stopped.

    The modes belong to a thread. This one ends here, so that none that leaks reaches other tests.
    """

    def fail() -> tuple[tuple[Any, ...], ...]:
        before = _modes()
        try:
            attend.run(config, track=stopping)
        except RuntimeError as error:
            assert str(error) == "stopped"
            after = _modes()
        else:
            raise AssertionError("was not stopped")
        gc.collect()
        return before, after

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(fail).result()


def test_finished_stage_leaves_torchs_modes(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    before = _modes()
    attend.run(_attend(voc, lively_checkpoint, tmp_path / "run"), track=Silent())
    assert _modes() == before


def test_torchs_modes_do_not_leak_while_a_stage_works_nor_after_it_failed(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    config = _attend(voc, lively_checkpoint, tmp_path / "run")
    watching = _Watching(RuntimeError("stopped"))

    before, after = _modes_around(config, watching)
    assert watching.seen | {after} == {before}


def test_training_prints_nothing(
    voc: TinyVoc, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = TrainConfig(
        run=tmp_path / "run",
        data=voc.root,
        backbone="tiny",
        iterations=2,
        batch_size=2,
        crop=32,
    )
    report = train.run(config, track=Silent())
    assert (report.stage, report.up_to_date) == ("train", False)
    assert train.run(config, track=Silent()).up_to_date
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


class _StopAfter(Silent):
    """Fails once a number of steps have been made, of those with one label if it is given."""

    def __init__(self, steps: int, label: str | None = None) -> None:
        self.left = steps
        self.label = label

    def steps(self, items: Iterable[Any], **about: Any) -> Iterator[Any]:
        for item in items:
            yield item
            self.left -= self.label in (None, about["label"])
            if not self.left:
                raise RuntimeError("stopped")


BRANCHES = {"seenet": "abc", "cam": "a", "acol": "ab", "gain": ("a", "mining")}


@pytest.mark.parametrize("method", BRANCHES)
def test_training_stopped_anywhere_ends_with_the_bytes_of_an_uninterrupted_one(
    voc: TinyVoc, tmp_path: Path, method: str
) -> None:
    settings = {"iterations": 23, "batch_size": 5, "crop": 32, "lr": 0.01, "lr_steps": (13,)}
    config = TrainConfig(
        run=tmp_path / "whole",
        data=voc.root,
        method=method,
        backbone="tiny",
        checkpoint_every=4,
        amp="off",
        **settings,
    )
    train.run(config, track=Silent())
    stopped = replace(config, run=tmp_path / "stopped", checkpoint_every=3)
    for steps in (5, 9):
        with pytest.raises(RuntimeError, match="stopped"):
            train.run(stopped, track=_StopAfter(steps))
        torch.manual_seed(99)  # whatever happened to the generator in between
    report = train.run(stopped, track=Silent())
    whole, resumed = (tmp_path / run / "train" for run in ("whole", "stopped"))
    assert (whole / "checkpoint.pt").read_bytes() == (resumed / "checkpoint.pt").read_bytes()
    assert logged(whole) == logged(resumed)
    assert report.values["losses"].keys() == set(BRANCHES[method])


def test_checkpoint_from_before_a_setting_was_there_loads_with_its_default(
    trained: Path, tmp_path: Path
) -> None:
    content = read_checkpoint(trained / "train" / "checkpoint.pt", "attention")
    for name in ("head_channels", "share_background_head"):
        del content["config"][name]
    write_checkpoint(tmp_path / "old.pt", "attention", content)
    network, config, _ = network_file.load_network(tmp_path / "old.pt")
    assert config == network_file.load_network(trained / "train" / "checkpoint.pt")[1]
    assert all(torch.equal(v, content["network"][k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("method", METHODS)
def test_checkpoint_loads_as_the_method_and_with_the_heads_it_was_trained_with(
    voc: TinyVoc, tmp_path: Path, method: str
) -> None:
    settings = {"iterations": 1, "batch_size": 2, "crop": 32, "lr": 0.01, "head_channels": 5}
    where = {"run": tmp_path, "data": voc.root, "backbone": "tiny"}
    if learns_from_saliency(method):
        where["saliency"] = voc.saliency
    train.run(TrainConfig(**where, **settings, method=method), track=Silent())
    network, config, _ = network_file.load_network(tmp_path / "train" / "checkpoint.pt")
    assert type(network) is type(import_method(method).build(build_trunk("tiny"), 3, config))
    assert config.method == method
    # Heads without hidden layers have no width, so none is kept.
    assert config.head_channels == (5 if METHODS[method].hidden_layers else None)


def test_attention_in_shards_is_that_of_one_shard_and_whole_shards_survive(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(_attend(voc, lively_checkpoint, tmp_path / "one"), batch_size=5)
    attend.run(one, track=Silent())
    monkeypatch.setattr("wsss_cli.stages.attention_maps.SHARD_IMAGES", 5)
    many = replace(one, run=tmp_path / "many")
    _modes_around(many, _StopAfter(2))  # batches of five images
    shards = tmp_path / "many" / "attend" / "shards"
    assert sorted(path.name for path in shards.glob("*.h5")) == ["00000.h5", "00001.h5"]
    report = attend.run(many, track=Silent())
    assert (report.values["skipped"], report.values["written"]) == (10, 2)
    assert sorted(path.name for path in shards.iterdir()) == [f"0000{n}.h5" for n in range(3)]
    with (
        AttentionFile(tmp_path / "one" / "attend" / "attention.h5") as whole,
        AttentionFile(tmp_path / "many" / "attend" / "attention.h5") as sharded,
    ):
        assert whole.image_ids == sharded.image_ids == voc.train_ids
        lively = 0
        for image_id in voc.train_ids:
            first, second = whole.read(image_id), sharded.read(image_id)
            assert np.array_equal(first.class_ids, second.class_ids)
            assert first.maps.shape == (len(first.class_ids), HEIGHT, WIDTH)
            lively += int((first.maps.max(axis=(1, 2)) > 0.99).sum())
            assert np.abs(first.maps.astype(float) - second.maps).max() < 2e-3
        assert lively > 8  # of 15 maps


def _stopped_and_finished(
    stage: ModuleType, config: Any, folder: Path, label: str
) -> tuple[Report, int]:
    """Stop a stage after two label maps, run it again; the report, and how many were kept."""
    with pytest.raises(RuntimeError, match="stopped"):
        stage.run(config, track=_StopAfter(2, label))
    before = {path.name: path.stat().st_ino for path in folder.glob("*.png")}
    assert len(before) >= 2
    report = stage.run(config, track=Silent())
    after = {path.name: path.stat().st_ino for path in folder.glob("*.png")}
    assert before.items() <= after.items()
    return report, len(before)


def test_stopped_proxies_go_on_from_the_last_image(
    voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    config = ProxyConfig(
        run=tmp_path, attention=trained / "attend" / "attention.h5", saliency=voc.saliency
    )
    folder = tmp_path / "proxy" / "labels"
    report, kept = _stopped_and_finished(proxy, replace(config, workers=1), folder, "labelling")
    assert (report.values["skipped"], report.values["written"]) == (kept, 12 - kept)
    assert {path.stem for path in folder.iterdir()} == set(voc.train_ids)


def test_stopped_predictions_go_on_from_the_last_image(voc: TinyVoc, tmp_path: Path) -> None:
    settings = {"model": "tiny", "iterations": 2, "batch_size": 2, "crop": 32, "workers": 1}
    where = {"run": tmp_path, "data": voc.root, "supervision": "full", "split": "train"}
    config = SegmentConfig(**where, **settings)
    folder = tmp_path / "segment" / "predictions"
    report, kept = _stopped_and_finished(segment, config, folder, "predicting")
    assert (report.values["skipped"], report.values["written"]) == (kept, 12 - kept)
    assert {path.stem for path in folder.iterdir()} == set(voc.train_ids)


class _Line(torch.nn.Module):
    """y = w x + b, so that steps can be computed by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(2.0))
        self.bias = torch.nn.Parameter(torch.tensor(0.5))


def _trainer(network: _Line, directory: Path, **settings: Any) -> Trainer:
    groups = parameter_groups(network.named_parameters(), weight_decay=0.1)
    return Trainer(
        network,
        torch.optim.SGD(groups, lr=1.0, momentum=0.0),
        learning_rate=settings.pop("learning_rate", lambda i: 0.01 * 0.1**i),
        directory=directory,
        seed=0,
        checkpoint_every=100,
        images_per_step=4,
        **settings,
    )


def _batches(inputs: list[float]) -> Any:
    def batches(start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for x in inputs[start:]:
            yield torch.tensor(x), torch.tensor(0.0)

    return batches


def test_steps_are_those_of_caffes_solver_computed_by_hand(tmp_path: Path) -> None:
    """Biases learn twice as fast and do not decay; the learning rate is that of the iteration."""
    network = _Line()
    trainer = _trainer(network, tmp_path)
    losses = lambda x, _: {"a": Loss(network.weight * x, 1), "b": Loss(network.bias * x, 1)}  # noqa: E731
    trainer.train(_batches([3.0, 5.0]), losses, 2, Silent())
    weight, bias = 2.0, 0.5
    for iteration, x in enumerate([3.0, 5.0]):
        rate = 0.01 * 0.1**iteration
        weight -= rate * (x + 0.1 * weight)
        bias -= 2 * rate * x
    assert float(network.weight.detach()) == pytest.approx(weight, rel=1e-6)
    assert float(network.bias.detach()) == pytest.approx(bias, rel=1e-6)


def test_accumulated_batches_make_one_step_of_their_mean(tmp_path: Path) -> None:
    network = _Line()
    trainer = _trainer(network, tmp_path, learning_rate=lambda _: 0.01)
    losses = lambda x, _: {"a": Loss(network.weight * x, 1)}  # noqa: E731
    trainer.train(_batches([3.0, 5.0, 1.0, 1.0]), losses, 2, Silent(), accumulate=2)
    weight = 2.0
    for mean in (4.0, 1.0):
        weight -= 0.01 * (mean + 0.1 * weight)
    assert float(network.weight.detach()) == pytest.approx(weight, rel=1e-6)


def test_losses_are_logged_as_means_of_ten_iterations(tmp_path: Path) -> None:
    network = _Line()
    trainer = _trainer(network, tmp_path, learning_rate=lambda _: 0.0)
    losses = lambda x, _: {"a": Loss(network.bias * x, 1)}  # noqa: E731
    trainer.train(_batches([float(n) for n in range(25)]), losses, 25, Silent())
    assert logged(tmp_path) == [
        {"iteration": 10, "losses": {"a": 2.25}, "lr": 0.0},
        {"iteration": 20, "losses": {"a": 7.25}, "lr": 0.0},
    ]
    assert last_losses(tmp_path) == {"a": 7.25}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_step_with_a_loss_that_is_no_number_is_not_taken(tmp_path: Path, bad: float) -> None:
    network = _Line()
    trainer = _trainer(network, tmp_path)
    losses = lambda x, _: {"a": Loss(network.weight * x, 1)}  # noqa: E731
    with pytest.raises(WsssError, match="at iteration 1"):
        trainer.train(_batches([0.0, bad]), losses, 5, Silent())
    assert math.isfinite(float(network.weight.detach()))


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> list[Trainer]:
    """Filled with every trainer that trains."""
    seen: list[Trainer] = []
    real = Trainer.train

    def spy(trainer: Trainer, *arguments: Any, **options: Any) -> None:
        seen.append(trainer)
        real(trainer, *arguments, **options)

    monkeypatch.setattr(Trainer, "train", spy)
    return seen


@pytest.mark.parametrize(("iteration", "rate"), [(0, 0.01), (2, 0.01), (3, 0.001), (5, 0.0001)])
def test_learning_rate_is_divided_by_ten_from_each_step_on(
    voc: TinyVoc, tmp_path: Path, trainers: list[Trainer], iteration: int, rate: float
) -> None:
    config = TrainConfig(
        run=tmp_path / "run",
        data=voc.root,
        backbone="tiny",
        iterations=1,
        batch_size=2,
        crop=32,
        lr=0.01,
        lr_steps=(3, 5),
    )
    train.run(config, track=Silent())
    assert trainers[0].learning_rate(iteration) == pytest.approx(rate)


def test_learning_rate_of_the_segmentation_falls_by_the_power_of_nine_tenths(
    voc: TinyVoc, tmp_path: Path, trainers: list[Trainer]
) -> None:
    settings = {"model": "tiny", "iterations": 4, "batch_size": 2, "crop": 32, "lr": 0.01}
    config = SegmentConfig(run=tmp_path, data=voc.root, supervision="full", **settings)
    segment.run(config, track=Silent())
    rates = [trainers[0].learning_rate(iteration) for iteration in range(4)]
    assert rates == pytest.approx([0.01, 0.01 * 0.75**0.9, 0.01 * 0.5**0.9, 0.01 * 0.25**0.9])
