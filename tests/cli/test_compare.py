"""``wsss compare``: one table of several settings and seeds, stopped and continued at will."""

import csv
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, Outcome, TinyVoc
from PIL import Image

from wsss_cli.artifacts.feature_cache import bytes_of_features
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.chains import compare as chain
from wsss_cli.cli.comparison_file import read_comparison
from wsss_cli.configs.compare import CompareConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import DivergenceError
from wsss_cli.models.trunks import build_trunk
from wsss_cli.stages import evaluate
from wsss_cli.stages.kept_features import NetworkOnFeatures
from wsss_cli.stages.train import TrainPlan, features, training

SHARED = """
seeds = [0, 1]
[train]
backbone = "tiny"
iterations = 10
lr-steps = [8]
batch-size = 4
crop = 32
lr = 0.02
amp = "off"
[attend]
size = 32
amp = "off"
"""
SETTINGS = """
[settings.SeeNet]
[settings."SeeNet without S_C"]
train.background-branch = false
attend.flip = false
"""
RUNS = [f"{name}/seed-{seed}" for name in ("seenet", "seenet-without-s-c") for seed in (0, 1)]


def _arguments(voc: TinyVoc, folder: Path, text: str = SHARED + SETTINGS) -> list[str]:
    file = folder / "methods.toml"
    file.write_text(text)
    places = ["--data", voc.root, "--saliency", voc.saliency, "--out", folder / "out"]
    return ["compare", str(file), *map(str, places), "--workers", "1"]


@pytest.fixture(scope="module")
def compared(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished comparison; tests only read it."""
    from wsss_cli.cli.app import app

    folder = tmp_path_factory.mktemp("compare")
    with pytest.raises(SystemExit) as stop:
        app([*_arguments(voc, folder), "-q"])
    assert not stop.value.code
    return folder


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_ino, path.stat().st_size) for path in paths}


def _refused(outcome: Outcome, code: int, *parts: object) -> None:
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    assert "Traceback" not in outcome.err
    assert "--debug" not in outcome.err
    for part in parts:
        assert str(part) in lines[-1]


def test_diverged_training_names_the_place_of_its_rate(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise DivergenceError("the loss became nan", 5, None)

    monkeypatch.setattr("wsss_cli.stages.train.run", diverge)
    outcome = wsss(*_arguments(voc, tmp_path))
    _refused(outcome, 1, "the loss became nan", 'train.lr of the setting "SeeNet"')
    outcome = wsss(*_arguments(voc, tmp_path, SHARED + "[start]\nlr = 1.0\n" + SETTINGS))
    _refused(outcome, 1, "the loss became nan", "lr in the table [start]")


def test_table_holds_every_setting_with_its_seeds(compared: Path) -> None:
    found = json.loads((compared / "out" / "compare.json").read_text())
    assert [row["setting"] for row in found["rows"]] == ["SeeNet", "SeeNet without S_C"]
    assert (found["seeds"], found["images"]) == ([0, 1], 12)
    for row in found["rows"]:
        assert [len(cell["values"]) for cell in row["scores"].values()] == [2] * 7
        assert all(cell["values"][0] is not None for cell in row["scores"].values())
    assert [set(losses) for losses in found["rows"][0]["losses"]] == [{"a", "b", "c"}] * 2
    assert [set(losses) for losses in found["rows"][1]["losses"]] == [{"a", "b"}] * 2
    lines = list(csv.DictReader((compared / "out" / "compare.csv").open()))
    assert [line["setting"] for line in lines] == ["SeeNet", "SeeNet without S_C"]
    assert "| SeeNet without S_C |" in (compared / "out" / "compare.md").read_text()


def test_every_run_is_an_ordinary_one_and_its_scores_are_those_of_evaluate(
    wsss: Command, compared: Path, tmp_path: Path
) -> None:
    rows = json.loads((compared / "out" / "compare.json").read_text())["rows"]
    for place, name in enumerate(RUNS):
        run = Path(shutil.copytree(compared / "out" / name, tmp_path / name))
        shown = wsss("show", run, "--json").values
        assert {stage: s["status"] for stage, s in shown["stages"].items()} == dict.fromkeys(
            ("train", "attend", "proxy"), "complete"
        )
        scores = {n: cell["values"][place % 2] for n, cell in rows[place // 2]["scores"].items()}
        attention = wsss("evaluate", "--run", run, "--what", "attention", "--json").values
        labels = wsss("evaluate", "--run", run, "--what", "proxy", "--baselines", "--json").values
        curve = attention["curve"]
        assert scores["classification_map"] == attention["classification_map"]
        assert scores["attention_best"] == attention["miou"]
        assert attention["miou"] == pytest.approx(max(curve["miou"]), abs=1e-6)
        assert scores["attention_fixed"] == curve["miou"][curve["thresholds"].index(0.3)]
        assert scores["background_lit"] == attention["background_lit_at_recall"]
        assert scores["proxy"] == labels["miou"]
        assert scores["painted_saliency"] == labels["baselines"]["saliency_best_label"]
        training = shown["stages"]["train"]["counts"]
        assert scores["seconds_per_iteration"] == 1 / training["rate"]
        assert 10 / training["rate"] < training["seconds"] + 0.05  # which is rounded


def test_commands_below_the_table_make_the_row(
    wsss: Command, compared: Path, tmp_path: Path
) -> None:
    """Run as they stand, but for the folder, they say that they have nothing to do."""
    shutil.copytree(compared / "out", tmp_path / "out")
    for row in json.loads((compared / "out" / "compare.json").read_text())["rows"]:
        for line in row["commands"]:
            command = line.replace(str(compared), str(tmp_path))
            outcome = wsss(*shlex.split(command)[1:], "--json")
            assert outcome.code == 0, outcome.err
            evaluated = outcome.values["stage"] == "evaluate"
            assert outcome.values["status"] == ("complete" if evaluated else "up to date")


def test_second_call_and_dry_run_do_nothing(wsss: Command, voc: TinyVoc, compared: Path) -> None:
    before = _snapshot(compared / "out" / "seenet")
    tables = {p.name: p.read_bytes() for p in (compared / "out").glob("compare.*")}
    assert len(tables) == 3
    outcome = wsss(*_arguments(voc, compared), "--json")
    assert outcome.values["status"] == "up to date"
    assert _snapshot(compared / "out" / "seenet") == before
    assert {p.name: p.read_bytes() for p in (compared / "out").glob("compare.*")} == tables
    before = _snapshot(compared)
    plan = wsss(*_arguments(voc, compared), "--dry-run", "--json").values["runs"]
    assert [run["directory"] for run in plan] == [str(compared / "out" / name) for name in RUNS]
    assert {run[stage] for run in plan for stage in ("train", "attend", "proxy")} == {"complete"}
    after = {k: v for k, v in _snapshot(compared).items() if not k.endswith("methods.toml")}
    assert after.items() <= before.items()


def test_dry_run_of_a_new_comparison_writes_nothing(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    outcome = wsss(*_arguments(voc, tmp_path), "-n")
    assert outcome.code == 0, outcome.err
    for name in RUNS:
        assert f"{tmp_path / 'out' / name}  train new, attend new, proxy new\n" in outcome.out
    assert not (tmp_path / "out").exists()


def test_the_data_set_is_read_once(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def spy(path: Path) -> DataSet:
        read.append(path)
        return find_data_set(path)

    monkeypatch.setattr("wsss_cli.data.layouts.find_data_set", spy)
    assert wsss(*_arguments(voc, tmp_path), "--dry-run").code == 0
    assert read == [voc.root]


def test_stopped_between_and_within_runs_it_ends_with_the_same_table(
    wsss: Command,
    voc: TinyVoc,
    compared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = _arguments(voc, tmp_path)

    def stopping_at(module: Any, call: int) -> Callable[..., Any]:
        real, calls = module.run, []

        def run(*args: Any, **options: Any) -> Any:
            calls.append(1)
            if len(calls) == call:
                raise KeyboardInterrupt
            return real(*args, **options)

        return run

    for module, call in ((chain.train, 2), (evaluate, 2), (chain.proxy, 4)):
        with monkeypatch.context() as patch:
            patch.setattr(module, "run", stopping_at(module, call))
            assert wsss(*arguments).code == 130
        assert not (tmp_path / "out" / "compare.md").exists()
    plan = wsss(*arguments, "-n", "--json").values["runs"]
    assert [run["proxy"] for run in plan] == ["complete"] * 3 + ["new"]
    first = _snapshot(tmp_path / "out" / "seenet")
    assert wsss(*arguments, "--json").values["status"] == "complete"
    assert _snapshot(tmp_path / "out" / "seenet") == first
    whole, stopped = (
        json.loads((folder / "out" / "compare.json").read_text()) for folder in (compared, tmp_path)
    )
    assert stopped["differences"] == whole["differences"]
    for row, again in zip(whole["rows"], stopped["rows"], strict=True):
        for name, cell in row["scores"].items():
            assert name == "seconds_per_iteration" or again["scores"][name] == cell


def test_changed_masks_are_scored_again_without_training_again(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    arguments = _arguments(own_voc, tmp_path, SHARED + "[settings.SeeNet]\n")
    before = wsss(*arguments, "--json").values
    mask = own_voc.mask(own_voc.train_ids[0])
    blank = Image.fromarray(np.zeros_like(np.asarray(Image.open(mask))))
    trained = _snapshot(tmp_path / "out" / "seenet" / "seed-0" / "train")
    blank.save(mask)
    after = wsss(*arguments, "--json").values
    assert before["rows"][0]["scores"]["proxy"] != after["rows"][0]["scores"]["proxy"]
    assert _snapshot(tmp_path / "out" / "seenet" / "seed-0" / "train") == trained


def _miou(counts: np.ndarray) -> float:
    """Of (L, L + 1) counts, the last column being missed pixels."""
    ious = []
    for label in range(len(counts)):
        true, called = counts[label].sum(), counts[:, label].sum()
        ious.append(counts[label, label] / (true + called - counts[label, label]))
    return sum(ious) / len(ious)


def _proxy_miou(voc: TinyVoc, out: Path, setting: str, seeds: list[int]) -> float:
    """Counted pixel by pixel over the label maps of all seeds."""
    counts = np.zeros((4, 5))
    for seed in seeds:
        labels = out / setting / f"seed-{seed}" / "proxy" / "labels"
        for image_id in voc.train_ids:
            target = np.asarray(Image.open(voc.mask(image_id)))
            found = np.asarray(Image.open(labels / f"{image_id}.png"))
            for truth, label in zip(target.flat, found.flat, strict=True):
                if truth != 255:
                    counts[truth, label] += 1
    return _miou(counts)


def test_difference_is_that_of_the_label_maps_counted_pixel_by_pixel_over_the_seeds(
    voc: TinyVoc, compared: Path
) -> None:
    full, without = (
        _proxy_miou(voc, compared / "out", name, [0, 1])
        for name in ("seenet", "seenet-without-s-c")
    )
    (difference,) = json.loads((compared / "out" / "compare.json").read_text())["differences"]
    assert (difference["setting"], difference["reference"]) == ("SeeNet without S_C", "SeeNet")
    found = difference["proxy"]
    assert found["difference"] == pytest.approx(without - full)
    assert found["low"] <= found["difference"] <= found["high"]


def test_setting_with_fewer_seeds_is_compared_over_those(
    wsss: Command, voc: TinyVoc, compared: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(compared / "out", tmp_path / "out"))
    outcome = wsss(*_arguments(voc, tmp_path, SHARED + SETTINGS + "seeds = [1]\n"), "--json")
    full, without = outcome.values["rows"]
    assert (full["seeds"], without["seeds"]) == ([0, 1], [1])
    assert [len(row["scores"]["proxy"]["values"]) for row in (full, without)] == [2, 1]
    assert without["scores"]["proxy"]["deviation"] is None
    (difference,) = outcome.values["differences"]
    expected = _proxy_miou(voc, out, "seenet-without-s-c", [1]) - _proxy_miou(
        voc, out, "seenet", [1]
    )
    assert difference["proxy"]["difference"] == pytest.approx(expected)
    page = (out / "compare.md").read_text()
    assert "| SeeNet without S_C (1 of 2 seeds) |" in page
    assert "With seed 0." in page
    assert "\nSeeNet:\n" in page
    assert "\nSeeNet without S_C, with seed 1:\n" in page


def test_first_setting_with_fewer_seeds_is_compared_over_those(
    wsss: Command, voc: TinyVoc, compared: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(compared / "out", tmp_path / "out"))
    text = SHARED + SETTINGS.replace("[settings.SeeNet]", "[settings.SeeNet]\nseeds = [1]")
    outcome = wsss(*_arguments(voc, tmp_path, text), "--json")
    assert outcome.code == 0, outcome.err
    (difference,) = outcome.values["differences"]
    full, without = (_proxy_miou(voc, out, name, [1]) for name in ("seenet", "seenet-without-s-c"))
    assert difference["proxy"]["difference"] == pytest.approx(without - full)


def test_counts_kept_of_each_image_add_up_to_the_scores(compared: Path) -> None:
    from wsss_cli.artifacts.image_counts import read_image_counts

    for name in RUNS:
        folder = compared / "out" / name / "compare"
        scores = json.loads((folder / "manifest.json").read_text())["counts"]
        image_ids, counts = read_image_counts(folder / "image_counts.npz")
        assert len(image_ids) == 12
        of_proxies, of_attention = (counts[key].astype(float) for key in ("proxy", "attention"))
        assert of_proxies.shape == of_attention.shape == (12, 4, 5)
        assert _miou(of_proxies.sum(axis=0)) == pytest.approx(scores["proxy"])
        assert _miou(of_attention.sum(axis=0)) == pytest.approx(scores["attention_fixed"], abs=1e-6)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("seeds = [0", ["cannot be read as TOML"]),
        ("seeds = [0]", ["names no setting"]),
        ("seeds = []\n[settings.a]", ["seeds must be a list of different integers"]),
        ("seeds = [0, 0]\n[settings.a]", ["seeds must be a list"]),
        ("seeds = [true]\n[settings.a]", ["seeds must be a list"]),
        ("seeds = 3\n[settings.a]", ["seeds must be a list"]),
        ("[settings.a]\nseeds = [1]", ["[settings.a] has other seeds", "[0]"]),
        (
            "seeds = [0, 1]\n[settings.a]\nseeds = [0]\n[settings.b]\nseeds = [1]",
            ["[settings.b] has none of the seeds [0] of the first setting"],
        ),
        ("seeds = [-1]\n[settings.a]", ["[settings.a]", "--seed", "-1"]),
        ("[segment]\n[settings.a]", ["has segment", "train, attend, proxy, evaluate"]),
        ("iterations = 4\n[settings.a]", ["has iterations"]),
        ("train = 3\n[settings.a]", ["[train] must be a table"]),
        ("[settings]\na = 3", ["settings.a must be a table"]),
        ("[settings.a]\nmethod = 'cam'", ["[settings.a] has method", "train.method"]),
        ("[train]\niteratoins = 4\n[settings.a]", ["[train] has no option iteratoins"]),
        ("[settings.a]\ntrain.sizes = 4", ["[settings.a.train] has no option sizes"]),
        ("[train]\nseed = 4\n[settings.a]", ["[train] cannot set seed", "`seeds`"]),
        ("[train]\nrun = 'x'\n[settings.a]", ["[train] cannot set run", "--out"]),
        ("[proxy]\nsaliency = 'x'\n[settings.a]", ["pass --saliency"]),
        ("[settings.a]\nattend.checkpoint = 'x'", ["[settings.a.attend] cannot set checkpoint"]),
        ("[settings.a]\nevaluate.gt = 'x'", ["[settings.a] cannot have an evaluate table"]),
        ("[settings.a]\ntrain.iterations = 'many'", ["[settings.a]", "train", "'--iterations'"]),
        ("[settings.a]\ntrain.iterations = 0", ["--iterations must be above 0"]),
        ("[settings.a]\ntrain.iterations = [1, 2]", ["one value for train.iterations"]),
        ("[settings.a]\ntrain.lr-steps = []", ["train.lr_steps", "empty list"]),
        ("[settings.a]\ntrain.sign-flip = 'no'", ["takes true or false for train.sign_flip"]),
        ("[settings.a]\ntrain.lr = true", ["takes a value for train.lr, not true"]),
        ("[settings.a]\ntrain.method = 'gradcam'", ["--method must be one of", "'gradcam'"]),
        ("[settings.a-b]\n[settings.'A b']", ["'a-b', 'A b'", "letters or digits"]),
        ("[settings.'+']", ["needs a letter or a digit"]),
    ],
)
def test_file_that_does_not_fit_is_one_sentence(
    wsss: Command, voc: TinyVoc, tmp_path: Path, text: str, parts: list[str]
) -> None:
    _refused(wsss(*_arguments(voc, tmp_path, text)), 2, "methods.toml", *parts)
    assert not (tmp_path / "out").exists()


def test_missing_file(wsss: Command, tmp_path: Path) -> None:
    _refused(wsss("compare", tmp_path / "nothing.toml"), 2, "nothing.toml does not exist")


def _without_last_saliency(voc: TinyVoc) -> str:
    (voc.saliency / f"{voc.train_ids[-1]}.png").unlink()
    return voc.train_ids[-1]


def _without_a_photograph(voc: TinyVoc) -> str:
    voc.image(voc.val_ids[0]).unlink()
    return voc.val_ids[0]


def _without_masks(voc: TinyVoc) -> str:
    for image_id in (*voc.train_ids, *voc.val_ids):
        voc.mask(image_id).unlink()
    return "has no mask"


@pytest.mark.parametrize(
    ("spoil", "split"),
    [(_without_last_saliency, "train"), (_without_a_photograph, "val"), (_without_masks, "train")],
)
def test_what_a_later_stage_would_miss_is_found_before_the_first_training(
    wsss: Command,
    own_voc: TinyVoc,
    tmp_path: Path,
    spoil: Callable[[TinyVoc], str],
    split: str,
) -> None:
    named = spoil(own_voc)
    text = SHARED + f'split = "{split}"\n' + SETTINGS
    _refused(wsss(*_arguments(own_voc, tmp_path, text)), 1, named)
    assert not (tmp_path / "out").exists()


def test_masks_named_in_another_case_are_known(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    given = shutil.copytree(own_voc.root / "SegmentationClass", tmp_path / "gt")
    for image_id in own_voc.train_ids:
        own_voc.mask(image_id).rename(own_voc.mask(image_id).with_suffix(".PNG"))
    line = [*_arguments(own_voc, tmp_path), "--dry-run"]
    assert wsss(*line).code == 0
    text = SHARED + f'[evaluate]\ngt = "{given}"\n' + SETTINGS
    assert wsss(*_arguments(own_voc, tmp_path, text), "--dry-run").code == 0
    for image_id in own_voc.train_ids:
        (given / f"{image_id}.png").rename(given / f"{image_id}.PNG")
    _refused(wsss(*_arguments(own_voc, tmp_path, text), "--dry-run"), 1, given, "has no mask")


def test_saliency_and_data_have_to_be_given(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    arguments = _arguments(voc, tmp_path)
    place = arguments.index("--saliency")
    outcome = wsss(*arguments[:place], *arguments[place + 2 :])
    _refused(outcome, 2, "pass --saliency DIR")
    place = arguments.index("--data")
    _refused(wsss(*arguments[:place], *arguments[place + 2 :]), 2, "--data")


def test_settings_that_attend_different_images_are_refused(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    text = SHARED + SETTINGS + '[settings.other]\nattend.split = "val"\n'
    outcome = wsss(*_arguments(voc, tmp_path, text))
    _refused(outcome, 2, "SeeNet without S_C train", "other val", "attend.split")


def test_a_changed_setting_is_refused_before_any_work(
    wsss: Command, voc: TinyVoc, compared: Path, tmp_path: Path
) -> None:
    shutil.copytree(compared / "out", tmp_path / "out")
    last = SETTINGS.replace("attend.flip = false", "attend.flip = true")
    before = _snapshot(tmp_path / "out")
    outcome = wsss(*_arguments(voc, tmp_path, SHARED + last))
    _refused(outcome, 2, "seenet-without-s-c", "flip False there, True now", "choose another --out")
    assert _snapshot(tmp_path / "out") == before


def test_flag_and_environment_win_over_shared_weights_and_a_setting_over_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WSSS_RUN", "elsewhere")
    file = tmp_path / "methods.toml"
    file.write_text(
        "[train]\nweights = 'shared.pth'\n[settings.a]\n[settings.b]\ntrain.weights = 'none'\n"
    )
    plain = read_comparison(CompareConfig(file=file, out=tmp_path))
    assert [run.train.weights for run in plain] == ["shared.pth", "none"]
    given = read_comparison(CompareConfig(file=file, out=tmp_path, weights="given.pth"))
    assert [run.train.weights for run in given] == ["given.pth", "none"]
    assert {c.run for c in (given[0].train, given[0].proxy, given[0].labels)} == {
        tmp_path / "a" / "seed-0"
    }


@pytest.mark.parametrize("name", ["methods", "two_cores", "drawn"])
def test_examples_of_the_repository_are_understood(tmp_path: Path, name: str) -> None:
    file = Path(__file__).parents[2] / "examples" / f"compare_{name}.toml"
    runs = read_comparison(CompareConfig(file=file, out=tmp_path))
    chosen = {
        run.setting: (
            run.train.method,
            run.train.sign_flip,
            run.train.background_branch,
            run.train.share_background_head,
            (run.train.delta_high, run.train.delta_low, run.train.delta_background),
        )
        for run in runs
    }
    seeds = {name: {run.seed for run in runs if run.setting == name} for name in chosen}
    assert sum(map(len, seeds.values())) == len(runs)
    zeroed, without_s_c = "SeeNet, background zeroed instead of reversed", "SeeNet without S_C"
    assert seeds["CAM"] == seeds["ACoL"] == seeds["SeeNet"] == seeds[zeroed] == seeds[without_s_c]
    assert len(set(chosen.values())) == len(chosen)


START = """
[start]
method = "cam"
iterations = 12
lr-steps = [6]
"""


def test_settings_go_on_from_a_common_start(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    """One start for each seed, trained first and once, from which every setting's heads come."""
    one_seed = (SHARED + START + SETTINGS).replace("[0, 1]", "[3]")
    plan = wsss(*_arguments(voc, tmp_path, one_seed), "--dry-run", "--json")
    assert plan.values["runs"][1]["start"] == "new", plan.err
    outcome = wsss(*_arguments(voc, tmp_path, one_seed), "--json")
    assert outcome.code == 0, outcome.err
    start = tmp_path / "out" / "_start" / "seed-3" / "train"
    begun = read_manifest(start)
    assert (begun["config"]["method"], begun["counts"]["iterations"]) == ("cam", 12)
    for name in ("seenet", "seenet-without-s-c"):
        run = read_manifest(tmp_path / "out" / name / "seed-3" / "train")
        assert run["inputs"]["start"]["path"] == str((start / "checkpoint.pt").resolve())
        assert run["config"]["iterations"] == 10
    assert outcome.values["rows"][0]["commands"][0].split()[1] == "train"
    assert len(outcome.values["rows"][0]["commands"]) == 6
    again = wsss(*_arguments(voc, tmp_path, one_seed), "--json")
    assert again.values["status"] == "up to date"


@pytest.mark.parametrize(
    ("text", "learning"),
    [
        ('[train]\nmethod = "eps"\n[start]\n[settings.a]\n', (True, True)),
        ('[start]\nmethod = "eps"\n[settings.a]\ntrain.method = "cam"\n', (True, False)),
        ('[train]\nmethod = "eps"\n[start]\nmethod = "cam"\n[settings.a]\n', (False, True)),
    ],
)
def test_start_gets_saliency_where_its_method_learns_from_it(
    tmp_path: Path, text: str, learning: tuple[bool, bool]
) -> None:
    file, maps = tmp_path / "methods.toml", tmp_path / "maps"
    file.write_text(text)
    (run,) = read_comparison(CompareConfig(file=file, out=tmp_path, saliency=maps))
    assert run.start is not None
    assert (run.start.saliency == maps, run.train.saliency == maps) == learning


def test_a_start_cannot_be_set_by_hand(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    text = SHARED + '[settings.a]\ntrain.start = "checkpoint.pt"\n'
    _refused(wsss(*_arguments(voc, tmp_path, text)), 2, "[settings.a.train]", "[start]")


@pytest.mark.parametrize(
    ("setting", "part"),
    [("head-channels = 8", "--head-channels"), ('split = "val"', "attend different images")],
)
def test_what_does_not_fit_the_start_is_refused_before_it_is_trained(
    wsss: Command, voc: TinyVoc, tmp_path: Path, setting: str, part: str
) -> None:
    text = SHARED + START + f"[settings.a]\n[settings.b]\ntrain.{setting}\n"
    outcome = wsss(*_arguments(voc, tmp_path, text))
    assert outcome.code in (1, 2)
    assert part in outcome.err
    assert not (tmp_path / "out").exists()


def test_weights_of_the_environment_are_those_of_the_start(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They reach the settings by the start, not beside it."""
    monkeypatch.setenv("WSSS_WEIGHTS", "none")
    monkeypatch.setenv("WSSS_RUN", str(tmp_path / "elsewhere"))
    plan = wsss(*_arguments(voc, tmp_path, SHARED + START + SETTINGS), "--dry-run", "--json")
    assert plan.code == 0, plan.err


HEADS = """
[settings.CAM]
train.method = "cam"
[settings.EPS]
train.method = "eps"
[settings."EPS, heads alone"]
train.method = "eps"
train.heads-only = true
"""


def test_methods_with_and_without_saliency_and_heads_alone(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """The dry run times each with what it learns from, though it reads the data for one of them."""
    layers = build_trunk("tiny").features.state_dict()
    torch.save({f"features.{name}": tensor for name, tensor in layers.items()}, tmp_path / "w.pth")
    text = (SHARED + HEADS).replace("[0, 1]", "[3]")
    command = [*_arguments(voc, tmp_path, text), "--weights", str(tmp_path / "w.pth")]
    plan = wsss(*command, "--dry-run", "--json")
    assert plan.code == 0, plan.err
    assert [run["setting"] for run in plan.values["runs"]] == ["CAM", "EPS", "EPS, heads alone"]
    outcome = wsss(*command, "--json")
    assert outcome.code == 0, outcome.err
    moved = {}
    for name in ("eps", "eps-heads-alone"):
        path = tmp_path / "out" / name / "seed-3" / "train" / "checkpoint.pt"
        network = torch.load(path, weights_only=True)["network"]
        moved[name] = not torch.equal(network["trunk.features.0.weight"], layers["0.weight"])
    assert moved == {"eps": True, "eps-heads-alone": False}


ERASING = """
[settings.plain]
[settings.erasing]
train.erase = "{attention}"
train.heads-only = true
"""


@pytest.mark.parametrize("start", ["", "[start]\n"])
def test_dry_run_reads_what_each_setting_learns_from(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path, start: str
) -> None:
    layers = build_trunk("tiny").features.state_dict()
    torch.save({f"features.{name}": tensor for name, tensor in layers.items()}, tmp_path / "w.pth")
    shared = SHARED.replace("[train]", '[train]\nmethod = "cam"').replace("[0, 1]", "[3]")
    text = shared + start + ERASING.format(attention=trained / "attend" / "attention.h5")
    weights = ["--weights", str(tmp_path / "w.pth")]
    plan = wsss(*_arguments(voc, tmp_path, text), *weights, "--dry-run", "--json")
    assert plan.code == 0, plan.err
    assert plan.values["estimate"]["seconds"] > 0


SAME_FEATURES = """
[settings.CAM]
[settings."linear CAM"]
train.head-channels = 0
[settings."larger CAM"]
train.crop = 48
[settings.ACoL]
train.method = "acol"
"""


def test_heads_that_learn_from_the_same_features_pass_the_trunk_once(
    wsss: Command, voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SHARED.replace("[train]", '[train]\nmethod = "cam"\nheads-only = true')
    text = (shared + SAME_FEATURES).replace("[0, 1]", "[3]")
    passed: list[int] = []
    real = features.pass_images

    def spy(plan: TrainPlan, *arguments: Any) -> NetworkOnFeatures:
        passed.append(len(features.ids_of_features(plan)) - features.cache_of(plan).done())
        return real(plan, *arguments)

    monkeypatch.setattr(training, "pass_images", spy)
    outcome = wsss(*_arguments(voc, tmp_path, text), "--weights", weights, "--json")
    assert outcome.code == 0, outcome.err
    # The third one's features are of another size; the fourth one gets those of the second.
    assert [images > 0 for images in passed] == [True, False, True, False]
    assert not list((tmp_path / "out").rglob("features.bin"))
    command = outcome.values["rows"][1]["commands"][0].replace("out/linear-cam/seed-3", "alone")
    assert wsss(*shlex.split(command)[1:]).code == 0
    networks = [
        torch.load(run / "train" / "checkpoint.pt", weights_only=True)["network"]
        for run in (tmp_path / "alone", tmp_path / "out" / "linear-cam" / "seed-3")
    ]
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_dry_run_counts_features_once_that_settings_share(
    wsss: Command, voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    shared = SHARED.replace("[train]", '[train]\nmethod = "cam"\nheads-only = true')
    takes = {}
    for name, seeds, settings in (
        ("one", [3], ""),
        ("two", [3], "[settings.other]\ntrain.lr = 0.1\n"),
        ("seeds", [3, 4], ""),
        ("larger", [3], "[settings.other]\ntrain.crop = 33\n"),
    ):
        text = shared.replace("[0, 1]", str(seeds)) + "[settings.CAM]\n" + settings
        line = [*_arguments(voc, tmp_path, text), "--weights", weights, "--dry-run", "--json"]
        takes[name] = wsss(*line).values["estimate"]["bytes_on_disk"]
    features = bytes_of_features(12 + 4, (96, 4, 4))
    assert takes["larger"] == 2 * takes["one"]
    assert takes["two"] == takes["seeds"] == 2 * takes["one"] - features + bytes_of_features(0, ())


def test_a_stopped_comparison_needs_the_room_for_features_once(
    wsss: Command, voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SHARED.replace("[train]", '[train]\nmethod = "cam"\nheads-only = true')
    text = (shared + SAME_FEATURES).replace("[0, 1]", "[3]").replace("crop = 48", "crop = 32")
    arguments = [*_arguments(voc, tmp_path, text), "--weights", weights]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "feature_batches", stop)
        assert wsss(*arguments).code == 130
    held = tmp_path / "out" / "cam" / "seed-3" / "train" / "features.bin"
    assert held.exists()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    plan = wsss(*arguments, "--dry-run", "--json")
    assert plan.code == 0, plan.err
    outcome = wsss(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    assert not held.exists()
    shutil.rmtree(tmp_path / "out")
    _refused(wsss(*arguments), 1, "--heads-only", "free")


def test_weights_that_every_setting_replaces_are_refused(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SHARED + '[settings.CAM]\ntrain.method = "cam"\ntrain.weights = "none"\n'
    arguments = _arguments(voc, tmp_path, text)
    refused = wsss(*arguments, "--weights", "imagenet", "--dry-run")
    assert refused.code == 2
    assert "--weights is used by nothing" in refused.err
    monkeypatch.setenv("WSSS_WEIGHTS", "imagenet")
    assert wsss(*arguments, "--dry-run").code == 0
    beside = text + '[settings.ACoL]\ntrain.method = "acol"\n'
    assert wsss(*_arguments(voc, tmp_path, beside), "--weights", "none", "--dry-run").code == 0
