"""What every command does around its work: JSON, dry run, defaults from files, running again."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch
import typer
from conftest import CLASSES, Command, Outcome, TinyVoc, classes_of, train_arguments
from PIL import Image

from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.cli.run_command import errors_as_sentences
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.proxy_rules import RULES
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.errors import WsssError
from wsss_cli.stages.evaluate.baselines import Baselines

STAGES = ("train", "attend", "proxy", "segment", "evaluate")


def _snapshot(*folders: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder with its time and size."""
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


@pytest.mark.parametrize("kind", [WsssError, KeyboardInterrupt])
def test_a_bar_is_closed_before_the_sentence_that_ends_it(
    kind: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    def bar() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            print("closed", file=sys.stderr)

    def work(*, within: bool) -> None:
        own = bar()
        next(own)
        if within:
            raise kind("broken")
        try:
            work(within=True)
        except kind as error:
            raise kind("interrupted: broken") from error

    with pytest.raises(typer.Exit), errors_as_sentences(debug=False):
        work(within=False)
    first, second, sentence = capsys.readouterr().err.splitlines()
    assert (first, second) == ("closed", "closed")
    assert "interrupted: " in sentence


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run that the test may go on with."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def _commands(voc: TinyVoc, run: Path) -> dict[str, list[str]]:
    """Each stage with settings of seconds, complete apart from what it prints."""
    short = "--iterations 3 --batch-size 2 --crop 32 --amp off"
    return {
        "train": train_arguments(voc, run),
        "attend": ["attend", "--run", str(run), "--size", "64", "--amp", "off"],
        "proxy": ["proxy", "--run", str(run), "--saliency", str(voc.saliency)],
        "segment": ["segment", "--run", str(run), *short.split()],
        "evaluate": ["evaluate", "--run", str(run)],
    }


def _refused(outcome: Outcome, code: int, *parts: str) -> None:
    """One sentence on stderr, nothing on stdout."""
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    lines = outcome.err.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    for part in parts:
        assert part in lines[-1]


def test_stages_chain_as_they_stand_and_print_one_json_object(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    found = {}
    for stage, arguments in _commands(voc, run).items():
        outcome = wsss(*arguments, "--json")
        assert outcome.code == 0, outcome.err
        found[stage] = outcome.values
        assert found[stage]["stage"] == stage
        assert found[stage]["status"] == "complete"
        assert found[stage]["directory"] == str(run / stage)
    assert found["train"]["images"] == found["attend"]["images"] == found["proxy"]["images"] == 12
    assert found["attend"]["maps"] == 15
    assert found["segment"]["images"] == found["evaluate"]["images"] == 4
    scores = found["evaluate"]
    assert set(scores["per_class"]) == {"background", *CLASSES}
    assert 0 <= scores["miou"] <= 1
    assert 0 < scores["pixel_accuracy"] <= 1
    assert scores["coverage"] == 1
    written = json.loads((run / "evaluate" / "prediction.json").read_text())
    assert written["miou"] == scores["miou"]


@pytest.mark.parametrize("quiet", [False, True])
def test_text_for_people_names_the_stage_and_its_directory(
    wsss: Command, voc: TinyVoc, tmp_path: Path, quiet: bool
) -> None:
    outcome = wsss(*train_arguments(voc, tmp_path / "run"), *(["-q"] if quiet else []))
    assert outcome.code == 0
    assert outcome.out.startswith(f"train complete: {tmp_path / 'run' / 'train'}\n")
    assert (outcome.err == "") is quiet


def test_running_again_is_up_to_date_and_changes_nothing(
    wsss: Command, voc: TinyVoc, run: Path
) -> None:
    commands = _commands(voc, run)
    assert wsss(*commands["proxy"]).code == 0
    assert wsss(*commands["segment"]).code == 0
    before = _snapshot(run)
    for stage in STAGES[:-1]:
        outcome = wsss(*commands[stage])
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith(f"{stage} up to date: ")
        assert wsss(*commands[stage], "--json").values["status"] == "up to date"
    assert _snapshot(run) == before


def test_results_that_recorded_options_of_before_are_read_and_up_to_date(
    wsss: Command, voc: TinyVoc, run: Path
) -> None:
    """Manifests of earlier versions have the options that nothing in a stage depended on."""
    commands = _commands(voc, run)
    commands["saliency"] = ["saliency", "--run", str(run), "--model", "unsupervised"]
    for stage in ("saliency", "proxy"):
        assert wsss(*commands[stage]).code == 0
    before = {}
    for stage in ("attend", "saliency", "proxy"):
        path = run / stage / "manifest.json"
        manifest = json.loads(path.read_text())
        assert "seed" not in manifest
        manifest["config"] |= {"seed": 3, "device": "cpu", "amp": "off"}
        path.write_text(json.dumps({**manifest, "seed": 3}))
        before[stage] = path.read_text()
    for stage, text in before.items():
        outcome = wsss(*commands[stage])
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith(f"{stage} up to date: ")
        assert (run / stage / "manifest.json").read_text() == text
    # One that only adds something takes the recorded settings, and none of those.
    outcome = wsss("attend", "--run", run, "--heatmaps")
    assert outcome.code == 0, outcome.err
    outcome = wsss("show", run, "--json")
    assert outcome.code == 0, outcome.err
    for stage in before:
        again = recorded_command(stage, read_manifest(run / stage), run)
        outcome = wsss(*shlex.split(again)[1:])
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith(f"{stage} up to date: ")


def test_settings_that_change_no_result_change_nothing(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert wsss(*train_arguments(own_voc, run)).code == 0
    moved = own_voc.root.rename(tmp_path / "moved")
    again = [*train_arguments(own_voc, run), "--data", str(moved), "--workers", "0"]
    outcome = wsss(*again, "--device", "cpu", "--checkpoint-every", "3")
    assert outcome.out.startswith("train up to date"), outcome.err


@pytest.mark.parametrize(
    ("stage", "change", "named"),
    [
        ("train", "--iterations 5", "iterations 4 there, 5 now"),
        ("train", "--seed 1", "seed 0 there, 1 now"),
        ("train", "--no-sign-flip", "sign_flip True there, False now"),
        ("train", "--lr-steps 2", "lr_steps [15000] there"),
        ("train", "--split val", "split train there, val now"),
        ("attend", "--size 96", "size 64 there, 96 now"),
        ("attend", "--no-flip", "flip True there, False now"),
    ],
)
def test_changed_setting_is_refused_by_name_and_changes_nothing(
    wsss: Command, voc: TinyVoc, trained: Path, stage: str, change: str, named: str
) -> None:
    before = _snapshot(trained)
    outcome = wsss(*_commands(voc, trained)[stage], *change.split())
    _refused(outcome, 2, named, "--overwrite", "--run")
    assert _snapshot(trained) == before


def test_changed_input_is_refused_by_its_role(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert wsss(*train_arguments(own_voc, run)).code == 0
    with own_voc.image(own_voc.train_ids[0]).open("ab") as file:
        file.write(b"more")
    _refused(wsss(*train_arguments(own_voc, run)), 2, "its input data has changed")


def test_overwrite_replaces_the_result_and_later_stages_notice(
    wsss: Command, voc: TinyVoc, run: Path
) -> None:
    commands = _commands(voc, run)
    assert wsss(*commands["proxy"]).code == 0
    old = (run / "train" / "checkpoint.pt").read_bytes()
    (run / "train" / "notes.txt").write_text("mine")
    outcome = wsss(*commands["train"], "--seed", "1", "--overwrite")
    assert outcome.code == 0, outcome.err
    assert (run / "train" / "checkpoint.pt").read_bytes() != old
    assert (run / "train" / "notes.txt").read_text() == "mine"
    _refused(wsss(*commands["attend"]), 2, "its input checkpoint has changed")
    assert wsss(*commands["attend"], "--overwrite").code == 0
    _refused(wsss(*commands["proxy"]), 2, "its input attention has changed")


def test_same_seed_gives_the_same_bytes_and_another_one_does_not(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    files = {}
    for name, seed in (("same", "0"), ("other", "1")):
        arguments = train_arguments(voc, tmp_path / name)
        assert wsss(*arguments, "--seed", seed, "--workers", "0").code == 0
        files[name] = (tmp_path / name / "train" / "checkpoint.pt").read_bytes()
    assert files["same"] == (trained / "train" / "checkpoint.pt").read_bytes()
    assert files["other"] != files["same"]


@pytest.mark.parametrize("stage", STAGES)
def test_dry_run_prints_the_plan_and_changes_nothing(
    wsss: Command, voc: TinyVoc, run: Path, stage: str
) -> None:
    for earlier in ("proxy", "segment"):
        if STAGES.index(earlier) < STAGES.index(stage):
            assert wsss(*_commands(voc, run)[earlier]).code == 0
    shutil.rmtree(run / stage, ignore_errors=True)
    before = _snapshot(run, voc.root, voc.saliency)
    text = wsss(*_commands(voc, run)[stage], "--dry-run")
    assert text.code == 0, text.err
    assert text.out.endswith("nothing was done\n")
    plan = wsss(*_commands(voc, run)[stage], "-n", "--json").values
    assert plan["run"] == str(run)
    assert plan["data"] in (None, str(voc.root))
    assert _snapshot(run, voc.root, voc.saliency) == before


def test_dry_run_finds_what_the_run_would_refuse(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    own_voc.image(own_voc.train_ids[0]).unlink()
    _refused(wsss(*train_arguments(own_voc, tmp_path / "run"), "-n"), 1, own_voc.train_ids[0])
    assert not (tmp_path / "run").exists()


def test_dry_run_refuses_what_would_be_refused_because_another_result_is_there(
    wsss: Command, voc: TinyVoc, trained: Path
) -> None:
    outcome = wsss(*train_arguments(voc, trained), "--iterations", "5", "--dry-run")
    assert outcome.code == 2
    assert "iterations" in outcome.err


def _toml(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_flag_beats_environment_beats_file_beats_default(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _toml(tmp_path / "w.toml", f'[train]\nrun = "file"\ndata = "{voc.root}"\n')
    bare = ["train", "--backbone", "tiny", "-n", "--json"]

    def chosen(*arguments: object) -> str:
        outcome = wsss(*bare, *arguments)
        assert outcome.code == 0, outcome.err
        return str(outcome.values["run"])

    assert chosen("--data", voc.root) == "runs/default"
    assert chosen("--config", file) == "file"
    monkeypatch.setenv("WSSS_RUN", "environment")
    assert chosen("--config", file) == "environment"
    assert chosen("--config", file, "--run", "flag") == "flag"
    assert chosen("--run", "flag", "--config", file) == "flag"
    monkeypatch.delenv("WSSS_RUN")
    assert chosen("--run", "flag", "--config", file) == "flag"


def test_file_holds_the_fields_of_every_kind(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    file = _toml(
        tmp_path / "w.toml",
        f"""
        [train]
        data = "{voc.root}"
        backbone = "tiny"
        iterations = 7
        lr = 1
        lr-steps = [2, 5]
        sign_flip = false
        [attend]
        iterations = "not an option of attend, and not read by train"
        """,
    )
    plan = wsss("train", "--config", file, "-n", "--json").values
    expected = {"backbone": "tiny", "iterations": 7, "lr": 1.0, "lr_steps": [2, 5]}
    assert {name: plan[name] for name in expected} == expected
    assert plan["sign_flip"] is False
    assert plan["batch_size"] == 16


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[train]\nno_such = 1\n", "[train] has no option no_such"),
        ("iterations = 3\n", "iterations must stand in a table such as [train]"),
        ("[train\n", "cannot be read as TOML"),
        ('[train]\niterations = "many"\n', "iterations"),
        ("[train]\niterations = [1, 2]\n", "iterations"),
    ],
)
def test_file_that_makes_no_sense_is_a_usage_error(
    wsss: Command, tmp_path: Path, text: str, named: str
) -> None:
    outcome = wsss("train", "--config", _toml(tmp_path / "w.toml", text), "-n")
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert named in " ".join(outcome.err.split())


def test_missing_file_of_defaults_is_a_usage_error(wsss: Command, tmp_path: Path) -> None:
    outcome = wsss("train", "--config", tmp_path / "nowhere.toml")
    assert outcome.code == 2
    assert "nowhere.toml" in "".join(outcome.err.split())


def test_later_stages_find_the_data_and_settings_of_the_training(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    assert wsss("attend", "--run", trained, "--overwrite", "-n", "--json").values["data"] == str(
        voc.root
    )
    proxies = ["segment", "--run", trained, "--supervision", "full", "-n", "--json"]
    plan = wsss(*proxies).values
    assert plan["model"] == "tiny"
    assert plan["weights"] == "none"
    assert plan["training_images"] == 12
    _refused(wsss("attend", "--run", tmp_path / "empty"), 2, "run `wsss train --data DIR")
    _refused(wsss("train", "--run", tmp_path / "empty"), 2, "--data")


def test_show_tells_what_a_run_holds(wsss: Command, trained: Path, tmp_path: Path) -> None:
    summary = wsss("show", trained, "--json").values
    assert set(summary["stages"]) == {"train", "attend"}
    assert summary["stages"]["train"]["status"] == "complete"
    assert summary["stages"]["train"]["settings"]["iterations"] == 4
    text = wsss("show", trained)
    assert "proxy    not there" in text.out
    _refused(wsss("show", tmp_path), 2, "holds no run")


def test_verbose_says_every_setting_before_the_start(
    wsss: Command, voc: TinyVoc, trained: Path
) -> None:
    outcome = wsss(*train_arguments(voc, trained), "-v", "--json")
    assert outcome.values["status"] == "up to date"
    assert any(line.split() == ["iterations", "4"] for line in outcome.err.splitlines())


def test_show_takes_the_run_of_the_environment_whatever_its_name(
    wsss: Command, monkeypatch: pytest.MonkeyPatch, trained: Path, tmp_path: Path
) -> None:
    odd = Path(shutil.copytree(trained, tmp_path / "of:two words"))
    monkeypatch.setenv("WSSS_RUN", str(odd))
    assert wsss("show", "--json").values["run"] == str(odd)


def test_show_lists_methods_rules_and_models_with_their_papers(wsss: Command) -> None:
    found = wsss("show", "--methods", "--json").values
    assert found["methods"].keys() == METHODS.keys()
    assert found["rules"].keys() == RULES.keys()
    assert found["models"].keys() == SEGMENTATION_MODELS.keys()
    for method in found["methods"].values():
        assert method["paper"]
        assert method["here"]
    text = wsss("show", "--methods").out
    assert "Hou et al., NeurIPS 2018" in text
    assert "Jiang et al., ICCV 2019" in text
    assert "Chen et al., ICLR 2015" in text


def test_debug_shows_the_traceback(wsss: Command, tmp_path: Path) -> None:
    from wsss_cli.errors import WsssError

    with pytest.raises(WsssError):
        wsss("train", "--data", tmp_path, "--debug")


def test_heatmaps_are_drawn_beside_complete_attention_once(
    wsss: Command, voc: TinyVoc, run: Path
) -> None:
    arguments = [*_commands(voc, run)["attend"], "--heatmaps", "--json"]
    index = (run / "attend" / "attention.h5").read_bytes()
    first, second = wsss(*arguments).values, wsss(*arguments).values
    assert (first["heatmaps"], first["status"]) == (15, "complete")
    assert second["status"] == "up to date"
    assert len(list((run / "attend" / "heatmaps").iterdir())) == 15
    assert (run / "attend" / "attention.h5").read_bytes() == index


def test_attention_of_another_tool_becomes_proxies_and_is_scored(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """Its attention is the truth itself, so the scores are known."""
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        for image_id in voc.train_ids:
            labels = np.array(Image.open(voc.mask(image_id)))
            present = [c for c in (1, 2, 3) if (labels == c).any()]
            file[f"{image_id}/maps"] = np.stack([labels == c for c in present]).astype(np.float32)
            file[f"{image_id}/class_ids"] = present
    run, theirs = tmp_path / "run", tmp_path / "theirs.h5"
    source = ["--attention", theirs, "--run", run]
    scored = wsss("evaluate", "--what", "attention", *source, "--data", voc.root, "--json").values
    assert scored["miou"] == scored["pixel_accuracy"] == 1
    assert scored["classification_map"] is None
    assert not run.exists()
    assert wsss("proxy", *source, "--saliency", voc.saliency).code == 0
    outcome = wsss("evaluate", "--what", "proxy", "--run", run, "--data", voc.root, "--json")
    assert outcome.values["miou"] == 1
    folders = ["--pred", run / "proxy" / "labels", "--gt", voc.root / "SegmentationClass"]
    assert wsss("evaluate", *folders, "--data", voc.root, "--json").values["images"] == 12


def test_classification_is_scored_by_the_logits_of_the_attention_file(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """The first class is ranked perfectly, the second has its 5 images last, the third first."""
    ids = voc.train_ids
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        for index, image_id in enumerate(ids):
            present = classes_of(index)
            logits = [float(0 in present), -float(1 in present), float(2 in present)]
            file[f"{image_id}/maps"] = np.zeros((len(present), 48, 64), np.float32)
            file[f"{image_id}/class_ids"] = [column + 1 for column in present]
            file[f"{image_id}/logits"] = np.array(logits, np.float32)
    positives = sum(1 in classes_of(index) for index in range(12))
    # Precision never is better than at the last positive, where all 12 images are counted.
    expected = (1 + positives / 12 + 1) / 3
    source = ["--attention", tmp_path / "theirs.h5", "--data", voc.root]
    scores = wsss("evaluate", "--what", "attention", *source, "--json").values
    assert scores["classification_map"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("convention", "object_iou", "background_iou", "accuracy"),
    [
        ("false-negative", 1 / 2, 1, 2 / 3),
        ("background", 1 / 2, 1 / 2, 2 / 3),
        ("excluded", 1, 1, 1),
    ],
)
def test_predicted_255_counts_as_asked(
    wsss: Command,
    voc: TinyVoc,
    tmp_path: Path,
    convention: str,
    object_iou: float,
    background_iou: float,
    accuracy: float,
) -> None:
    """By hand: truth 1 1 0 ignored, prediction 255 1 0 0."""
    write_label_map(tmp_path / "gt" / "a.png", np.array([[1, 1, 0, 255]], np.uint8))
    write_label_map(tmp_path / "pred" / "a.png", np.array([[255, 1, 0, 0]], np.uint8))
    folders = ["--pred", tmp_path / "pred", "--gt", tmp_path / "gt", "--data", voc.root]
    found = wsss("evaluate", *folders, "--predicted-ignore", convention, "--json").values
    assert found["per_class"] == {
        "background": background_iou,
        "square": object_iou,
        "disc": None,
        "cross": None,
    }
    assert found["absent"] == ["disc", "cross"]
    assert found["miou"] == pytest.approx((object_iou + background_iou) / 2)
    assert found["pixel_accuracy"] == pytest.approx(accuracy)
    assert found["coverage"] == pytest.approx(2 / 3)
    assert found["predicted_ignore"] == convention


def test_lost_prediction_is_refused_not_left_out(wsss: Command, segmented: Path) -> None:
    lost = sorted((segmented / "segment" / "predictions").iterdir())[1]
    lost.unlink()
    _refused(wsss("evaluate", "--run", segmented), 1, lost.stem, "wsss segment")


def test_images_without_truth_are_counted_and_named(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(own_voc.root / "SegmentationClass", tmp_path / "pred"))
    own_voc.mask(own_voc.train_ids[0]).unlink()
    outcome = wsss("evaluate", "--pred", folder, "--data", own_voc.root, "--json")
    assert (outcome.values["images"], outcome.values["without_ground_truth"]) == (15, 1)
    assert outcome.values["miou"] == 1
    assert "1 of 16 images have no mask" in outcome.err


def test_baselines_are_scored_on_the_same_images(wsss: Command, voc: TinyVoc, run: Path) -> None:
    assert wsss(*_commands(voc, run)["proxy"]).code == 0
    arguments = ["evaluate", "--what", "proxy", "--run", run, "--baselines", "--json"]
    baselines = wsss(*arguments).values["baselines"]
    told = {"background", "saliency_first_label", "saliency_best_label", "centre_box"}
    assert set(baselines) == {*told, "saliency_predicted_label"}
    # The drawn saliency is the truth: only images of two classes are painted wrongly.
    assert 0.5 < baselines["saliency_first_label"] < 1
    assert baselines["background"] < baselines["saliency_first_label"]


def test_scores_of_an_earlier_result_are_called_so(wsss: Command, voc: TinyVoc, run: Path) -> None:
    assert wsss(*_commands(voc, run)["proxy"]).code == 0
    assert wsss("evaluate", "--what", "proxy", "--run", run).code == 0
    assert "EARLIER RESULT" not in wsss("show", run).out
    again = ["proxy", "--run", run, "--rule", "threshold", "--overwrite"]
    assert wsss(*again).code == 0
    assert "EARLIER RESULT" in wsss("show", run).out
    (run / "evaluate" / "proxy.json").write_text("{")
    _refused(wsss("show", run), 1, "proxy.json", "cannot be read as JSON")


def test_logits_of_other_classes_are_no_baseline(
    wsss: Command, segmented: Path, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["class_names"] = ["p", "q"]
    arguments = ["evaluate", "--run", segmented, "--baselines", "--attention"]
    _refused(wsss(*arguments, tmp_path / "other.h5"), 1, "other.h5")
    _refused(wsss(*arguments, tmp_path / "none.h5"), 2, "none.h5", "does not exist")


def test_attending_with_another_batch_is_the_same(wsss: Command, voc: TinyVoc, run: Path) -> None:
    arguments = _commands(voc, run)["attend"]
    assert wsss(*arguments).code == 0
    assert " up to date" in wsss(*arguments, "--batch-size", "3").out


def test_finished_training_that_lost_its_log_is_not_repeated(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    run = tmp_path / "long"
    arguments = [*train_arguments(voc, run), "--iterations", "11"]
    assert wsss(*arguments).code == 0
    network = run / "train" / "checkpoint.pt"
    before = (network.stat().st_mtime_ns, network.read_bytes())
    (run / "train" / "metrics.jsonl").unlink()
    outcome = wsss(*arguments)
    assert outcome.code == 0, outcome.err
    assert (network.stat().st_mtime_ns, network.read_bytes()) == before


def test_only_the_predicted_label_may_be_a_class_that_the_image_does_not_have(
    voc: TinyVoc,
) -> None:
    image_id = voc.train_ids[1]
    labels = np.array([[False, True, True]])
    logits = np.array([[5.0, -2.0, -1.0]], np.float32)
    maps = Baselines([image_id], labels, [voc.saliency / f"{image_id}.png"], logits).label_maps(
        0, (48, 64)
    )
    named = {name: int(label_map.max()) for name, label_map in maps.items()}
    assert named == {
        "background": 0,
        "saliency_first_label": 2,
        "centre_box": 2,
        "saliency_best_label": 3,
        "saliency_predicted_label": 1,
    }


def test_baselines_take_the_labels_from_the_attention_that_is_named(
    wsss: Command, voc: TinyVoc, segmented: Path, tmp_path: Path
) -> None:
    arguments = ["evaluate", "--run", segmented, "--baselines", "--json"]
    assert "saliency_best_label" not in wsss(*arguments).values["baselines"]  # attended: train
    maps = tmp_path / "val" / "attend" / "attention.h5"
    checkpoint = segmented / "train" / "checkpoint.pt"
    run = ["--run", tmp_path / "val", "--data", voc.root, "--checkpoint", checkpoint]
    assert wsss("attend", *run, "--split", "val", "--size", "64").code == 0
    named = wsss(*arguments, "--attention", maps).values["baselines"]
    assert {"saliency_best_label", "saliency_predicted_label"} <= named.keys()
    others = segmented / "attend" / "attention.h5"
    _refused(wsss(*arguments, "--attention", others), 2, str(others), "logits")


@pytest.fixture
def segmented(wsss: Command, voc: TinyVoc, run: Path) -> Path:
    """A run that is complete up to its segmentation."""
    for stage in ("proxy", "segment"):
        outcome = wsss(*_commands(voc, run)[stage])
        assert outcome.code == 0, outcome.err
    return run


def test_overwrite_never_removes_the_network_that_it_is_to_predict_with(
    wsss: Command, segmented: Path
) -> None:
    checkpoint = segmented / "segment" / "checkpoint.pt"
    arguments = ["segment", "--run", segmented, "--checkpoint", checkpoint, "--split", "train"]
    wsss(*arguments, "--overwrite")
    assert checkpoint.exists()


def test_segmentation_of_other_proxies_is_not_up_to_date(
    wsss: Command, voc: TinyVoc, run: Path, tmp_path: Path
) -> None:
    """The labels of two classes change places, as after a correction of the class list."""
    folder = Path(shutil.copytree(voc.root / "SegmentationClass", tmp_path / "masks"))
    segment = [*_commands(voc, run)["segment"], "--proxy", str(folder)]
    exchange = np.array([0, 2, 1, 3, *range(4, 256)], np.uint8)
    for path in folder.iterdir():
        write_label_map(path, read_label_map(path))
    assert wsss(*segment).code == 0
    changed = 0
    for path in folder.iterdir():
        labels, size = read_label_map(path), path.stat().st_size
        write_label_map(path, exchange[labels])
        if path.stat().st_size == size:
            changed += not np.array_equal(labels, exchange[labels])
        else:  # a label map of another size would be noticed anyhow
            write_label_map(path, labels)
    if not changed:
        pytest.fail("no label map keeps its size, so this test proves nothing", pytrace=False)
    outcome = wsss(*segment)
    assert outcome.code == 2
    assert "supervision has changed" in outcome.err


def test_run_is_understood_from_any_working_directory(
    wsss: Command, voc: TinyVoc, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(voc.saliency.parent)
    assert wsss("proxy", "--run", run, "--saliency", voc.saliency.name).code == 0
    monkeypatch.chdir(run)
    outcome = wsss("evaluate", "--what", "proxy", "--run", run, "--baselines", "--json")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("variable", ["WORLD_SIZE", "RANK"])
def test_odd_number_of_processes_is_a_usage_error(
    wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(variable, "two")
    outcome = wsss("evaluate", "--pred", tmp_path, "--gt", tmp_path)
    assert outcome.code == 2
    assert outcome.err == f"error: {variable} is 'two' in the environment, not a number; unset it\n"


def test_rank_of_a_process_by_itself_means_nothing(
    wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("RANK", "3")
    outcome = wsss("evaluate", "--pred", tmp_path / "none", "--gt", tmp_path)
    assert outcome.err.startswith("error: --pred ")


LOST_INTERRUPT = """
import signal, sys, time, weakref
from wsss_cli.__main__ import repeat_interrupt

class Thing: pass

def interrupted(_):
    signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.unraisablehook = repeat_interrupt
thing = Thing()
watched = weakref.ref(thing, interrupted)
try:
    del thing
    time.sleep(600)
except KeyboardInterrupt:
    print("heard")
"""


def test_interrupt_where_nothing_can_be_raised_is_not_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOST_INTERRUPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("heard\n", "")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3 GiB for an array"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        cv2.error("OpenCV: Insufficient memory, failed to allocate"),
    ],
    ids=["numpy", "card", "cpu", "opencv"],
)
@pytest.mark.parametrize(
    ("stage", "options"),
    [
        ("train", ["--batch-size", "--crop"]),
        ("attend", ["--batch-size", "--size", "--scales"]),
        ("segment", ["--batch-size", "--accumulate", "--crop", "--scales"]),
        ("crf", ["--workers"]),
    ],
)
def test_too_little_memory_names_the_options_that_need_less(
    wsss: Command, monkeypatch: pytest.MonkeyPatch, stage: str, options: list[str], error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(f"wsss_cli.stages.{stage}.run", fail)
    monkeypatch.setattr("wsss_cli.stages.execution.check_usage", lambda *_: None)
    outcome = wsss(stage)
    assert outcome.code == 1
    assert outcome.err.startswith("error: out of memory (")
    assert outcome.err.count("\n") == 1
    shown = wsss(stage, "--help").out
    for option in options:
        assert option in outcome.err
        assert option in shown
