"""Options, config fields and defaults are the same thing, and every option arrives."""

from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from conftest import Command

from wsss_cli.cli import run_command
from wsss_cli.cli.app import app
from wsss_cli.configs.check import CheckConfig
from wsss_cli.configs.common import settings
from wsss_cli.configs.compare import CompareConfig
from wsss_cli.configs.data import DataCheckConfig, DataConvertConfig, DataMasksConfig
from wsss_cli.configs.demo import DemoConfig
from wsss_cli.configs.doctor import DoctorConfig
from wsss_cli.configs.export import ExportConfig
from wsss_cli.configs.export_network import ExportNetworkConfig
from wsss_cli.configs.map_import import ImportConfig
from wsss_cli.configs.methods import METHODS, MethodOptions
from wsss_cli.configs.presets import PRESETS, configured
from wsss_cli.configs.report import ReportConfig
from wsss_cli.configs.rounds import RoundsConfig
from wsss_cli.configs.setting import Config, option, settings_of
from wsss_cli.configs.stages import CHAIN
from wsss_cli.configs.suggest import SuggestConfig
from wsss_cli.stages.result import Report

CONVERSATION = {"dry_run", "json", "config", "quiet", "verbose", "debug"}
COMMANDS: dict[str, type[Config]] = {
    **CHAIN,
    "demo": DemoConfig,
    "compare": CompareConfig,
    "rounds": RoundsConfig,
    "report": ReportConfig,
    "check": CheckConfig,
    "export": ExportConfig,
    "export-network": ExportNetworkConfig,
    "doctor": DoctorConfig,
    "suggest": SuggestConfig,
    "import": ImportConfig,
    "data check": DataCheckConfig,
    "data convert": DataConvertConfig,
    "data masks": DataMasksConfig,
}
# Those that take no argument and name no new folder.
STAGES = {name: config for name, config in CHAIN.items() if name != "predict"}
NAMES = [(stage, field.name) for stage, config in STAGES.items() for field in fields(config)]


def _parameters(command: str) -> dict[str, Any]:
    """The parameters of a command, as Click has them, by name."""
    found: Any = app
    for word in command.split():
        found = found.commands[word]
    return {parameter.name: parameter for parameter in found.params}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_field_is_an_option_with_its_default_and_its_help(name: str, wsss: Command) -> None:
    parameters = _parameters(name)
    text = " ".join(wsss(*name.split(), "--help").out.split())
    for field, about in settings_of(COMMANDS[name]):
        parameter = parameters[field.name]
        assert about.help[0].isupper() or about.help.startswith("2 looks")
        assert about.help.endswith(".")
        assert about.help in text
        if field.default is MISSING:
            assert parameter.required
            continue
        given = parameter.default() if callable(parameter.default) else parameter.default
        multiple = isinstance(field.default, tuple)
        assert (tuple(given or ()) if multiple else given) == field.default
        assert (about.argument or option(field.name)) in text
        for choice in about.choices:
            assert choice in text
    beside = parameters.keys() - {field.name for field in fields(COMMANDS[name])}
    assert beside <= CONVERSATION | ({"run"} if name == "report" else set())
    if name in CHAIN:
        assert beside == CONVERSATION


def test_options_of_methods_belong_to_methods_that_there_are() -> None:
    owners = {method for _, about in settings_of(MethodOptions) for method in about.of}
    assert owners <= set(METHODS)
    assert all(about.of for _, about in settings_of(MethodOptions))


def test_help_has_a_methods_options_under_its_name(wsss: Command) -> None:
    text = wsss("train", "--help").out
    common, _, own = text.partition("Only with --method gain:")
    gain, _, rest = own.partition("\n\n")
    assert "--lr " in common
    assert "--gain-sigma" in gain
    assert "--gain-sigma" not in common + rest


# The names that the fingerprint of each stage's default settings holds: results that people have
# are told by them, so that a name that comes or goes makes all of them another result.
FINGERPRINTS = {
    "train": "method backbone split iterations batch_size lr lr_steps weight_decay momentum "
    "crop frozen_blocks head_channels seed delta_high delta_low sign_flip background_branch "
    "share_background_head",
    "attend": "split size scales flip",
    "saliency": "split size passes",
    "proxy": "rule w attention_floor ignore_conflicts ignore_salient",
    "refine": "edges walk_radius beta steps",
    "segment": "seed model supervision prohibitive iterations batch_size accumulate lr momentum "
    "weight_decay crop scale_low scale_high frozen_blocks split scales flip merge crf "
    "restrict_to_labels",
    "crf": "logits preset iterations gaussian_weight gaussian_xy bilateral_weight bilateral_xy "
    "bilateral_rgb",
}


@pytest.mark.parametrize("stage", FINGERPRINTS)
def test_fingerprint_has_the_names_that_it_has_always_had(stage: str) -> None:
    names = set(FINGERPRINTS[stage].split())
    assert settings(STAGES[stage]()).keys() == names


# Values other than the default where no rule below gives an allowed one.
VALUES: dict[str, Any] = {
    "method": "cam",
    "backbone": "tiny",
    "amp": "off",
    "what": "proxy",
    "labels": "predicted",
    "predicted_ignore": "background",
    "supervision": "full",
    "model": "tiny",
    "label_correction": "adele",
    "rule": "drs",
    "preset": "psa",
    "tracker": "tensorboard",
    "output_stride": 8,
    "loss_reduction": "mean",
    "lr_steps": (3, 9),
    "lr_policy": "poly",
    "warmup": 5,
    "head_lr_factor": 10.0,
    "clip_norm": 0.5,
    "colour_jitter": 0.4,
    "colour_steps": 7,
    "map_scale": 0.5,
    "mean": (0.5,),
    "deviation": (0.5,),
    "scales": (1.0, 0.5),
    "scale_low": 0.4,
    "scale_high": 2.5,
    "merge": "max",
    "crf": "psa",
    "submission": Path("somewhere.tar.gz"),
    "attention_floor": 0.25,
    "attention_cut": 0.25,
    "background_score": 0.25,
    "ignore_conflicts": 0.25,
    "ignore_salient": 0.25,
    "delta_background": 0.25,
    "held_out": 0.25,
    "workers": 3,
    "head_channels": 7,
    "device": "cpu",
    "iterations": 7,
    "fail_under": 0.4,
    "gaussian_weight": 2.5,
    "gaussian_xy": 2.5,
    "bilateral_weight": 2.5,
    "bilateral_xy": 2.5,
    "bilateral_rgb": 2.5,
}

# What else must be said for an option to have a meaning.
ALONG: dict[tuple[str, str], dict[str, Any]] = {
    ("evaluate", "attention"): {"what": "attention"},
    ("evaluate", "saliency"): {"baselines": True},
    ("evaluate", "localisation"): {"what": "attention"},
    ("evaluate", "threshold_from"): {"what": "attention"},
    ("segment", "attention"): {"prohibitive": True},
    **{("attend", name): {"model": Path("somewhere")} for name in ("mean", "deviation")},
    ("refine", "proxy"): {"edges": True},
    ("train", "erase_threshold"): {"erase": Path("somewhere")},
    ("crf", "logits"): {"scores": Path("somewhere")},
    ("train", "acol_threshold"): {"method": "acol"},
    **{("train", f"gain_{name}"): {"method": "gain"} for name in ("sigma", "omega", "alpha")},
    **{("train", name): {"method": "eps"} for name in ("saliency", "eps_tau")},
    **{("train", f"eps_{name}"): {"method": "eps"} for name in ("lambda", "weight")},
    ("train", "sipe_weight"): {"method": "sipe"},
    ("proxy", "device"): {"crf": "psa"},
    ("proxy", "second_saliency"): {"rule": "dcsp"},
    ("proxy", "attention_cut"): {"rule": "oaa"},
    ("proxy", "potential_attention"): {"rule": "nsrom"},
    ("proxy", "prediction"): {"rule": "masked"},
    ("proxy", "background_score"): {"rule": "dcsp"},
}


def _other(name: str, default: Any) -> Any:
    if name in VALUES:
        return VALUES[name]
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default / 2
    return Path("somewhere") if isinstance(default, Path) else "something"


def _arguments(name: str, value: Any) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    values = value if isinstance(value, tuple) else (value,)
    return [part for one in values for part in (f"--{option}", str(one))]


@pytest.mark.parametrize(("stage", "name"), NAMES)
def test_value_of_every_option_reaches_the_stage(
    wsss: Command, monkeypatch: pytest.MonkeyPatch, stage: str, name: str
) -> None:
    config_type: Any = STAGES[stage]
    received: list[Any] = []

    def run(config: Any, *, track: object) -> Report:
        del track
        received.append(config)
        return Report(stage, None, True, {})

    monkeypatch.setattr(import_module(f"wsss_cli.stages.{stage}"), "run", run)
    # What the options name need not be there.
    monkeypatch.setattr(import_module("wsss_cli.stages.execution"), "check_usage", lambda *_: None)
    monkeypatch.setattr(run_command, "require_given_paths", lambda *_: None)
    default = getattr(config_type(), name)
    annotation = str(config_type.__dataclass_fields__[name].type)
    presets = PRESETS.get(stage, {})
    value = list(presets)[-1] if name == "preset" and presets else _other(name, default)
    value = Path(value) if "Path" in annotation else value
    along = ALONG.get((stage, name), {})
    if stage == "proxy" and name != "rule":  # else one is chosen that needs no saliency
        along = {"rule": "threshold" if name in ("crf", "device") else "seenet", **along}
    extra = [part for one, said in along.items() for part in _arguments(one, said)]
    outcome = wsss(stage, *_arguments(name, value), *extra, "--json")
    assert outcome.code == 0, outcome.err
    expected = configured(stage, config_type, {name: value, **along})
    assert received == [expected]
    assert getattr(expected, name) != default


@pytest.mark.parametrize(
    ("arguments", "option", "fact"),
    [
        ("train --iterations 0", "--iterations", "0"),
        ("train --lr 0", "--lr", ""),
        ("train --lr nan", "--lr", ""),
        ("train --momentum 1", "--momentum", "1"),
        ("train --delta-low 0.8", "--delta-low", "--delta-high"),
        ("train --delta-background 0", "--delta-background", ""),
        ("train --delta-background 1.1", "--delta-background", ""),
        (
            "train --delta-background 0.1 --no-background-branch",
            "--delta-background",
            "--no-background-branch",
        ),
        ("train --lr-steps 9 --lr-steps 3", "--lr-steps", ""),
        ("train --frozen-blocks 5", "--frozen-blocks", "4"),
        ("train --method gradcam", "--method", "cam, aepsl, acol, gain, eps, sipe, seenet"),
        ("segment --checkpoint a.pt --tracker mlflow", "--tracker", ""),
        ("train --held-out 0.6", "--held-out", "0.5"),
        ("train --held-out -0.1", "--held-out", ""),
        ("train --method acol --acol-threshold 0", "--acol-threshold", ""),
        ("train --method acol --acol-threshold 1.1", "--acol-threshold", "at most 1"),
        ("train --method gain --gain-sigma 1.1", "--gain-sigma", ""),
        ("train --method gain --gain-omega 0", "--gain-omega", ""),
        ("train --method gain --gain-alpha -1", "--gain-alpha", ""),
        ("train --backbone resnet", "--backbone", "vgg16, resnet50, resnet101, tiny"),
        ("train --seed -1", "--seed", ""),
        ("train --output-stride 4", "--output-stride", "16 or 8"),
        ("train --backbone tiny --output-stride 16", "--output-stride", "tiny"),
        ("train --method cam --saliency p", "--saliency", "eps"),
        ("train --lr-policy cosine", "--lr-policy", "step, poly"),
        ("train --lr-policy poly --lr-steps 9", "--lr-steps", "poly"),
        ("train --warmup -1", "--warmup", ""),
        ("train --warmup 40 --iterations 40", "--warmup", "below --iterations"),
        ("train --warmup 2000 --preset fine", "--warmup", "--preset fine sets --iterations"),
        ("train --head-lr-factor 0", "--head-lr-factor", ""),
        ("train --clip-norm 0", "--clip-norm", ""),
        ("train --clip-norm nan", "--clip-norm", ""),
        ("train --colour-jitter 1.5", "--colour-jitter", ""),
        ("train --scale-low 2", "--scale-low", "--scale-high"),
        ("train --method gain --heads-only", "--heads-only", "gain"),
        ("train --heads-only --colour-jitter 0.4", "--colour-jitter", "--heads-only"),
        ("train --head-channels -1", "--head-channels", ""),
        ("train --workers -1", "--workers", ""),
        ("train --amp on", "--amp", ""),
        ("refine --edges --regions p", "--edges", "--regions"),
        ("refine --regions p --checkpoint p", "--regions", "--checkpoint"),
        ("refine --checkpoint p --proxy p", "--proxy", "--edges"),
        ("refine --edges --radius 1", "--radius", "2"),
        ("refine --edges --beta 0", "--beta", "0"),
        ("refine --edges --steps 0", "--steps", "1"),
        ("attend --model p --checkpoint p", "--model", "--checkpoint"),
        ("attend --mean 0.5", "--mean", "--model"),
        ("attend --model p --deviation 1 --deviation 2", "--deviation", "three"),
        ("attend --size 16", "--size", "32"),
        ("attend --labels none", "--labels", ""),
        ("attend --scales 0", "--scales", ""),
        ("attend --scales nan", "--scales", ""),
        ("attend --scales 0.1", "--scales", "--size 224"),
        ("attend --scales 1 --scales 1", "--scales", ""),
        ("train --gain-sigma 0.1", "--gain-sigma", "gain"),
        ("train --method cam --no-sign-flip", "--sign-flip", "seenet"),
        ("attend --device tpu", "--device", "cuda:N"),
        ("train --erase-threshold 1.5", "--erase-threshold", ""),
        ("attend --batch-size 0", "--batch-size", ""),
        ("proxy --w 0", "--w", ""),
        (
            "proxy --rule pinoche",
            "--rule",
            "seenet, beyond, dcsp, oaa, nsrom, masked, drs, irn, threshold",
        ),
        ("proxy --ignore-conflicts 1.5", "--ignore-conflicts", ""),
        ("segment --scale-low 2", "--scale-low", "--scale-high"),
        ("segment --supervision weak", "--supervision", ""),
        ("segment --model unet", "--model", ""),
        ("segment --scales 0", "--scales", ""),
        ("segment --scales 1 --scales 1", "--scales", ""),
        ("segment --merge sum", "--merge", ""),
        ("segment --crf bilateral", "--crf", ""),
        ("segment --attention a.h5", "--attention", "--prohibitive"),
        ("segment --label-correction amn", "--label-correction", "adele"),
        ("proxy --crf cnf", "--crf", ""),
        ("proxy --rule irn --crf irn", "--crf", "irn"),
        ("crf --preset cnf", "--preset", ""),
        ("crf --iterations 0", "--iterations", ""),
        ("crf --bilateral-xy 0", "--bilateral-xy", ""),
        ("crf --gaussian-weight -1", "--gaussian-weight", ""),
        ("crf --logits", "--logits", "--scores"),
        ("evaluate --what maps", "--what", ""),
        ("evaluate --predicted-ignore no", "--predicted-ignore", ""),
        ("evaluate --attention a.h5", "--attention", "--what attention"),
        ("evaluate --localisation", "--localisation", "--what attention"),
        ("evaluate --threshold-from r", "--threshold-from", "--what attention"),
        ("evaluate --what attention --boundaries", "--boundaries", ""),
        ("evaluate --what attention --pred p", "--pred", "--attention"),
    ],
)
def test_impossible_setting_is_a_usage_error_that_names_its_option(
    wsss: Command,
    arguments: str,
    option: str,
    fact: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.pt", "a.h5"):  # a path that does not exist would be named first
        (tmp_path / name).touch()
    for name in ("r", "p"):
        (tmp_path / name).mkdir()
    outcome = wsss(*arguments.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith(f"error: {option} ")
    assert fact in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("arguments", ["proxy --w inf", "segment --scale-high inf"])
def test_infinite_setting_is_a_usage_error(wsss: Command, arguments: str, tmp_path: Path) -> None:
    outcome = wsss(*arguments.split(), "--run", tmp_path)
    assert outcome.code == 2
    assert arguments.split()[1] in outcome.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("train --no-such-option", "--no-such-option"),
        ("nonsense", "nonsense"),
        ("train --iterations many", "--iterations"),
        ("train --iterations", "--iterations"),
        ("train stray", "stray"),
    ],
)
def test_mistyped_command_line_is_a_usage_error_without_traceback(
    wsss: Command, arguments: str, named: str
) -> None:
    outcome = wsss(*arguments.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert named in outcome.err


@pytest.mark.parametrize(
    ("words", "completion"), [("wsss att", "attend"), ("wsss train --met", "--method")]
)
def test_shell_completes_commands_and_options(fresh: Command, words: str, completion: str) -> None:
    shell = {"_WSSS_COMPLETE": "complete_bash", "COMP_WORDS": words}
    outcome = fresh(env={**shell, "COMP_CWORD": str(words.count(" "))})
    assert outcome.out.split() == [completion]
