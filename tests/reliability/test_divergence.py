"""A training that diverges goes on from its last good state with a lower rate, to a good end."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Command, TinyVoc, logged, train_arguments

from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.errors import DivergenceError
from wsss_cli.stages.optimisation.solver import parameter_groups
from wsss_cli.stages.optimisation.trainer import Loss, Trainer
from wsss_cli.stages.segment import training
from wsss_cli.stages.train import training as attention
from wsss_cli.tracking import Silent

OFTEN = ["--checkpoint-every", "1", "--method", "cam"]
SEGMENT = (
    "segment --model tiny --supervision full --iterations 10 --batch-size 2 --crop 33 --amp off "
    "--scales 1 --no-flip --checkpoint-every 1"
)


def _commands(voc: TinyVoc, run: Path) -> dict[str, list[str]]:
    """Trainings with frequent states."""
    return {
        "train": [*train_arguments(voc, run), *OFTEN, "--iterations", "16"],
        "segment": [*SEGMENT.split(), "--data", str(voc.root), "--run", str(run)],
    }


def _state(run: Path, stage: str) -> dict[str, Any]:
    content = torch.load(run / stage / "resume.pt", weights_only=True)
    assert isinstance(content, dict)
    return content


@pytest.fixture
def diverging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loss of a segmentation be no number in the third step.

    That of the attention network is none after some ten steps at the rate 1 by itself.
    """
    loss, count = training.segmentation_loss, [0]

    def diverges(*args: Any) -> torch.Tensor:
        count[0] += 1
        return loss(*args) * (math.nan if count[0] == 3 else 1.0)

    monkeypatch.setattr(training, "segmentation_loss", diverges)


@pytest.mark.usefixtures("diverging")
@pytest.mark.parametrize(("stage", "rate"), [("train", 1.0), ("segment", 0.1)])
def test_a_lower_rate_goes_on_from_the_last_good_state_and_ends_well(
    wsss: Command, voc: TinyVoc, tmp_path: Path, stage: str, rate: float
) -> None:
    command = _commands(voc, tmp_path)[stage]
    stopped = wsss(*command, "--lr", str(rate))
    sentence = stopped.err.splitlines()[-1]
    assert stopped.code == 1, stopped.err
    kept = _state(tmp_path, stage)
    assert kept["iteration"] >= 1
    assert all(torch.isfinite(t).all() for t in kept["network"].values() if t.is_floating_point())
    for part in (
        f"iteration {kept['iteration']} is kept",
        "resume.pt",
        "a lower --lr",
        f"--lr {rate / 10:g}",
    ):
        assert part in sentence
    assert "--overwrite" not in sentence
    assert f"at iteration {read_manifest(tmp_path / stage)['diverged']['iteration']}" in sentence

    again = wsss(*command, "--lr", str(rate))  # a scheduler may do so, and must not cost the state
    assert again.code == 2
    assert "a lower --lr" in again.err
    assert _state(tmp_path, stage)["iteration"] == kept["iteration"]
    shown = wsss("show", tmp_path).out
    assert "nan" in shown or "inf" in shown
    assert f"--lr {rate / 10:g}" in shown

    lower = wsss(*command, "--lr", "0.001")
    assert lower.code == 0, lower.err
    assert f"resuming at iteration {kept['iteration']}" in lower.err
    manifest = read_manifest(tmp_path / stage)
    assert manifest["earlier_settings"] == [{"until": kept["iteration"], "lr": rate}]
    losses = [sum(line["losses"].values()) for line in logged(tmp_path / stage)]
    assert losses
    assert all(map(math.isfinite, losses))
    network = torch.load(tmp_path / stage / "checkpoint.pt", weights_only=True)["network"]
    assert all(torch.isfinite(t).all() for t in network.values() if t.is_floating_point())
    assert not list((tmp_path / stage).glob("resume*"))
    assert f"lr {rate} until iteration {kept['iteration']}" in wsss("show", tmp_path).out

    assert " up to date: " in wsss(*command, "--lr", "0.001").out
    for other in (str(rate), "0.0001"):
        refused = wsss(*command, "--lr", other)
        assert refused.code == 2
        assert "lr 0.001 there" in refused.err


def _three_batches(batches: Callable[..., Iterator[Any]], *args: Any) -> Iterator[Any]:
    yield from islice(batches(*args), 3)
    raise KeyboardInterrupt


def test_stopped_after_it_went_on_it_ends_with_the_bytes_of_one_that_was_not(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(name: str) -> list[str]:
        training = _commands(voc, tmp_path / name)["train"]
        return [*training, "--iterations", "16", "--snapshot-every", "1"]

    assert wsss(*command("whole"), "--lr", "1").code == 1
    kept = _state(tmp_path / "whole", "train")["iteration"]
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    with monkeypatch.context() as patched:
        patched.setattr(attention, "_batches", partial(_three_batches, attention._batches))
        outcome = wsss(*command("stopped"), "--lr", "0.001")
    assert outcome.code == 130
    assert f"iteration {kept + 3} of 16 is kept" in outcome.err
    snapshots = {int(path.stem) for path in (tmp_path / "stopped").glob("train/snapshots/*.pt")}
    assert max(snapshots) == kept + 3  # none of the steps at the first rate
    for name in ("whole", "stopped"):
        assert wsss(*command(name), "--lr", "0.001").code == 0
    folders = [tmp_path / name / "train" for name in ("whole", "stopped")]
    for path in ("checkpoint.pt", "snapshots/000016.pt"):
        assert (folders[0] / path).read_bytes() == (folders[1] / path).read_bytes()
    assert logged(folders[0]) == logged(folders[1])
    prints = [read_manifest(folder)["fingerprint"] for folder in folders]
    assert prints[0] == prints[1]


def test_snapshots_of_a_training_with_no_state_kept_do_not_hinder_the_advice(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    command = [*train_arguments(voc, tmp_path), "--snapshot-every", "1"]
    stopped = wsss(*command, "--lr", "1e30")
    assert stopped.code == 1
    assert "train again with a lower --lr" in stopped.err
    assert list(tmp_path.glob("train/snapshots/*.pt"))
    done = wsss(*command, "--lr", "0.01")
    assert done.code == 0, done.err
    assert "earlier_settings" not in read_manifest(tmp_path / "train")
    snapshots = sorted(path.stem for path in tmp_path.glob("train/snapshots/*.pt"))
    assert snapshots == ["000001", "000002", "000003", "000004"]
    assert wsss("show", tmp_path).code == 0
    assert " up to date: " in wsss(*command, "--lr", "0.01").out


def test_diverged_before_anything_was_kept_any_settings_may_follow(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    command = train_arguments(voc, tmp_path)
    assert wsss(*command, "--lr", "1e30").code == 1
    assert wsss(*command, "--lr", "1e30").code == 2
    done = wsss(*command, "--lr", "0.01")
    assert done.code == 0, done.err
    assert "earlier_settings" not in json.loads((tmp_path / "train" / "manifest.json").read_text())


class _Scripted(torch.nn.Module):
    """One weight and a loss that the test has written down."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(1.0))


def _train(directory: Path, losses: list[float], every: int) -> Trainer:
    network = _Scripted()
    trainer = Trainer(
        network,
        torch.optim.SGD(parameter_groups(network.named_parameters(), 0.0), lr=1e-3),
        learning_rate=lambda _: 1e-3,
        directory=directory,
        seed=0,
        checkpoint_every=every,
        images_per_step=1,
    )
    trainer.resume()
    trainer.train(
        lambda start: ((torch.tensor(loss),) for loss in losses[start:]),
        lambda loss: {"a": Loss(loss + 0 * network.weight, 1)},
        len(losses),
        Silent(),
    )
    return trainer


NAN = float("nan")


@pytest.mark.parametrize(
    ("losses", "every", "kept"),
    [
        ([2, 2, 2, 2, 2, 2, NAN], 2, 4),  # the state before the last one
        ([2, 2, 2, NAN], 2, 2),  # the only one
        ([2, 2, NAN], 2, None),  # of which the loss is no number
        ([2, 2, 500, NAN], 2, None),  # or shows what had begun
        ([2, 2, 3, 500, 5e4, 5e6, 5e8, NAN], 1, 2),  # and it does not take the good one's place
        ([2, 2, 2, 79, 3, 350, 1e9, NAN], 1, 2),  # nor does one that came between
        ([0.01, 0.5, 0.4, 0.3, 0.6, NAN], 2, 2),  # a good start is no reason to distrust
        ([2, NAN], 2, None),
    ],
)
def test_what_is_gone_on_from_is_a_state_before_the_divergence(
    tmp_path: Path, losses: list[float], every: int, kept: int | None
) -> None:
    with pytest.raises(DivergenceError) as stop:
        _train(tmp_path, losses, every)
    assert (stop.value.iteration, stop.value.kept) == (len(losses) - 1, kept)
    assert (tmp_path / "resume.pt").exists() is (kept is not None)
    assert not (tmp_path / "resume.earlier.pt").exists()
    calm = [2.0] * (len(losses) + 2)
    assert _train(tmp_path, calm, every).iteration == len(calm)


def test_weights_that_are_no_numbers_are_never_kept_nor_the_result(tmp_path: Path) -> None:
    network = _Scripted()
    trainer = Trainer(
        network,
        torch.optim.SGD(parameter_groups(network.named_parameters(), 0.0), lr=1.0),
        learning_rate=lambda i: 1.0 if i < 4 else 1e38,
        directory=tmp_path,
        seed=0,
        checkpoint_every=2,
        images_per_step=1,
    )
    finished: list[int] = []
    with pytest.raises(DivergenceError, match=r"weights .* at iteration 5") as stop:
        trainer.train(
            lambda start: ((torch.tensor(1e10),) for _ in range(start, 5)),
            lambda slope: {"a": Loss(slope * (network.weight - network.weight.detach()) + 2, 1)},
            5,
            Silent(),
            finish=lambda: finished.append(1),
        )
    assert stop.value.kept == 2
    assert finished == []
