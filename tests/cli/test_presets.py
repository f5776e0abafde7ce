"""A preset stands for its settings, on the command line, in Python and in comparisons."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc, train_arguments

import wsss_cli
from wsss_cli.cli.comparison_file import read_comparison
from wsss_cli.configs.common import settings
from wsss_cli.configs.compare import CompareConfig
from wsss_cli.configs.presets import PRESETS, with_preset
from wsss_cli.configs.stages import CHAIN
from wsss_cli.configs.train import TrainConfig

NAMES = [(command, name) for command, presets in PRESETS.items() for name in presets]


@pytest.mark.parametrize(("command", "name"), NAMES)
def test_preset_names_settings_that_there_are_and_that_are_allowed(command: str, name: str) -> None:
    config: Any = CHAIN[command]
    assert set(PRESETS[command][name]) <= {field.name for field in fields(config)}
    changed = with_preset(command, config(preset=name), set())
    for field, value in PRESETS[command][name].items():
        assert getattr(changed, field) == value
    plain = config(**PRESETS[command][name])
    assert settings(changed) == settings(plain)


def test_what_is_given_wins_over_the_preset_even_where_it_is_the_default() -> None:
    given = TrainConfig(preset="quick", iterations=TrainConfig.iterations, crop=96)
    changed = with_preset("train", given, {"preset", "iterations", "crop"})
    assert (changed.iterations, changed.crop) == (TrainConfig.iterations, 96)
    assert changed.batch_size == PRESETS["train"]["quick"]["batch_size"]
    assert with_preset("train", TrainConfig(), set()) == TrainConfig()


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


def test_comparison_understands_presets(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        "[train]\nweights = 'none'\n[settings.a]\ntrain.preset = 'quick'\ntrain.crop = 96\n"
        "[settings.b]\nattend.preset = 'fine'\n"
    )
    first, second = read_comparison(CompareConfig(file=file, out=tmp_path))
    assert (first.train.iterations, first.train.crop) == (300, 96)
    assert first.attend.keep_aspect is False
    assert second.train.iterations == TrainConfig.iterations
    assert second.attend.keep_aspect is True
