"""A preset stands for its settings, on the command line, in Python and in comparisons."""

import json
import shlex
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc, train_arguments

import wsss_cli
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.cli import run_command
from wsss_cli.cli.comparison_file import read_comparison
from wsss_cli.configs.common import record, settings
from wsss_cli.configs.compare import CompareConfig
from wsss_cli.configs.presets import PRESETS, configured
from wsss_cli.configs.stages import CHAIN
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import WsssError

NAMES = [(command, name) for command, presets in PRESETS.items() for name in presets]


@pytest.mark.parametrize(("command", "name"), NAMES)
def test_preset_names_settings_that_there_are_and_that_are_allowed(command: str, name: str) -> None:
    config: Any = CHAIN[command]
    assert set(PRESETS[command][name]) <= {field.name for field in fields(config)}
    changed = configured(command, config, {"preset": name})
    for field, value in PRESETS[command][name].items():
        assert getattr(changed, field) == value
    plain = config(**PRESETS[command][name])
    assert settings(changed) == settings(plain)


def test_what_is_given_wins_over_the_preset_even_where_it_is_the_default() -> None:
    given = {"preset": "quick", "iterations": TrainConfig.iterations, "crop": 96}
    changed = configured("train", TrainConfig, given)
    assert (changed.iterations, changed.crop) == (TrainConfig.iterations, 96)
    assert changed.batch_size == PRESETS["train"]["quick"]["batch_size"]
    assert configured("train", TrainConfig, {}) == TrainConfig()


@pytest.mark.parametrize(
    ("iterations", "warmup"), [(3, 0), (40, 4), (499, 49), (500, 50), (4000, 50)]
)
def test_a_short_training_has_a_short_warmup(iterations: int, warmup: int) -> None:
    changed = configured("train", TrainConfig, {"preset": "fine", "iterations": iterations})
    assert changed.warmup == warmup
    given = {"preset": "fine", "iterations": iterations, "warmup": 2}
    assert configured("train", TrainConfig, given).warmup == 2


def test_a_run_with_a_preset_is_the_one_with_its_settings(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert wsss(*train_arguments(voc, run)).code == 0
    assert wsss("attend", "--run", run, "--preset", "fine", "--size", "64").code == 0
    again = ["attend", "--keep-aspect", "--size", "64", "--merge", "sum"]
    again += ["--prototypes", "--colour-steps", "20"]
    scales = [part for scale in ("1", "0.75", "1.25", "1.5") for part in ("--scales", scale)]
    outcome = wsss(*again, *scales, "--run", run, "--json")
    assert outcome.code == 0
    assert outcome.values["status"] == "up to date"
    report = wsss_cli.attend(run=run, preset="fine", size=64)
    assert report.status == "up to date"


def test_a_preset_asked_for_beside_an_extra_of_a_finished_result_is_not_dropped(
    wsss: Command, trained: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    extra = ["attend", "--run", run, "--heatmaps"]
    refused = wsss(*extra, "--preset", "quick")
    assert refused.code == 2
    assert "(colour_steps None there, 20 now; prototypes None there, True now)" in refused.err
    assert not (run / "attend" / "heatmaps").exists()
    made = ["attend", "--run", run, "--preset", "quick", "--size", "64", "--overwrite"]
    assert wsss(*made).code == 0
    for line in (extra, [*extra, "--preset", "quick"]):
        outcome = wsss(*line)
        assert outcome.code == 0, outcome.err


def test_comparison_understands_presets(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        "[settings.a]\ntrain.preset = 'quick'\ntrain.crop = 96\n"
        "[settings.b]\nattend.preset = 'fine'\n"
    )
    first, second = read_comparison(CompareConfig(file=file, out=tmp_path))
    assert (first.train.iterations, first.train.crop) == (300, 96)
    assert first.attend.keep_aspect is False
    assert second.train.iterations == TrainConfig.iterations
    assert second.attend.keep_aspect is True


# Every command with a preset, one of them, and options that set all that it sets.
OVERRIDDEN = [
    ("saliency", "isnet", "--size 512 --mean 0.4 --deviation 0.5"),
    ("saliency", "birefnet", "--size 512 --no-sigmoid"),
    ("attend", "quick", "--no-prototypes --colour-steps 10"),
    (
        "train",
        "fine",
        "--output-stride 8 --lr-policy poly --scale-low 0.9 --scale-high 1.5 --crop 320 "
        "--batch-size 16 --iterations 2000 --warmup 50 --colour-jitter 0.3",
    ),
    (
        "segment",
        "quick",
        "--no-heads-only --head-channels 96 --iterations 5 --batch-size 2 --lr 0.1 --crop 64 "
        "--scale-low 0.3 --scale-high 0.9",
    ),
    (
        "crf",
        "irn",
        "--iterations 10 --gaussian-weight 3 --gaussian-xy 3 --bilateral-weight 10 "
        "--bilateral-xy 50 --bilateral-rgb 5",
    ),
]


@pytest.mark.parametrize(("command", "name", "options"), OVERRIDDEN)
def test_a_preset_all_of_whose_settings_are_given_otherwise_is_refused(
    wsss: Command, tmp_path: Path, command: str, name: str, options: str
) -> None:
    where = ["--run", tmp_path / "run"]
    outcome = wsss(command, "--preset", name, *options.split(), *where)
    assert outcome.code == 2
    assert outcome.err.startswith("error: --preset sets nothing that is not given by ")
    assert outcome.err.endswith("; leave out --preset or one of them\n")
    for word in options.split():
        if word.startswith("--"):
            assert word.replace("--no-", "--") in outcome.err
    # A file has the presets of many commands, and with one option less it sets something.
    (tmp_path / "wsss.toml").write_text(f"[{command}]\npreset = '{name}'\n")
    for line in (
        [*options.split(), "--config", tmp_path / "wsss.toml"],
        ["--preset", name, *options[: options.rindex(" --")].split()],
    ):
        outcome = wsss(command, *line, *where)
        assert outcome.code == 2
        assert "--preset" not in outcome.err


def test_presets_in_vain_are_tried_of_every_command_that_has_any() -> None:
    assert {command for command, *_ in OVERRIDDEN} == {*PRESETS, "crf"}
    with_presets = {name for name, config in CHAIN.items() if "preset" in dir(config)}
    assert with_presets == {*PRESETS, "crf"}


@pytest.mark.parametrize(
    ("command", "given", "expected"),
    [
        ("train", {"preset": "fine", "scale_low": 1.2}, {"scale_low": 1.2, "scale_high": 1.5}),
        ("train", {"preset": "fine", "scale_high": 0.95}, {"scale_low": 0.9, "scale_high": 0.95}),
        ("attend", {"preset": "fine", "scales": (0.125,)}, {"size": 256, "scales": (0.125,)}),
    ],
)
def test_what_is_given_is_checked_beside_the_presets_values(
    command: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    config = configured(command, CHAIN[command], given)
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "saliency --model unsupervised --preset isnet",
            "--mean is of networks, and unsupervised is none; --preset isnet sets --mean, so leave "
            "out --preset isnet",
        ),
        (
            "train --method gain --preset quick",
            "--heads-only is not for gain, which needs more of an image than the trunk's features; "
            "--preset quick sets --heads-only, so leave out --preset quick, or give "
            "--no-heads-only",
        ),
        (
            "train --preset fine --heads-only",
            "--scale-low changes the views of an image, and with --heads-only there is one; "
            "--preset fine sets --scale-low, so leave out --preset fine or --heads-only",
        ),
        (
            "train --preset quick --lr-steps 9",
            "--lr-steps belongs to --lr-policy step, not to poly; --preset quick sets "
            "--lr-policy, so leave out --preset quick or --lr-steps, or give another --lr-policy",
        ),
        (
            "train --preset fine --scale-low 1.6",
            "--scale-low must be at most --scale-high; they are 1.6 and 1.5; --preset fine sets "
            "--scale-high, so leave out --preset fine or --scale-low, or give --scale-high as well",
        ),
        (
            "train --backbone tiny --preset quick",
            "--heads-only learns from what a pretrained trunk sees, and tiny is none without "
            "--weights FILE; --preset quick sets --heads-only, so leave out --preset quick, or "
            "give --no-heads-only",
        ),
        (
            "train --preset quick --eps-tau 0.3",
            "--eps-tau belongs to --method eps, not to cam; --preset quick sets --method, so leave "
            "out --preset quick or --eps-tau, or give another --method",
        ),
        # Nothing of this is the preset's.
        ("train --preset fine --lr 0", "--lr must be above 0, not 0.0"),
    ],
)
def test_a_preset_that_contradicts_what_is_given_is_named(
    wsss: Command, line: str, sentence: str
) -> None:
    outcome = wsss(*line.split())
    assert outcome.code == 2
    assert " ".join(outcome.err.split()) == f"error: {sentence}"


@pytest.mark.parametrize(("command", "name"), NAMES)
def test_the_command_shown_for_a_result_of_a_preset_can_be_pasted(
    wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    made = configured(command, CHAIN[command], {"preset": name, "run": tmp_path})
    manifest = json.loads(json.dumps({"config": record(made)}))
    read: list[Any] = []

    def reading(*args: Any) -> Any:
        read.append(configured(*args))
        raise WsssError("this is enough")

    monkeypatch.setattr(run_command, "configured", reading)
    outcome = wsss(*shlex.split(recorded_command(command, manifest, tmp_path))[1:])
    assert outcome.err == "error: this is enough\n"
    assert settings(read[0]) == settings(made)
