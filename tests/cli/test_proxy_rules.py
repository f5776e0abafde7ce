"""``wsss proxy --rule``: each rule with its own options and saliency maps."""

import inspect
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, Command, TinyVoc, classes_of
from PIL import Image

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.common import settings
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import RULES, RuleOptions, maps_of, options_of
from wsss_cli.configs.setting import settings_of
from wsss_cli.errors import UsageError
from wsss_cli.ops import proxy_labels
from wsss_cli.stages import proxy
from wsss_cli.tracking import Silent

FROM_ATTENTION = [name for name, rule in RULES.items() if not rule.revises]


@pytest.mark.parametrize("name", FROM_ATTENTION)
def test_a_rules_function_takes_what_the_table_says(name: str) -> None:
    parameters = set(inspect.signature(proxy_labels.rule_function(name)).parameters)
    last = "photograph" if RULES[name].sees_image else "decide"
    afterwards = {"ignore_conflicts", "ignore_salient"}
    options = {*maps_of(name), *options_of(name)} - afterwards
    second = {"potential"} if name == "nsrom" else set()
    assert parameters == {"attention", "class_ids", *options, *second, last}


@pytest.mark.parametrize("name", [n for n in FROM_ATTENTION if maps_of(n, needed=True)])
def test_the_table_tells_which_rules_leave_the_mask_and_ignore(name: str) -> None:
    attention, saliency = torch.zeros(1, 8, 8), torch.full((8, 8), 0.05)
    saliency[:4], saliency[4] = 1.0, 0.14
    attention[0, 2:6, 2:6] = 1.0  # sure inside, outside where saliency is faint, and beyond
    potential = {"potential": attention} if name == "nsrom" else {}
    label_map = proxy_labels.rule_function(name)(
        attention, torch.tensor([2]), saliency, **potential
    )
    assert label_map[2, 3] == 2
    assert bool((label_map[4, 2:6] == 2).all()) == RULES[name].leaves_mask
    assert bool((label_map == 255).any()) == RULES[name].ignores


def test_every_option_belongs_to_rules_that_there_are() -> None:
    owners = {rule for _, about in settings_of(RuleOptions) for rule in about.of}
    assert owners <= set(RULES)
    assert all(about.of for _, about in settings_of(RuleOptions))


@pytest.mark.parametrize(
    ("option", "rule", "default"),
    [
        ("background_score", "dcsp", "dcsp 0.4"),
        ("background_score", "threshold", "threshold 0.3"),
        ("attention_cut", "beyond", "beyond 0.5"),
        ("attention_cut", "oaa", "oaa 0.3"),
        ("attention_cut", "drs", "drs 0.2"),
    ],
)
def test_help_tells_each_rules_own_default(
    wsss: Command, option: str, rule: str, default: str
) -> None:
    function = proxy_labels.rule_function(rule)
    assert f"{rule} {inspect.signature(function).parameters[option].default}" == default
    assert default in " ".join(wsss("proxy", "--help").out.split())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--rule oaa --w 1", "--w belongs to --rule seenet or beyond, not to oaa; leave it out"),
        (
            "--attention-cut 0.5",
            "--attention-cut belongs to --rule beyond, oaa or drs, not to seenet",
        ),
        ("--rule drs --background-score 0.5", "belongs to --rule dcsp or threshold"),
        ("--rule oaa --second-saliency s", "--second-saliency belongs to --rule dcsp"),
        (
            "--rule threshold --saliency s",
            "--saliency belongs to --rule seenet, beyond, dcsp, oaa, nsrom, masked or",
        ),
        ("--rule threshold --ignore-salient 0.5", "--ignore-salient belongs to --rule seenet"),
        ("--rule drs --attention-floor 0", "--attention-floor belongs to --rule seenet"),
        ("--rule drs --ignore-conflicts 0.7", "--ignore-conflicts belongs to --rule"),
        ("--rule dcsp --background-score 1.5", "--background-score must be from 0 to 1"),
        ("--rule oaa --attention-cut nan", "--attention-cut must be finite"),
    ],
)
def test_option_of_another_rule_is_refused_in_a_sentence(
    wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, named: str
) -> None:
    (tmp_path / "s").mkdir()  # a path that does not exist would be named first
    monkeypatch.chdir(tmp_path)
    outcome = wsss("proxy", *arguments.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert named in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("rule", [name for name in RULES if maps_of(name, needed=True)])
def test_rule_that_needs_saliency_says_so(wsss: Command, attention: Path, rule: str) -> None:
    outcome = wsss("proxy", "--rule", rule, "--attention", attention)
    assert outcome.code == 2
    assert all(fact in outcome.err for fact in (f" {rule} ", "--saliency DIR"))


def test_rule_that_looks_at_the_photographs_says_so(
    wsss: Command, attention: Path, own_voc: TinyVoc, tmp_path: Path
) -> None:
    arguments = ["proxy", "--rule", "irn", "--attention", attention, "--run", tmp_path / "run"]
    outcome = wsss(*arguments)
    assert outcome.code == 2
    assert all(fact in outcome.err for fact in (" irn ", "--data"))
    own_voc.image(own_voc.train_ids[3]).unlink()
    outcome = wsss(*arguments, "--data", own_voc.root)
    assert outcome.code == 1
    assert own_voc.train_ids[3] in outcome.err


@pytest.fixture(scope="module")
def attention(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random attention of every training image, at its size."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("attention") / "a.h5"
    with h5py.File(path, "w") as file:
        for index, image_id in enumerate(voc.train_ids):
            class_ids = [column + 1 for column in classes_of(index)]
            maps = rng.random((len(class_ids), HEIGHT, WIDTH)) ** 0.5
            file[f"{image_id}/maps"], file[f"{image_id}/class_ids"] = maps, class_ids
    return path


def _config(voc: TinyVoc, attention: Path, run: Path, rule: str) -> ProxyConfig:
    saliency = voc.saliency if maps_of(rule, needed=True) else None
    return ProxyConfig(run=run, data=voc.root, attention=attention, saliency=saliency, rule=rule)


def _second(voc: TinyVoc, folder: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """Maps of a second pass that find the left half, at 0.4 of full strength."""
    folder.mkdir()
    grey = np.zeros(size[::-1], np.uint8)
    grey[:, : size[0] // 2] = 102
    for image_id in voc.train_ids:
        Image.fromarray(grey).save(folder / f"{image_id}.png")
    return folder


SETTINGS = {
    "seenet": {"attention_floor": 0.4, "w": 3.0},
    "beyond": {"attention_floor": 0.4, "w": 3.0, "attention_cut": 0.7},
    "dcsp": {"background_score": 0.2},
    "oaa": {"attention_cut": 0.6},
    "drs": {"attention_cut": 0.6},
    "nsrom": {},
    "threshold": {"background_score": 0.6},
    "irn": {},
}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("rule", FROM_ATTENTION)
def test_labels_are_those_of_the_rules_function(
    voc: TinyVoc, attention: Path, tmp_path: Path, rule: str, given: bool
) -> None:
    chosen = SETTINGS[rule] if given else {}
    config = replace(_config(voc, attention, tmp_path / "run", rule), **chosen)
    if rule == "dcsp" and given:
        config = replace(config, second_saliency=_second(voc, tmp_path / "second"))
    proxy.run(config, track=Silent())
    function = proxy_labels.rule_function(rule)
    settings = {"attention_floor": 0.1, **chosen} if rule in ("seenet", "beyond") else chosen
    labels: set[int] = set()
    with AttentionFile(attention) as file:
        for image_id in voc.train_ids:
            given_maps = file.read(image_id)
            grey_maps = [
                torch.from_numpy(np.array(Image.open(folder / f"{image_id}.png"))).float() / 255
                for folder in (config.saliency, config.second_saliency)
                if folder is not None
            ]
            maps = torch.from_numpy(given_maps.maps.astype(np.float32))
            class_ids = torch.from_numpy(given_maps.class_ids)
            if rule == "nsrom":
                settings = {**settings, "potential": maps}
            if RULES[rule].sees_image:
                image = np.array(Image.open(voc.image(image_id)))
                settings = {**settings, "photograph": torch.from_numpy(image)}
            expected = function(maps, class_ids, *grey_maps, **settings).numpy()
            found = read_label_map(tmp_path / "run" / "proxy" / "labels" / f"{image_id}.png")
            assert np.array_equal(found, expected)
            labels |= set(np.unique(found).tolist())
    assert labels >= {0, 1, 2, 3}
    if rule != "irn":  # whose CRF leaves no doubt in pictures so small
        assert (255 in labels) == (rule in ("oaa", "nsrom", "drs"))


class _Notes(Silent):
    """Keeps the remarks."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def test_dcsp_notes_once_that_it_has_no_second_saliency(
    voc: TinyVoc, attention: Path, tmp_path: Path
) -> None:
    config = _config(voc, attention, tmp_path / "run", "dcsp")
    alone, both = _Notes(), _Notes()
    proxy.run(config, track=alone)
    assert len(alone.notes) == 1
    assert "without --second-saliency" in alone.notes[0]
    second = _second(voc, tmp_path / "second")
    proxy.run(replace(config, second_saliency=second, overwrite=True), track=both)
    assert not both.notes
    inputs = read_manifest(tmp_path / "run" / "proxy")["inputs"]
    assert inputs.keys() == {"attention", "saliency", "second_saliency"}


def test_second_saliency_of_another_size_is_resized_and_said_once(
    voc: TinyVoc, attention: Path, tmp_path: Path
) -> None:
    second = _second(voc, tmp_path / "second", size=(32, 24))
    config = _config(voc, attention, tmp_path / "run", "dcsp")
    track = _Notes()
    report = proxy.run(replace(config, second_saliency=second), track=track)
    assert report.values["saliency_resized"] == 12
    assert len(track.notes) == 1
    assert "resized" in track.notes[0]
    for image_id in voc.train_ids[:3]:
        (tmp_path / "run" / "proxy" / "labels" / f"{image_id}.png").unlink()
    again = proxy.run(replace(config, second_saliency=second), track=track)
    assert (again.values["written"], again.values["saliency_resized"]) == (3, 12)


def test_missing_second_saliency_is_listed(
    wsss: Command, voc: TinyVoc, attention: Path, tmp_path: Path
) -> None:
    second = _second(voc, tmp_path / "second")
    gone = voc.train_ids[::3]
    for image_id in gone:
        (second / f"{image_id}.png").unlink()
    source = ["--attention", attention, "--saliency", voc.saliency]
    outcome = wsss(
        "proxy", "--rule", "dcsp", "--run", tmp_path / "run", *source, "--second-saliency", second
    )
    assert outcome.code == 1
    for text in (f"--second-saliency {second}", "4 of 12", *gone):
        assert text in outcome.err
    assert not (tmp_path / "run" / "proxy").exists()


def test_another_second_saliency_is_another_result(
    voc: TinyVoc, attention: Path, tmp_path: Path
) -> None:
    second = _second(voc, tmp_path / "second")
    config = _config(voc, attention, tmp_path / "run", "dcsp")
    config = replace(config, second_saliency=second)
    assert not proxy.run(config, track=Silent()).up_to_date
    assert proxy.run(config, track=Silent()).up_to_date
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(second / f"{voc.train_ids[0]}.png")
    with pytest.raises(UsageError, match="input second_saliency"):
        proxy.run(config, track=Silent())
    with pytest.raises(UsageError, match=r"background_score None there, 0\.2 now"):
        proxy.run(replace(config, background_score=0.2), track=Silent())


def test_identity_of_a_result_is_that_of_its_own_rule() -> None:
    """A new rule's options must not make the labels of the others look different."""
    expected = {
        "seenet": {"w", "attention_floor", "ignore_conflicts", "ignore_salient"},
        "beyond": {"w", "attention_floor", "attention_cut"},
        "dcsp": {"background_score", "ignore_conflicts"},
        "oaa": {"attention_cut"},
        "nsrom": set(),
        "masked": set(),
        "drs": {"attention_cut"},
        "irn": set(),
        "threshold": {"background_score", "ignore_conflicts"},
    }
    assert expected.keys() == RULES.keys()
    for name, options in expected.items():
        assert settings(ProxyConfig(rule=name)).keys() == {"rule", *options}


def test_crf_decides_by_the_photographs_and_names_them_as_an_input(
    wsss: Command, own_voc: TinyVoc, attention: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    asked = ["proxy", "--attention", attention, "--rule", "threshold", "--run", run, "--json"]
    refused = wsss(*asked, "--crf", "dcsp")
    assert refused.code == 2
    assert all(fact in refused.err for fact in ("--crf dcsp", "--data"))
    asked += ["--data", own_voc.root]
    assert wsss(*asked, "--crf", "dcsp").values["images"] == 12
    with AttentionFile(attention) as file:
        for image_id in file.image_ids:
            given = file.read(image_id)
            photograph = torch.from_numpy(np.array(Image.open(own_voc.image(image_id))))
            decide = partial(
                proxy_labels.refined_label, photograph=photograph, settings=PRESETS["dcsp"]
            )
            expected = proxy_labels.threshold_proxy(
                torch.from_numpy(given.maps.astype(np.float32)),
                torch.from_numpy(given.class_ids),
                decide=decide,
            )
            found = read_label_map(run / "proxy" / "labels" / f"{image_id}.png")
            assert np.array_equal(found, expected.numpy())
    manifest = read_manifest(run / "proxy")
    assert manifest["settings"]["crf"] == "dcsp"
    assert manifest["inputs"].keys() == {"attention", "images"}
    assert "crf dcsp there, None now" in wsss(*asked).err
    assert "crf dcsp there, oaa now" in wsss(*asked, "--crf", "oaa").err
    with own_voc.image(own_voc.train_ids[3]).open("ab") as file:
        file.write(b"\xff\xd9")
    assert "input images" in wsss(*asked, "--crf", "dcsp").err


def test_a_second_attention_is_of_the_same_images_and_classes(
    wsss: Command, voc: TinyVoc, attention: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    asked = ["proxy", "--attention", attention, "--saliency", voc.saliency, "--data", voc.root]
    asked += ["--rule", "nsrom", "--run", run]
    assert wsss(*asked).code == 0
    other = tmp_path / "other.h5"
    shutil.copy(attention, other)
    outcome = wsss(*asked, "--potential-attention", other, "--json")
    assert outcome.values["status"] == "up to date"  # the same content under another name
    with h5py.File(other, "r+") as file:
        for image_id in file:
            ids = file[image_id]["class_ids"][()]
            maps = file[image_id]["maps"][()]
            del file[image_id]["class_ids"], file[image_id]["maps"]
            file[image_id]["class_ids"] = ids[::-1].copy()  # in another order
            file[image_id]["maps"] = maps[::-1].copy()
    first = run / "proxy" / "labels"
    again = tmp_path / "again"
    assert wsss(*asked[:-1], again, "--potential-attention", other).code == 0
    for path in first.glob("*.png"):
        label_map = read_label_map(again / "proxy" / "labels" / path.name)
        assert np.array_equal(label_map, read_label_map(path))
    with h5py.File(other, "r+") as file:
        del file[voc.train_ids[3]]
    outcome = wsss(*asked[:-1], tmp_path / "third", "--potential-attention", other)
    assert outcome.code == 1
    assert voc.train_ids[3] in outcome.err
    shutil.copy(attention, other)
    with h5py.File(other, "r+") as file:
        ids = file[voc.train_ids[0]]["class_ids"]
        ids[0] = 3 if ids[0] != 3 else 2
    outcome = wsss(*asked[:-1], tmp_path / "fourth", "--potential-attention", other)
    assert outcome.code == 1
    assert voc.train_ids[0] in outcome.err
    assert "--potential-attention" in outcome.err


def test_a_second_round_merges_the_prediction_of_the_first(
    wsss: Command, voc: TinyVoc, attention: Path, tmp_path: Path
) -> None:
    run, predictions = tmp_path / "run", tmp_path / "predictions"
    asked = ["proxy", "--attention", attention, "--saliency", voc.saliency, "--data", voc.root]
    asked += ["--rule", "masked", "--run", run]
    outcome = wsss(*asked)
    assert outcome.code == 2
    assert "--prediction" in outcome.err
    rng = np.random.default_rng(0)
    predictions.mkdir()
    for image_id in voc.train_ids[1:]:
        label_map = rng.integers(0, 4, (HEIGHT, WIDTH), np.uint8)
        label_map[: HEIGHT // 2] = 0
        write_label_map(predictions / f"{image_id}.png", label_map)
    asked += ["--prediction", predictions]
    outcome = wsss(*asked)
    assert outcome.code == 1
    assert "--prediction" in outcome.err
    assert voc.train_ids[0] in outcome.err
    missing = predictions / f"{voc.train_ids[0]}.png"
    for wrong in (np.full((HEIGHT, WIDTH), 7, np.uint8), np.zeros((WIDTH, HEIGHT), np.uint8)):
        write_label_map(missing, wrong)
        outcome = wsss(*asked, "--overwrite")
        assert outcome.code == 1
        assert str(missing) in outcome.err
    write_label_map(missing, np.zeros((HEIGHT, WIDTH), np.uint8))
    assert wsss(*asked, "--overwrite").code == 0
    with AttentionFile(attention) as file:
        for image_id in voc.train_ids:
            maps = torch.from_numpy(file.read(image_id).maps.astype(np.float32))
            class_ids = torch.from_numpy(file.read(image_id).class_ids)
            grey = np.array(Image.open(voc.saliency / f"{image_id}.png"))
            saliency = torch.from_numpy(grey).float() / 255
            expected = proxy_labels.masked_proxy(
                proxy_labels.nsrom_proxy(maps, class_ids, saliency, maps),
                torch.from_numpy(read_label_map(predictions / f"{image_id}.png").copy()),
                saliency,
                class_ids,
            )
            label_map = read_label_map(run / "proxy" / "labels" / f"{image_id}.png")
            assert np.array_equal(label_map, expected.numpy())
    assert wsss(*asked, "--json").values["status"] == "up to date"
    assert wsss(*asked[:-3], tmp_path / "dry", *asked[-2:], "--dry-run").code == 0
    states = wsss("show", run, "--json").values
    write_label_map(missing, np.ones((HEIGHT, WIDTH), np.uint8))
    assert wsss("show", run, "--json").values != states
    assert "prediction" in wsss(*asked).err


def test_without_saliency_a_rule_is_taken_that_needs_none_and_is_said(
    wsss: Command, voc: TinyVoc, attention: Path, tmp_path: Path
) -> None:
    asked = ["proxy", "--attention", attention, "--data", voc.root]
    for number, (more, rule) in enumerate(
        [([], "irn"), (["--crf", "dcsp"], "threshold"), (["--saliency", voc.saliency], "seenet")]
    ):
        run = tmp_path / str(number)
        outcome = wsss(*asked, "--run", run, *more)
        assert outcome.code == 0, outcome.err
        manifest = json.loads((run / "proxy" / "manifest.json").read_text())
        assert manifest["settings"]["rule"] == rule
        assert (f"the rule is {rule}" in outcome.err) == (rule != "seenet")
        assert ("--saliency" in outcome.err) == (rule != "seenet")
        assert "up to date" in wsss(*asked, "--run", run, *more).out


def test_redrawn_attention_is_cut_by_a_threshold_where_there_is_no_saliency(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    attend = ["attend", "--checkpoint", trained / "train" / "checkpoint.pt", "--data", voc.root]
    attend += ["--run", tmp_path / "redrawn", "--size", "64", "--colour-steps", "2"]
    assert wsss(*attend).code == 0
    attention = tmp_path / "redrawn" / "attend" / "attention.h5"
    for run, given in (("redrawn", []), ("other", ["--attention", attention, "--data", voc.root])):
        assert wsss("proxy", "--run", tmp_path / run, *given).code == 0
        manifest = json.loads((tmp_path / run / "proxy" / "manifest.json").read_text())
        assert manifest["settings"]["rule"] == "threshold"
