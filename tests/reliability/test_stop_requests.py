"""A training that is asked to stop keeps its last whole step, whoever asks and whenever."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Command, TinyVoc, clean_environment, logged, train_arguments
from processes import PATIENCE, started, wait_until

from wsss_cli import stop_signals
from wsss_cli.artifacts import atomic, checkpoint
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import WsssError
from wsss_cli.stages import segment, train
from wsss_cli.stages.optimisation import trainer
from wsss_cli.stages.train import plan, training
from wsss_cli.stop_signals import StopRequest
from wsss_cli.tracking import Silent

ITERATIONS = 4


def _configs(voc: TinyVoc, run: Path) -> dict[str, Any]:
    shared: dict[str, Any] = {"run": run, "data": voc.root, "iterations": ITERATIONS}
    shared |= {"batch_size": 2, "lr": 0.01, "amp": "off"}
    return {
        "train": TrainConfig(**shared, method="seenet", backbone="tiny", crop=32),
        "segment": SegmentConfig(
            **shared,
            supervision="full",
            split="val",
            model="tiny",
            crop=33,
            accumulate=2,
            scales=(1.0,),
            flip=False,
        ),
    }


STAGES: dict[str, Any] = {"train": train, "segment": segment}


def _run(stage: str, voc: TinyVoc, run: Path) -> None:
    STAGES[stage].run(_configs(voc, run)[stage], track=Silent())


@pytest.fixture(autouse=True)
def as_from_a_terminal() -> Iterator[None]:
    """Signals as a shell in front of a person leaves them; in the background it ignores some."""
    usual = dict.fromkeys(stop_signals.SIGNALS, signal.SIG_DFL)
    usual[signal.SIGINT] = signal.default_int_handler
    before = {number: signal.signal(number, usual[number]) for number in usual}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def undisturbed(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose trainings nobody has stopped."""
    run = tmp_path_factory.mktemp("undisturbed")
    for stage in STAGES:
        _run(stage, voc, run)
    return run


def _in_step(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Do something in the middle of a step of the optimiser, after half of the parameters."""
    step, count = torch.optim.SGD.step, [0]

    def stepping(optimiser: torch.optim.SGD, *args: Any, **kwargs: Any) -> Any:
        count[0] += 1
        if count[0] == number:
            act()
        return step(optimiser, *args, **kwargs)

    monkeypatch.setattr(torch.optim.SGD, "step", stepping)


def _send(*numbers: int) -> Callable[[], None]:
    def send() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return send


def _kept(run: Path, stage: str) -> int:
    return int(torch.load(run / stage / "resume.pt", weights_only=True)["iteration"])


def _require_same(run: Path, undisturbed: Path, stage: str) -> None:
    pairs = [place / stage / "checkpoint.pt" for place in (run, undisturbed)]
    assert pairs[0].read_bytes() == pairs[1].read_bytes()
    assert logged(run / stage) == logged(undisturbed / stage)
    assert not list((run / stage).glob("resume*"))
    assert not list(run.rglob("*.partial"))


@pytest.mark.parametrize(
    ("stage", "signals"),
    [
        ("train", [signal.SIGINT]),
        ("segment", [signal.SIGTERM]),
        ("train", [signal.SIGHUP]),
        # A batch system asks torchrun and its processes, and torchrun asks them again.
        ("train", [signal.SIGTERM, signal.SIGTERM, signal.SIGCONT]),
        ("train", [signal.SIGINT, signal.SIGINT]),
    ],
)
def test_the_step_at_work_is_finished_and_kept_and_the_rest_gives_the_same_bytes(
    voc: TinyVoc,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    signals: list[int],
) -> None:
    handlers = [signal.getsignal(number) for number in stop_signals.SIGNALS]
    with monkeypatch.context() as patched, pytest.raises(StopRequest) as stop:
        _in_step(patched, 3, _send(*signals))
        _run(stage, voc, tmp_path)
    assert stop.value.number == signals[0]
    assert f"iteration 3 of {ITERATIONS} is kept" in stop.value.__notes__[0]
    assert str(tmp_path / stage / "resume.pt") in stop.value.__notes__[0]
    assert _kept(tmp_path, stage) == 3
    assert [signal.getsignal(number) for number in stop_signals.SIGNALS] == handlers
    torch.manual_seed(99)
    _run(stage, voc, tmp_path)
    _require_same(tmp_path, undisturbed, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_stopped_in_the_last_step_everything_is_done(
    voc: TinyVoc,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    with monkeypatch.context() as patched, pytest.raises(StopRequest) as stop:
        _in_step(patched, ITERATIONS, _send(signal.SIGTERM))
        _run(stage, voc, tmp_path)
    assert f"all {ITERATIONS} iterations are done" in stop.value.__notes__[0]
    _run(stage, voc, tmp_path)
    _require_same(tmp_path, undisturbed, stage)


def test_a_second_interrupt_while_the_state_is_written_ends_at_once_and_breaks_nothing(
    voc: TinyVoc, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_signals, "_SAME_REQUEST", 0.0)

    def halfway(path: Path, content: bytes, *, keep_as: Path | None = None) -> None:
        def write(file: Any) -> None:
            file.write(content[:100])
            _send(signal.SIGINT)()
            raise AssertionError("went on")

        atomic.write_atomically(path, write, keep_as=keep_as)

    for again in (False, True):  # at iteration 2, then at 4
        with monkeypatch.context() as patched, pytest.raises(StopRequest) as stop:
            _in_step(patched, 2, _send(signal.SIGINT))
            if again:
                patched.setattr(checkpoint, "write_bytes", halfway)
            _run("train", voc, tmp_path)
        assert f"iteration 2 of {ITERATIONS} is kept" in stop.value.__notes__[0]
        assert _kept(tmp_path, "train") == 2
        assert not list(tmp_path.rglob("*.partial"))
    _run("train", voc, tmp_path)
    _require_same(tmp_path, undisturbed, "train")


def test_states_are_kept_by_time_and_change_nothing(
    voc: TinyVoc, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 30 <= trainer.CHECKPOINT_SECONDS <= 120
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):

        def killed() -> None:
            assert _kept(tmp_path, "train") == 3
            raise RuntimeError("killed")

        _in_step(patched, 4, killed)
        _run("train", voc, tmp_path)
    _run("train", voc, tmp_path)
    _require_same(tmp_path, undisturbed, "train")


def test_an_error_costs_no_more_than_the_step_it_is_in(
    voc: TinyVoc, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, count = training.random_view, [0]

    def viewing(*args: Any, **options: Any) -> Any:
        count[0] += 1
        if count[0] > 7:
            raise WsssError("a photograph cannot be decoded")
        return view(*args, **options)

    # Threads would load several batches at once, and any of them could be the one that fails.
    config = replace(_configs(voc, tmp_path)["train"], workers=0)
    with monkeypatch.context() as patched, pytest.raises(WsssError) as error:
        patched.setattr(training, "random_view", viewing)
        train.run(config, track=Silent())
    assert 0 < _kept(tmp_path, "train") <= 3
    assert f"iteration {_kept(tmp_path, 'train')} of {ITERATIONS} is kept" in str(
        error.value.__notes__
    )
    _run("train", voc, tmp_path)
    _require_same(tmp_path, undisturbed, "train")


def test_signals_that_somebody_else_handles_or_ignores_are_left_alone(
    voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    before = {
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # nohup
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, _: heard.append(number)),
    }
    try:
        _in_step(monkeypatch, 3, _send(*before))
        _run("train", voc, tmp_path)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert heard == [signal.SIGTERM]


def _long(voc: TinyVoc, run: Path) -> list[str]:
    """A training that is still at work when its first line is logged."""
    return [*train_arguments(voc, run), "--iterations", "5000", "--method", "cam"]


@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_the_installed_command_keeps_what_it_has_done_and_says_so(
    voc: TinyVoc, tmp_path: Path, how: signal.Signals
) -> None:
    log = tmp_path / "train" / "metrics.jsonl"
    with started(_long(voc, tmp_path)) as process:
        wait_until(process, lambda: log.exists() and log.read_text().count("\n") >= 2)
        process.send_signal(how)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + how
    assert (out, "Traceback" in err) == ("", False)
    kept = _kept(tmp_path, "train")
    assert kept >= 20
    last = err.splitlines()[-1]
    assert last.startswith("interrupted")
    assert (f"by {how.name}" in last) is (how != signal.SIGINT)
    assert f"iteration {kept} of 5000 is kept in {tmp_path / 'train' / 'resume.pt'}" in last
    assert json.loads((tmp_path / "train" / "manifest.json").read_text())["status"] == "running"
    assert not list(tmp_path.rglob("*.partial"))


def test_interrupted_before_the_first_step_nothing_is_in_the_way_of_other_settings(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    begun = ((plan, "image_sizes"), (training, "build_network"), (training, "_batches"))
    for module, name in begun:
        with monkeypatch.context() as patched:
            patched.setattr(module, name, interrupted)
            outcome = wsss(*train_arguments(voc, tmp_path))
        assert outcome.code == 130
        assert outcome.err.splitlines()[-1].startswith("interrupted: no")  # nothing, no state
    assert (tmp_path / "train" / "manifest.json").exists()
    done = wsss(*train_arguments(voc, tmp_path), "--seed", "5", "--iterations", "2")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("stage", "writes"),
    [("proxy", "proxy.write_together"), ("attend", "attention_maps.write_shard")],
)
def test_any_stage_interrupted_before_it_has_made_anything_gives_way(
    wsss: Command,
    voc: TinyVoc,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    writes: str,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    source = {
        "proxy": [
            "--attention",
            trained / "attend" / "attention.h5",
            "--saliency",
            voc.saliency,
        ],
        "attend": ["--checkpoint", trained / "train" / "checkpoint.pt", "--data", voc.root],
    }[stage]
    other = {"proxy": ["--w", "100"], "attend": ["--size", "64"]}[stage]
    arguments = [stage, "--run", tmp_path, "--workers", "0", *source]
    with monkeypatch.context() as patched:
        patched.setattr(f"wsss_cli.stages.{writes}", interrupted)
        outcome = wsss(*arguments)
    assert outcome.code == 130
    assert "nothing was made yet" in outcome.err
    assert json.loads((tmp_path / stage / "manifest.json").read_text())["status"] == "running"
    assert wsss(*arguments, *other).code == 0


LISTENING = """
import os, signal, sys, time
import typer
from wsss_cli import stop_signals
from wsss_cli.cli.run_command import errors_as_sentences
stop_signals.listen()
number = int(sys.argv[1])
try:
    with errors_as_sentences(debug=False):
        try:
            os.kill(os.getpid(), number)
            time.sleep(20)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # once more
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


def _signalled(program: str, number: int) -> subprocess.CompletedProcess[str]:
    """What a program does that sends itself a signal."""
    return subprocess.run(
        [sys.executable, "-c", program, str(int(number))],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("number", stop_signals.SIGNALS)
def test_every_such_signal_ends_a_command_in_a_sentence_with_its_own_code(number: int) -> None:
    done = _signalled(LISTENING, number)
    assert done.returncode == 128 + number, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("interrupted")


# Python turns what is raised while a class is being made into another error.
IMPORTING = """
import os, sys
from wsss_cli import stop_signals

class Meeting:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), int(sys.argv[1]))

stop_signals.listen()
class Importing:
    field = Meeting()
"""


@pytest.mark.parametrize("number", stop_signals.SIGNALS)
def test_a_signal_before_a_command_has_begun_ends_it_in_a_sentence(number: int) -> None:
    done = _signalled(IMPORTING, number)
    assert done.returncode == 128 + number, done.stderr
    assert done.stderr == "interrupted before anything was done\n"
