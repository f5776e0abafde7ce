"""An option that changes nothing beside the others is refused where a command line gives it."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc

import wsss_cli
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.cli.comparison_file import read_comparison
from wsss_cli.configs.common import record
from wsss_cli.configs.compare import CompareConfig
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.presets import configured
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import RULES
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.setting import Config, option, settings_of
from wsss_cli.configs.stages import CHAIN
from wsss_cli.errors import UsageError

FILE = Path("there")
LEARNING_EDGES = {
    *("backbone", "weights", "iterations", "batch_size", "crop", "lr", "weight_decay", "radius"),
    "checkpoint_every",
}
WALKING = {"walk_radius", "beta", "steps"}
TRAINING = {
    *("proxy", "corrected", "pixel_weights", "label_correction", "train_split", "supervision"),
    *("prohibitive", "attention", "iterations", "batch_size", "accumulate", "lr", "momentum"),
    *("weight_decay", "crop", "scale_low", "scale_high", "frozen_blocks", "weights", "tracker"),
    *("checkpoint_every", "heads_only", "head_channels", "preset"),
}
POLY = {"lr_policy": "poly"}
ONE_VIEW: dict[str, Any] = {"scales": (1.0,), "flip": False}

# What each way to run a stage leaves without effect, beside the options of other methods and rules.
WAYS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("train", {}, {"erase_threshold"}),
    ("train", {"erase": FILE}, set()),
    ("train", {"erase": FILE, "heads_only": True}, {"frozen_blocks"}),
    ("train", {"erase": FILE, **POLY}, {"lr_steps"}),
    ("train", {"erase": FILE, "background_branch": False}, {"share_background_head"}),
    *(
        (
            "train",
            {"method": name, "erase": FILE},
            set() if entry.hidden_layers else {"head_channels"},
        )
        for name, entry in METHODS.items()
    ),
    ("attend", {}, set()),
    ("attend", {"model": FILE}, set()),
    ("saliency", {"model": "there"}, set()),
    ("saliency", {"model": "unsupervised"}, set()),
    ("proxy", {}, set()),
    ("proxy", {"saliency": FILE}, {"device"}),
    ("proxy", {"saliency": FILE, "crf": "psa"}, set()),
    *(
        ("proxy", {"rule": name}, set() if rule.sees_image else {"device"})
        for name, rule in RULES.items()
        if name != ProxyConfig.rule
    ),
    ("refine", {"edges": True}, set()),
    ("refine", {"checkpoint": FILE}, LEARNING_EDGES),
    ("refine", {"regions": FILE}, LEARNING_EDGES | WALKING | {"device", "amp"}),
    ("segment", {}, set()),
    ("segment", {"supervision": "full"}, {"proxy"}),
    ("segment", {"heads_only": True}, {"frozen_blocks"}),
    ("segment", {"checkpoint": FILE}, TRAINING),
    ("segment", ONE_VIEW, set()),
    ("crf", {}, set()),
    ("evaluate", {}, {"saliency"}),
    ("evaluate", {"baselines": True}, set()),
    ("evaluate", {"what": "proxy", "baselines": True}, set()),
    ("evaluate", {"what": "attention", "baselines": True}, {"predicted_ignore"}),
    ("predict", {"checkpoint": FILE, "photos": ("there",), "out": Path("new")}, set()),
]


def _of_others(stage: str, way: dict[str, Any]) -> set[str]:
    """The options of methods or rules that are not the chosen one."""
    config: Any = CHAIN[stage](**way)
    chosen = getattr(config, config.chosen_by) if config.chosen_by else None
    return {f.name for f, about in settings_of(type(config)) if about.of and chosen not in about.of}


@pytest.mark.parametrize(("stage", "way", "names"), WAYS)
def test_each_way_to_run_a_stage_leaves_these_without_effect(
    stage: str, way: dict[str, Any], names: set[str]
) -> None:
    config: Any = CHAIN[stage](**way)
    assert config.without_effect().keys() == names | _of_others(stage, way)


@pytest.mark.parametrize(("stage", "way", "names"), WAYS)
def test_what_leaves_the_fingerprint_in_some_way_is_told(
    stage: str, way: dict[str, Any], names: set[str]
) -> None:
    config: Any = CHAIN[stage](**way)
    plain: Any = CHAIN[stage]() if stage != "predict" else config
    # Kept to, whatever was given: any seed where nothing is random, any merging of a single view.
    assert config.idle() - plain.idle() - names <= {"seed", "merge"}


# A value for each option, where neither of those below is allowed.
VALUES = {
    "device": "cpu",
    "amp": "off",
    "backbone": "tiny",
    "weights": "none",
    "supervision": "full",
    "label_correction": "adele",
    "tracker": "tensorboard",
    "predicted_ignore": "excluded",
    "momentum": "0.5",
    "scale_low": "0.5",
    "erase_threshold": "0.5",
    "crop": "64",
}


def _typed(config: type[Config], name: str) -> list[str]:
    """The option with some value that the config allows."""
    field = config.__dataclass_fields__[name]
    if isinstance(field.default, bool):
        return [f"--no-{option(name)[2:]}" if field.default else option(name)]
    return [option(name), VALUES.get(name, "there" if "Path" in str(field.type) else "2")]


def _way(way: dict[str, Any]) -> list[str]:
    """The settings as a command line has them; a file's name as an argument where it is one."""
    words: list[str] = []
    for name, value in way.items():
        if "photos" in way and name in ("checkpoint", "photos"):
            words.append(str(FILE))
        elif isinstance(value, bool):
            words.append(option(name) if value else f"--no-{option(name)[2:]}")
        else:
            words += [option(name), str(value[0] if isinstance(value, tuple) else value)]
    return words


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, where there is a file of the name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / FILE).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("stage", "way", "name"),
    [(stage, way, name) for stage, way, names in WAYS for name in sorted(names)],
)
def test_a_command_line_that_gives_it_is_refused(
    wsss: Command, there: Path, stage: str, way: dict[str, Any], name: str
) -> None:
    outcome = wsss(stage, *_way(way), *_typed(CHAIN[stage], name))
    assert outcome.code == 2, outcome.err
    sentence = outcome.err.splitlines()[-1]
    assert sentence.startswith(f"error: {option(name)} "), sentence
    assert not list(there.glob("runs"))


# Options that most stages have, and the stages in which nothing depends on them.
LACKING = [
    *((stage, "device") for stage in ("saliency", "evaluate")),
    *((stage, "amp") for stage in ("saliency", "proxy", "crf", "evaluate")),
    *((stage, "seed") for stage in ("attend", "saliency", "proxy", "crf", "predict")),
    ("evaluate", "overwrite"),
]


def test_stages_lack_the_options_that_nothing_in_them_depends_on() -> None:
    names = {"device", "amp", "workers", "overwrite", "seed"}
    lacking = {(s, n) for s, c in CHAIN.items() for n in names - c.__dataclass_fields__.keys()}
    assert lacking == set(LACKING)


@pytest.mark.parametrize(("stage", "name"), LACKING)
def test_an_option_given_to_every_stage_is_refused_where_it_changes_nothing(
    wsss: Command, there: Path, stage: str, name: str
) -> None:
    value = {"overwrite": [], "amp": ["off"], "device": ["cpu"]}.get(name, ["2"])
    needed = [FILE, FILE, "--out", "new"] if stage == "predict" else []
    outcome = wsss(stage, *needed, option(name), *value)
    assert outcome.code == 2
    says = f"{option(name)}, which would change nothing that wsss {stage} does; leave it out"
    assert outcome.err.endswith(f"No such option: {says}\n")
    (there / "wsss.toml").write_text(f"[{stage}]\n{name} = 2\n")
    outcome = wsss(stage, *needed, "--config", "wsss.toml")
    assert outcome.code == 2
    assert f"[{stage}] has no option {says[2:]}" in outcome.err
    with pytest.raises(UsageError, match="which would change nothing that wsss"):
        getattr(wsss_cli, stage)(**{name: 2})


@pytest.mark.parametrize("arguments", ["--eps-tau 0.4", "--gain-sigma 0.5", "--acol-threshold 0.6"])
def test_the_default_of_another_methods_option_is_refused_too(
    wsss: Command, arguments: str
) -> None:
    outcome = wsss("train", "--method", "cam", *arguments.split())
    assert outcome.code == 2
    assert "belongs to --method" in outcome.err


def test_a_file_of_defaults_may_have_what_a_command_has_no_use_for(
    wsss: Command, there: Path
) -> None:
    (there / "wsss.toml").write_text(
        "[segment]\nlr = 5.0\niterations = 7\nweights = 'none'\n[evaluate]\n"
        "predicted-ignore = 'background'\n"
    )
    for line in ("segment --checkpoint there", "evaluate --what attention"):
        outcome = wsss(*line.split(), "--config", "wsss.toml")
        assert "no effect" not in outcome.err
        assert "leave" not in outcome.err  # what it says is that there is no data set


def test_python_refuses_it_too_but_for_what_is_left_as_it_is(there: Path) -> None:
    with pytest.raises(UsageError, match="--lr is of a training"):
        wsss_cli.segment(checkpoint=FILE, lr=5.0)
    with pytest.raises(UsageError, match="--data"):
        wsss_cli.segment(checkpoint=FILE, proxy=None, prohibitive=False)


def test_where_the_preset_is_why_it_is_named(wsss: Command, there: Path) -> None:
    line = "train --preset quick --weights there --frozen-blocks 2"
    outcome = wsss(*line.split())
    assert outcome.code == 2
    assert "--preset quick sets --heads-only" in outcome.err
    with pytest.raises(UsageError, match="--preset quick sets --lr-policy"):
        configured("train", CHAIN["train"], {"preset": "quick", "lr_steps": (15000,)}, ["lr_steps"])


def test_commands_that_are_shown_have_none_of_it(there: Path) -> None:
    """They can be pasted, though what they made had defaults of a file, or shared a table."""
    config = SegmentConfig(checkpoint=there / FILE, lr=5.0, weights="none", crf="irn")
    command = recorded_command("segment", {"config": record(config)}, there / "run")
    assert shlex.split(command)[4:] == ["--checkpoint", str(there / FILE), "--crf", "irn"]
    file = there / "compared.toml"
    file.write_text(
        "[train]\nfrozen-blocks = 2\n[evaluate]\npredicted-ignore = 'excluded'\n"
        "[settings.a]\ntrain.heads-only = true\nproxy.rule = 'threshold'\n"
    )
    (run,) = read_comparison(CompareConfig(file=file, data=there, out=there / "out"))
    train, _, _, attention, labels = run.commands
    assert "--frozen-blocks" not in train
    assert "--predicted-ignore" not in attention
    assert "--predicted-ignore excluded" in labels
    assert run.train.frozen_blocks == 2


# Of the commands that are no stages: what is given, and the option of it that changes nothing.
BESIDE_STAGES = [
    ("suggest --overwrite", "--overwrite"),
    ("suggest --run there --data there --proxy there --attention there", "--run"),
    ("check there --data there --run there", "--run"),
    ("import there --data there --run there -o new.h5", "--run"),
    ("export there -o new --to yolo --parts", "--parts"),
    ("export there -o new --to yolo --no-parts", "--parts"),
    ("export there -o new --to cvat --polygons", "--polygons"),
    ("export there -o new --to coco --photographs /data/local-files/?d=", "--photographs"),
    ("show --methods there", "--methods"),
    ("show --methods --run there", "--methods"),
    ("show --methods --image x", "--methods"),
]


@pytest.mark.parametrize(("line", "name"), BESIDE_STAGES)
def test_commands_that_are_no_stages_refuse_it_too(
    wsss: Command, there: Path, line: str, name: str
) -> None:
    outcome = wsss(*line.split())
    if name == "--parts" and "--no-parts" not in line:  # a switch that stays where it is
        assert name not in outcome.err
        return
    assert outcome.code == 2, outcome.err
    sentence = outcome.err.splitlines()[-1]
    assert sentence.startswith(f"error: {name} "), sentence
    assert sentence.count(";") == 1, sentence


def test_a_variable_of_all_commands_is_no_option_in_vain(
    wsss: Command, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSSS_RUN", "there")
    for line in ("check there --data there", "import there --data there -o new.h5"):
        assert "--run" not in wsss(*line.split()).err
    assert wsss("show", "--methods").code == 0


def test_rounds_refuse_saliency_that_no_round_reads(
    wsss: Command, there: Path, voc: TinyVoc
) -> None:
    (there / "rounds.toml").write_text(
        "[train]\nmethod = 'cam'\n[proxy]\nrule = 'threshold'\n[[relabel]]\n"
    )
    line = ["rounds", "rounds.toml", "--data", voc.root, "--dry-run"]
    outcome = wsss(*line, "--saliency", voc.saliency)
    assert outcome.code == 2
    assert outcome.err.startswith("error: --saliency is read in no round of rounds.toml")
    (there / "rounds.toml").write_text("[train]\nmethod = 'cam'\n")
    assert "read in no round" not in wsss(*line, "--saliency", voc.saliency).err


def test_the_device_of_a_comparison_reaches_what_computes_on_it(there: Path) -> None:
    file = there / "compared.toml"
    file.write_text(
        "[proxy]\nrule = 'threshold'\n[settings.plain]\n[settings.snapped]\nproxy.crf = 'irn'\n"
    )
    settings = CompareConfig(file=file, data=there, out=there / "out", device="cpu")
    for run, labels_are_computed in zip(read_comparison(settings), (False, True), strict=True):
        train, attend, proxy, *scores = run.commands
        assert "--device cpu" in train
        assert "--device cpu" in attend
        assert ("--device cpu" in proxy) is labels_are_computed
        assert not any("--device" in command for command in scores)
