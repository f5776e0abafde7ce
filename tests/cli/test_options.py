"""Options, config fields and defaults are the same thing, and every option arrives."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from conftest import Command

from wsss_cli.cli import (
    attend,
    compare,
    crf,
    demo,
    evaluate,
    predict,
    proxy,
    report,
    run_command,
    saliency,
    segment,
    train,
)
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.compare import CompareConfig
from wsss_cli.configs.crf import CrfConfig
from wsss_cli.configs.demo import DemoConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.report import ReportConfig
from wsss_cli.configs.saliency import SaliencyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.stages.result import Report

CONVERSATION = {"dry_run", "json", "config", "quiet", "verbose", "debug"}
# Parameters that are not fields: Typer's own, and another way to name the runs of a page.
BESIDE_THE_FIELDS = {"report": {"run"}}
STAGES: dict[str, tuple[Callable[..., None], type]] = {
    "train": (train.train, TrainConfig),
    "attend": (attend.attend, AttendConfig),
    "saliency": (saliency.saliency, SaliencyConfig),
    "proxy": (proxy.proxy, ProxyConfig),
    "segment": (segment.segment, SegmentConfig),
    "crf": (crf.crf, CrfConfig),
    "evaluate": (evaluate.evaluate, EvaluateConfig),
}
COMMANDS = {
    **STAGES,
    "demo": (demo.demo, DemoConfig),
    "compare": (compare.compare, CompareConfig),
    "report": (report.report, ReportConfig),
    "predict": (predict.predict, PredictConfig),
}
# What must be given has no default.
REQUIRED = {("predict", name) for name in ("checkpoint", "photos", "out")}
NAMES = [(stage, field.name) for stage, (_, config) in STAGES.items() for field in fields(config)]


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_the_fields_of_the_config(name: str) -> None:
    command, config = COMMANDS[name]
    options = set(inspect.signature(command).parameters) - CONVERSATION - {"context"}
    options -= BESIDE_THE_FIELDS.get(name, set())
    assert options == {field.name for field in fields(config)}


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_can_be_talked_to_in_the_same_way(name: str) -> None:
    assert set(inspect.signature(STAGES[name][0]).parameters) >= CONVERSATION


@pytest.mark.parametrize("name", COMMANDS)
def test_defaults_of_the_options_are_those_of_the_config(name: str) -> None:
    command, config = COMMANDS[name]
    parameters = inspect.signature(command).parameters
    for field in fields(config):
        if (name, field.name) in REQUIRED:
            assert parameters[field.name].default is inspect.Parameter.empty
            continue
        assert field.default is not MISSING, field.name
        default = parameters[field.name].default
        assert (tuple(default) if isinstance(default, list) else default) == field.default


@pytest.mark.parametrize("name", COMMANDS)
def test_every_field_is_documented(name: str) -> None:
    config = COMMANDS[name][1]
    documented = "".join(inspect.getdoc(kind) or "" for kind in config.__mro__[:-1])
    for field in fields(config):
        assert f"{field.name}: " in documented, field.name


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
    "rule": "drs",
    "preset": "psa",
    "lr_steps": (3, 9),
    "scales": (1.0, 0.5),
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
    ("evaluate", "localisation"): {"what": "attention"},
    ("evaluate", "threshold_from"): {"what": "attention"},
    ("segment", "attention"): {"prohibitive": True},
    ("crf", "logits"): {"scores": Path("somewhere")},
    ("train", "acol_threshold"): {"method": "acol"},
    **{("train", f"gain_{name}"): {"method": "gain"} for name in ("sigma", "omega", "alpha")},
    ("proxy", "second_saliency"): {"rule": "dcsp"},
    ("proxy", "attention_cut"): {"rule": "oaa"},
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
    config_type = STAGES[stage][1]
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
    value = _other(name, default)
    value = Path(value) if "Path" in annotation else value
    along = ALONG.get((stage, name), {})
    extra = [part for one, said in along.items() for part in _arguments(one, said)]
    outcome = wsss(stage, *_arguments(name, value), *extra, "--json")
    assert outcome.code == 0, outcome.err
    expected = replace(config_type(), **{name: value, **along})
    assert received == [expected]
    assert getattr(expected, name) != default


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("train --iterations 0", "--iterations must be above 0"),
        ("train --lr 0", "--lr must be above 0"),
        ("train --lr nan", "--lr must be finite"),
        ("train --momentum 1", "--momentum must be in [0, 1)"),
        ("train --delta-low 0.8", "--delta-low must be below --delta-high"),
        ("train --delta-background 0", "--delta-background must be above 0"),
        ("train --delta-background 1.1", "--delta-background must be above 0 and at most 1"),
        (
            "train --delta-background 0.1 --no-background-branch",
            "--delta-background is of S_C, which --no-background-branch leaves out",
        ),
        ("train --lr-steps 9 --lr-steps 3", "--lr-steps must be ascending"),
        ("train --frozen-blocks 5", "--frozen-blocks must be 0 to 4"),
        ("train --method gradcam", "--method must be one of cam, aepsl, acol, gain, seenet, not"),
        ("segment --checkpoint a.pt --tensorboard", "--tensorboard is of a training"),
        ("train --held-out 0.6", "--held-out must be between 0 and 0.5"),
        ("train --held-out -0.1", "--held-out must be between 0 and 0.5"),
        ("train --head-channels 0", "--head-channels must be above 0"),
        (
            "train --method acol --acol-threshold 0",
            "--acol-threshold must be above 0 and at most 1",
        ),
        (
            "train --method acol --acol-threshold 1.1",
            "--acol-threshold must be above 0 and at most 1",
        ),
        ("train --method gain --gain-sigma 1.1", "--gain-sigma must be in [0, 1]"),
        ("train --method gain --gain-omega 0", "--gain-omega must be above 0"),
        ("train --method gain --gain-alpha -1", "--gain-alpha must be 0 or more"),
        ("train --backbone resnet", "--backbone must be one of vgg16, tiny"),
        ("train --seed -1", "--seed"),
        ("train --workers -1", "--workers must be 0 or more"),
        ("train --amp on", "--amp must be one of auto, off"),
        ("attend --size 16", "--size must be 32 or more"),
        ("attend --labels none", "--labels must be one of given, predicted, not 'none'"),
        ("attend --scales 0", "--scales must be above 0"),
        ("attend --scales nan", "--scales must be above 0"),
        ("attend --scales 0.1", "--scales must leave 32 pixels or more of --size 224; they leave"),
        ("attend --scales 1 --scales 1", "--scales must give different sizes each"),
        ("train --gain-sigma 0.1", "--gain-sigma belongs to the method gain, not to seenet; leave"),
        ("train --method cam --no-sign-flip", "--sign-flip belongs to the method seenet, not to"),
        ("attend --device tpu", "--device must be auto, cpu, cuda or cuda:N, not 'tpu'"),
        ("train --erase-threshold 1.5", "--erase-threshold must be in [0, 1]"),
        ("attend --batch-size 0", "--batch-size must be above 0"),
        ("proxy --w 0", "--w must be above 0"),
        ("proxy --rule pinoche", "--rule must be one of seenet, dcsp, oaa, drs, irn, threshold"),
        ("proxy --ignore-conflicts 1.5", "--ignore-conflicts must be in [0, 1]"),
        ("segment --scale-low 2", "--scale-low must be at most --scale-high"),
        ("segment --supervision weak", "--supervision must be one of proxy, full"),
        ("segment --model unet", "--model must be one of deeplab-largefov-vgg16,"),
        ("segment --scales 0", "--scales must be above 0 and at most 16"),
        ("segment --scales 1 --scales 1", "--scales must be different numbers"),
        ("segment --merge sum", "--merge must be one of mean, max, not 'sum'"),
        ("segment --crf bilateral", "--crf must be one of largefov, deeplab-v2, psa, irn, oaa"),
        ("segment --attention a.h5", "--attention is read with --prohibitive only"),
        ("proxy --crf cnf", "--crf must be one of largefov, deeplab-v2, psa, irn, oaa, dcsp, not"),
        ("proxy --rule irn --crf irn", "--crf would be a second one: the rule irn has a CRF of"),
        ("crf --preset cnf", "--preset must be one of largefov, deeplab-v2, psa, irn, oaa, dcsp"),
        ("crf --iterations 0", "--iterations must be 1 or more"),
        ("crf --bilateral-xy 0", "--bilateral-xy must be finite and above 0"),
        ("crf --gaussian-weight -1", "--gaussian-weight must be finite and 0 or more"),
        ("crf --logits", "--logits tells what a folder holds; give it with --scores DIR"),
        ("evaluate --what maps", "--what must be one of prediction, crf, proxy, attention"),
        ("evaluate --predicted-ignore no", "--predicted-ignore must be one of false-negative"),
        ("evaluate --attention a.h5", "--attention is scored with --what attention, or"),
        ("evaluate --localisation", "--localisation is for --what attention"),
        ("evaluate --threshold-from r", "--threshold-from is for --what attention"),
        ("evaluate --what attention --boundaries", "--boundaries is of label maps"),
        ("evaluate --what attention --pred p", "--pred is a folder of label maps"),
    ],
)
def test_impossible_setting_is_a_usage_error_that_names_its_option(
    wsss: Command, arguments: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.pt", "a.h5"):  # a path that does not exist would be named first
        (tmp_path / name).touch()
    for name in ("r", "p"):
        (tmp_path / name).mkdir()
    outcome = wsss(*arguments.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert named in outcome.err
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
