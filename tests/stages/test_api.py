"""The stages as Python functions: the same chain as the commands, with reports and exceptions."""

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc, clean_environment, logged

import wsss_cli as wsss_api
from wsss_cli.configs.stages import CHAIN, STAGES
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.tracking import Silent

TINY = {"iterations": 2, "crop": 32, "batch_size": 2}
# The chain as options of each stage, beside the run and the data set.
CALLS: dict[str, dict[str, Any]] = {
    "train": {**TINY, "backbone": "tiny", "lr_steps": [1]},
    "attend": {"size": 64, "scales": [1.0, 0.75]},
    "saliency": {"model": "unsupervised"},
    "proxy": {},
    "refine": {**TINY, "edges": True, "weights": "none", "steps": 4},
    "segment": {**TINY, "model": "tiny", "weights": "none", "probabilities": True},
    "crf": {},
    "evaluate": {"what": "crf"},
}


def _arguments(options: dict[str, Any]) -> list[object]:
    words: list[object] = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
            continue
        for each in value if isinstance(value, list) else [value]:
            words += [option, each]
    return words


def _files(run: Path) -> dict[str, bytes]:
    """Every file of the results; manifests and logs have times in them."""
    kept = (path for path in sorted(run.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in kept
        if path.name not in ("manifest.json", "metrics.jsonl", ".lock")
    }


def test_the_chain_in_python_makes_the_bytes_of_the_commands(
    voc: TinyVoc,
    tmp_path: Path,
    wsss: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # the same relative run, since files hold paths
    run = Path("run")
    for stage, options in CALLS.items():
        data = ["--data", voc.root] if stage == "train" else []
        assert wsss(stage, "--run", run, *data, *_arguments(options)).code == 0
    by_command, log = _files(run), logged(run / "train")
    run.rename("by_command")
    capsys.readouterr()
    for stage, options in CALLS.items():
        data_set = {"data": str(voc.root)} if stage == "train" else {}
        report = getattr(wsss_api, stage)(run=str(run), **data_set, **options)
        assert report.stage == stage
        assert report.directory == run / stage
        assert not report.up_to_date
    assert capsys.readouterr() == ("", "")
    assert _files(run) == by_command
    assert logged(run / "train") == log
    # All again: nothing is left to do, but evaluate always scores what is there. A command stopped
    # at its very end has left a state of the training, which goes.
    (run / "train" / "resume.pt").touch()
    for stage, options in CALLS.items():
        report = getattr(wsss_api, stage)(run=run, **options)
        assert report.up_to_date == (stage in STAGES)
        assert (report.status == "up to date") == report.up_to_date
    assert not (run / "train" / "resume.pt").exists()
    with pytest.raises(UsageError, match="lr"):
        wsss_api.train(run=run, **{**CALLS["train"], "lr": 0.5})
    # An extra of a finished result needs no more options than itself.
    report = wsss_api.attend(run=run, heatmaps=True)
    assert report.values["heatmaps"] == len(list((run / "attend" / "heatmaps").iterdir())) > 0
    with pytest.raises(WsssError, match="fail-under") as caught:
        wsss_api.evaluate(run=run, fail_under=1)
    assert vars(caught.value)["report"].values["miou"] < 1


def test_importing_the_package_and_asking_for_signatures_is_light() -> None:
    code = (
        "import inspect, sys, wsss_cli\n"
        "heavy = ('torch', 'numpy', 'h5py', 'cv2', 'PIL', 'typer', 'filelock')\n"
        "inspect.signature(wsss_cli.train)\n"
        "try:\n    wsss_cli.train(itertions=3)\n"
        "except wsss_cli.errors.UsageError as error:\n    assert 'iterations' in str(error)\n"
        "else:\n    sys.exit('accepted')\n"
        "found = [name for name in heavy if name in sys.modules]\n"
        "sys.exit(f'imported {found}' if found else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stage", CHAIN)
def test_signature_and_help_have_every_option(stage: str) -> None:
    function = getattr(wsss_api, stage)
    parameters = inspect.signature(function).parameters
    by_name = {field.name: field for field in fields(CHAIN[stage])}
    assert set(parameters) == {*by_name, "progress"}
    for name, field in by_name.items():
        if stage != "predict":
            assert parameters[name].default == field.default
        assert f"\n    {name}: " in str(function.__doc__)
    assert stage in dir(wsss_api)


@pytest.mark.parametrize(
    ("stage", "options", "fact"),
    [
        ("train", {"itertions": 3}, "iterations"),
        ("train", {"iterations": "many"}, "iterations"),
        ("train", {"iterations": 2.5}, "iterations"),
        ("train", {"iterations": True}, "iterations"),
        ("train", {"iterations": 0}, "iterations"),
        ("train", {"lr_steps": 3}, "lr_steps"),
        ("train", {"sign_flip": 1}, "sign_flip"),
        ("train", {"data": 3}, "data"),
        ("train", {"data": "no/such/folder"}, "no/such/folder"),
        ("attend", {"labels": "guessed"}, "predicted"),
        ("predict", {"photos": ["x.jpg"], "out": "y"}, "checkpoint"),
    ],
)
def test_a_wrong_option_is_a_usage_error_that_names_it(
    stage: str, options: dict[str, Any], fact: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        getattr(wsss_api, stage)(**options)
    assert fact in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_the_package_has_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="trian"):
        wsss_api.trian  # noqa: B018


def test_progress_goes_to_stderr_or_to_a_track_of_the_caller(
    voc: TinyVoc, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Notes(Silent):
        def __init__(self) -> None:
            self.notes: list[str] = []

        def note(self, message: str) -> None:
            self.notes.append(message)

    track = Notes()
    options = {**TINY, "backbone": "tiny", "data": voc.root}
    report = wsss_api.train(run=tmp_path / "a", progress=track, **options)
    assert any("12 images" in note for note in track.notes)
    assert capsys.readouterr() == ("", "")
    wsss_api.train(run=tmp_path / "b", progress=True, **options)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "12 images" in printed.err
    with pytest.raises(TypeError):
        report.values["images"] = 3
    assert "images=12" in repr(report)
    assert str(tmp_path / "a" / "train") in repr(report)


def test_what_the_machine_refuses_is_a_sentence(
    voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wsss_cli.stages import train

    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(train, "run", refuse)
    with pytest.raises(WsssError, match="--batch-size"):
        wsss_api.train(data=voc.root, run=tmp_path / "run")
