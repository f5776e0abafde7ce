"""What the environment and a file set gives way to the command line, and messages name it."""

from pathlib import Path

import pytest
from conftest import Command, TinyVoc, train_arguments

STAGES = ("train", "segment")


@pytest.fixture(params=["environment", "file"])
def missing_weights(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Weights that are not there, as the default of all commands."""
    if request.param == "environment":
        monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path / "missing.pth"))
        return []
    file = tmp_path / "wsss.toml"
    file.write_text(
        "".join(f"[{each}]\nweights = 'missing.pth'\n" for each in ("train", "segment"))
    )
    return ["--config", str(file)]


def test_weights_give_way_to_a_network_to_start_from(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path, missing_weights: list[str]
) -> None:
    start = trained / "train" / "checkpoint.pt"
    begin = ["train", "--data", voc.root, "--backbone", "tiny", "--run", tmp_path / "run", "-n"]
    outcome = wsss(*begin, "--start", start, "--json", *missing_weights)
    assert outcome.code == 0, outcome.err
    assert outcome.values["weights"] == str(start)
    assert wsss(*begin, *missing_weights).code == 2


def test_weights_give_way_to_a_trained_network(
    wsss: Command, voc: TinyVoc, trained: Path, missing_weights: list[str]
) -> None:
    network = trained / "train" / "checkpoint.pt"  # of another kind, which is said later
    outcome = wsss("segment", "--checkpoint", network, "--data", voc.root, *missing_weights)
    assert "checkpoint for attention" in outcome.err
    assert "missing.pth" not in outcome.err


@pytest.mark.parametrize("place", ["environment", "file"])
def test_weights_give_way_to_the_start_of_a_finished_training_that_gets_an_extra(
    wsss: Command,
    voc: TinyVoc,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    start = ["--start", trained / "train" / "checkpoint.pt"]
    assert wsss(*train_arguments(voc, tmp_path), *start).code == 0
    extra = ["train", "--run", tmp_path, "--snapshot-every", "99"]
    typed = wsss(*extra, "--weights", "none")
    assert typed.code == 2
    assert "leave one of them out" in typed.err
    if place == "environment":
        monkeypatch.setenv("WSSS_WEIGHTS", "none")
    else:
        (tmp_path / "wsss.toml").write_text("[train]\nweights = 'none'\n")
        extra += ["--config", tmp_path / "wsss.toml"]
    outcome = wsss(*extra)
    assert outcome.code == 0, outcome.err
    assert " up to date: " in outcome.out


def test_both_on_the_command_line_contradict_each_other(wsss: Command, tmp_path: Path) -> None:
    (tmp_path / "a.pt").touch()
    outcome = wsss("train", "--start", tmp_path / "a.pt", "--weights", "none")
    assert outcome.code == 2
    assert "leave one of them out" in outcome.err


@pytest.mark.parametrize(
    ("variable", "value", "line", "said"),
    [
        (
            "WSSS_WEIGHTS",
            "imagenet",
            "train --data DATA --backbone tiny",
            "none for tiny",
        ),
        ("WSSS_WEIGHTS", "missing.pth", "train --data DATA", "missing.pth does not exist"),
        ("WSSS_WEIGHTS", "none", "train --data DATA --preset quick", "--heads-only learns"),
    ],
)
def test_a_variable_that_sets_what_is_wrong_is_named(
    wsss: Command,
    voc: TinyVoc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    line: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DATA").symlink_to(voc.root)
    monkeypatch.setenv(variable, value)
    outcome = wsss(*line.split())
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.rstrip().endswith(f"{variable} in the environment sets --weights")
    monkeypatch.delenv(variable)
    assert variable not in wsss(*line.split(), "--weights", value).err


def test_rounds_that_start_from_a_network_take_its_weights(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSSS_WEIGHTS", "none")
    file = tmp_path / "rounds.toml"
    start = trained / "train" / "checkpoint.pt"
    file.write_text(f"[train]\nbackbone = 'tiny'\nstart = '{start}'\n[proxy]\nrule = 'threshold'\n")
    outcome = wsss("rounds", file, "--data", voc.root, "--out", tmp_path / "out", "--dry-run")
    assert outcome.code == 0, outcome.err
