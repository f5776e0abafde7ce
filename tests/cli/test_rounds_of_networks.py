"""``wsss rounds``: networks that label for the next one, stopped and continued at will."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, Outcome, TinyVoc
from PIL import Image

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.cli.rounds_file import read_rounds
from wsss_cli.configs.rounds import Round, RoundsConfig
from wsss_cli.errors import DivergenceError, UsageError

TEXT = """
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
[segment]
iterations = 300
batch-size = 6
crop = 48
lr = 0.02
weight-decay = 0.0
scales = [1.0]
flip = false
amp = "off"
"""
SHORT = TEXT.replace("iterations = 300", "iterations = 2")
# Only what a network of its own labels learns from has to show objects.
LATER = """
[[relabel]]
segment.iterations = 2
[[relabel]]
proxy.rule = "masked"
segment.iterations = 2
[[relabel]]
crf.preset = "oaa"
crf.uncertainty = true
proxy.rule = "masked"
segment.iterations = 2
segment.lr = 0.01
"""
STAGES = [
    *[("round-1", stage) for stage in ("train", "attend", "proxy", "segment")],
    *[("round-2-labels", "segment"), ("round-2", "segment")],
    *[("round-3-labels", "segment"), ("round-3-labels", "proxy"), ("round-3", "segment")],
    *[("round-4-labels", stage) for stage in ("segment", "crf", "proxy")],
    ("round-4", "segment"),
]
LABELS = {
    1: Path("round-1/proxy/labels"),
    2: Path("round-2-labels/segment/predictions"),
    3: Path("round-3-labels/proxy/labels"),
    4: Path("round-4-labels/proxy/labels"),
}


def _arguments(voc: TinyVoc, folder: Path, text: str = TEXT + LATER) -> list[str]:
    file = folder / "rounds.toml"
    file.write_text(text)
    places = ["--data", voc.root, "--saliency", voc.saliency, "--out", folder / "out"]
    return ["rounds", str(file), *map(str, places), "--workers", "1", "--seed", "3"]


@pytest.fixture(scope="module")
def folder(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with finished rounds; tests only read it."""
    from wsss_cli.cli.app import app

    folder = tmp_path_factory.mktemp("rounds")
    with pytest.raises(SystemExit) as stop:
        app([*_arguments(voc, folder), "-q"])
    assert not stop.value.code
    return folder


def _refused(outcome: Outcome, code: int, *parts: object) -> None:
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    for part in parts:
        assert str(part) in lines[-1]


def _rounds(folder: Path) -> list[dict[str, object]]:
    rounds: list[dict[str, object]] = json.loads((folder / "out/rounds.json").read_text())["rounds"]
    return rounds


def test_every_result_is_kept_in_an_ordinary_run(wsss: Command, folder: Path) -> None:
    for run, stage in STAGES:
        assert read_manifest(folder / "out" / run / stage)["status"] == "complete"
    for run in dict(STAGES):
        shown = wsss("show", folder / "out" / run, "--json").values["stages"]
        for stage in shown.values():
            assert {entry["state"] for entry in stage["inputs"].values()} <= {"same"}


def test_each_network_learns_from_what_the_one_before_has_labelled(
    voc: TinyVoc, folder: Path
) -> None:
    out = folder / "out"
    for number in (2, 3, 4):
        source = out / LABELS[number]
        predicted = read_manifest(out / f"round-{number}-labels" / "segment")
        checkpoint = out / f"round-{number - 1}" / "segment" / "checkpoint.pt"
        assert predicted["inputs"]["checkpoint"]["path"] == str(checkpoint)
        learned = read_manifest(out / f"round-{number}" / "segment")
        assert learned["inputs"]["supervision"]["path"] == str(source)
        assert learned["seed"] == 3
        assert learned["settings"]["lr"] == (0.01 if number == 4 else 0.02)
        assert ("pixel_weights" in learned["inputs"]) == (number == 4)
        for index, image_id in enumerate(voc.train_ids):  # told the labels of the image
            shown = set(np.unique(read_label_map(source / f"{image_id}.png")).tolist())
            possible = {index % 3 + 1, *([(index + 1) % 3 + 1] if index % 4 == 0 else [])}
            assert shown <= {0, 255, *possible}
    for number, revised in ((3, "segment/predictions"), (4, "crf/labels")):
        inputs = read_manifest(out / f"round-{number}-labels" / "proxy")["inputs"]
        assert inputs["attention"]["path"] == str(out / "round-1" / "attend" / "attention.h5")
        assert inputs["prediction"]["path"] == str(out / f"round-{number}-labels" / revised)


def _miou(voc: TinyVoc, folder: Path, image_ids: list[str]) -> float:
    """Counted pixel by pixel."""
    counts = np.zeros((4, 5))
    for image_id in image_ids:
        target = np.asarray(Image.open(voc.mask(image_id)))
        labels = np.asarray(Image.open(folder / f"{image_id}.png"))
        for truth, label in zip(target.flat, labels.flat, strict=True):
            if truth != 255:
                counts[truth, min(label, 4)] += 1
    ious = [
        counts[label, label] / (counts[label].sum() + counts[:, label].sum() - counts[label, label])
        for label in range(4)
    ]
    return float(sum(ious) / 4)


def test_scores_and_gains_are_those_of_the_label_maps_pixel_by_pixel(
    voc: TinyVoc, folder: Path
) -> None:
    out = folder / "out"
    labels = [_miou(voc, out / place, voc.train_ids) for place in LABELS.values()]
    networks = [
        _miou(voc, out / f"round-{number}" / "segment" / "predictions", voc.val_ids)
        for number in (1, 2, 3, 4)
    ]
    for kind, expected in (("labels", labels), ("network", networks)):
        before = None
        for each, score in zip(_rounds(folder), expected, strict=True):
            scored = each[kind]
            assert isinstance(scored, dict)
            assert scored["miou"] == pytest.approx(score)
            if before is None:
                assert scored["difference"] is None
            else:
                assert scored["difference"] == pytest.approx(score - before)
                assert scored["low"] <= scored["difference"] <= scored["high"]
            before = score
    rows = [line for line in (out / "rounds.md").read_text().splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == ["| round", "| 1", "| 2", "| 3", "| 4"]
    assert f" {100 * networks[3]:.1f} " in rows[4]


def test_commands_shown_find_everything_up_to_date(wsss: Command, folder: Path) -> None:
    commands = [line for each in _rounds(folder) for line in each["commands"]]  # type: ignore[attr-defined]
    assert len(commands) == len(STAGES) + 8
    for line in commands:
        word, *arguments = shlex.split(line)
        assert word == "wsss"
        if arguments[0] != "evaluate":
            assert wsss(*arguments, "--json").values["status"] == "up to date", line


def test_what_is_there_is_left_and_what_is_missing_is_made(
    wsss: Command, voc: TinyVoc, folder: Path, tmp_path: Path
) -> None:
    line = [*_arguments(voc, folder), "--json"]
    assert wsss(*line).values["status"] == "up to date"
    states = {each["state"] for each in wsss(*line, "--dry-run").values["stages"]}
    assert states == {"complete"}
    # As if it had been stopped in the third round: what was there stays, the rest is the same.
    out = tmp_path / "out"
    shutil.copytree(folder / "out", out)
    line = [*_arguments(voc, tmp_path), "--json"]
    for run in ("round-3", "round-4-labels", "round-4"):
        shutil.rmtree(out / run)
    kept = out / "round-2" / "segment" / "checkpoint.pt"
    before = kept.stat().st_ino
    plan = wsss(*line, "--dry-run").values["stages"]
    assert [each["state"] for each in plan] == ["complete"] * 8 + ["new"] * 5
    whole = wsss(*line).values
    assert whole["status"] == "complete"
    assert kept.stat().st_ino == before
    scores = [[each[kind] for kind in ("labels", "network")] for each in whole["rounds"]]
    assert scores == [[each[kind] for kind in ("labels", "network")] for each in _rounds(folder)]


def test_without_saliency_the_first_labels_need_none(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    line = _arguments(voc, tmp_path, SHORT)
    del line[line.index("--saliency") : line.index("--saliency") + 2]
    outcome = wsss(*line, "--json")
    assert outcome.code == 0, outcome.err
    assert read_manifest(tmp_path / "out" / "round-1" / "proxy")["settings"]["rule"] == "irn"
    _refused(
        wsss(*_replaced(line, tmp_path, SHORT + LATER)),
        2,
        "masked",
        "--saliency",
        f"--data {voc.root}",
    )


def test_rule_without_saliency_is_that_of_the_planned_attention_also_when_resumed(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    line = _arguments(voc, tmp_path, SHORT.replace("size = 32", 'preset = "quick"\nsize = 32'))
    del line[line.index("--saliency") : line.index("--saliency") + 2]
    outcome = wsss(*line, "--json")
    assert outcome.code == 0, outcome.err
    proxies = tmp_path / "out" / "round-1" / "proxy"
    assert read_manifest(proxies)["settings"]["rule"] == "threshold"
    assert wsss(*line, "--json").values["status"] == "up to date"


@pytest.mark.parametrize(
    ("proxy", "rule"),
    [
        ("", "irn"),
        ('crf = "dcsp"', "threshold"),
        ("background-score = 0.4\nrule = 'threshold'", "threshold"),
    ],
)
def test_options_of_no_rule_leave_the_rule_without_saliency_open(
    voc: TinyVoc, tmp_path: Path, proxy: str, rule: str
) -> None:
    (first,) = _read(voc, tmp_path, f"{SHORT}[proxy]\n{proxy}\n")
    labels = first.links[2]
    assert (labels.stage, labels.config.rule) == ("proxy", rule)


@pytest.mark.parametrize(
    ("train", "segment", "weights"),
    [
        ("", "", "given.pth"),
        ("weights = 'w.pth'", "", "w.pth"),
        ("start = 'x.pt'", "", "x.pt"),
        ("weights = 'w.pth'", "model = 'tiny'", "w.pth"),
        ("weights = 'w.pth'", "model = 'deeplab-largefov-resnet50'", None),
        ("start = 'x.pt'", "model = 'deeplab-largefov-resnet50'", None),
        ("start = 'x.pt'", "model = 'deeplab-largefov-resnet50'\nweights = 'r.pth'", "r.pth"),
    ],
)
def test_networks_of_all_rounds_start_from_the_same_weights(
    voc: TinyVoc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    train: str,
    segment: str,
    weights: str | None,
) -> None:
    monkeypatch.setenv("WSSS_WEIGHTS", "given.pth")
    text = f"[train]\nbackbone = 'tiny'\n{train}\n[segment]\n{segment}\n[[relabel]]\n"
    rounds = _read(voc, tmp_path, text, weights="given.pth")
    assert [each.links[-1].config.weights for each in rounds] == [weights] * 2


def test_weights_that_nothing_uses_are_refused(voc: TinyVoc, tmp_path: Path) -> None:
    text = "[train]\nbackbone = 'tiny'\nweights = 'w.pth'\n"
    with pytest.raises(UsageError, match="--weights is used by nothing"):
        _read(voc, tmp_path, text, weights="given.pth")


def _read(voc: TinyVoc, folder: Path, text: str, **settings: Any) -> list[Round]:
    (folder / "rounds.toml").write_text(text)
    return read_rounds(
        RoundsConfig(file=folder / "rounds.toml", out=folder / "out", data=voc.root, **settings)
    )


def _replaced(line: list[str], folder: Path, text: str) -> list[str]:
    (folder / "rounds.toml").write_text(text)
    return line


def test_labels_without_masks_are_not_scored(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    for image_id in own_voc.train_ids:
        own_voc.mask(image_id).unlink()
    outcome = wsss(*_arguments(own_voc, tmp_path, SHORT), "--json")
    assert outcome.code == 0, outcome.err
    (first,) = outcome.values["rounds"]
    assert first["labels"] is None
    assert first["network"]["miou"] is not None
    for image_id in own_voc.val_ids:
        own_voc.mask(image_id).unlink()
    shutil.rmtree(tmp_path / "out")
    refused = wsss(*_arguments(own_voc, tmp_path, SHORT))
    _refused(refused, 1, "val")
    assert not (tmp_path / "out").exists()


def test_masks_named_in_another_case_are_scored(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    for image_id in (*own_voc.train_ids, *own_voc.val_ids):
        own_voc.mask(image_id).rename(own_voc.mask(image_id).with_suffix(".PNG"))
    outcome = wsss(*_arguments(own_voc, tmp_path, SHORT), "--json")
    assert outcome.code == 0, outcome.err
    (first,) = outcome.values["rounds"]
    assert first["labels"]["images"] == 12
    assert first["network"]["images"] == 4


def test_diverged_training_names_its_rate(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise DivergenceError("the loss became nan", 5, None)

    monkeypatch.setattr("wsss_cli.stages.train.run", diverge)
    _refused(wsss(*_arguments(voc, tmp_path)), 1, "the loss became nan", "lr of train")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[train", ["cannot be read as TOML"]),
        ("[settings.a]", ["has settings", "[[relabel]]"]),
        ("[relabel]", ["[[relabel]]"]),
        ("relabel = [1]", ["[[relabel]]"]),
        ("[train]\niteratoins = 4", ["[train]", "iteratoins"]),
        ("[train]\nseed = 4", ["[train] cannot set seed", "--seed"]),
        ("[segment]\ncheckpoint = 'x'", ["[segment] cannot set checkpoint"]),
        ("[segment]\nscales = 1.0\niterations = 0", ["--iterations must be above 0"]),
        ("[[relabel]]\ntrain.lr = 1.0", ["relabel number 1", "has train", "crf, proxy, segment"]),
        ("[[relabel]]\n[[relabel]]\ncrf.presets = 'irn'", ["relabel number 2", "presets"]),
        ("[[relabel]]\nsegment.pixel-weights = 'x'", ["crf.uncertainty"]),
        ("[[relabel]]\nsegment.proxy = '.'", ["relabel number 1", "cannot set proxy"]),
        ("[segment]\nproxy = '.'", ["[segment] cannot set proxy"]),
        (
            "[[relabel]]\nproxy.rule = 'masked'\nproxy.potential-attention = 'nowhere.h5'",
            ["rounds.toml", "round-2", "--potential-attention nowhere.h5"],
        ),
        ("[[relabel]]\nproxy.rule = 'seenet'", ["relabel number 1", "seenet", "masked"]),
        ("[[relabel]]\nproxy.w = 2", ["relabel number 1", "seenet", "masked"]),
        ("[[relabel]]\nproxy.rule = 'maskd'", ["--rule must be one of", "'maskd'"]),
    ],
)
def test_file_that_does_not_fit_is_one_sentence(
    wsss: Command, voc: TinyVoc, tmp_path: Path, text: str, parts: list[str]
) -> None:
    _refused(wsss(*_arguments(voc, tmp_path, text)), 2, "rounds.toml", *parts)
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_told_before_any_work(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    line = _arguments(own_voc, tmp_path)
    without = [word for word in line if word not in ("--data", str(own_voc.root))]
    _refused(wsss(*without), 2, "--data")
    (own_voc.saliency / f"{own_voc.train_ids[1]}.png").unlink()
    _refused(wsss(*line), 1, "--saliency", own_voc.train_ids[1])
    assert not (tmp_path / "out").exists()


def test_every_round_weights_its_own_scores_by_the_attention_of_the_first(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    later = '[[relabel]]\nproxy.rule = "masked"\n'
    text = SHORT + f"prohibitive = true\n{later}{later}segment.prohibitive = false\n"
    outcome = wsss(*_arguments(voc, tmp_path, text))
    assert outcome.code == 0, outcome.err
    out = tmp_path / "out"
    inputs = [read_manifest(out / f"round-{n}" / "segment")["inputs"] for n in (1, 2, 3)]
    assert [each.get("attention", {}).get("path") for each in inputs] == [
        str(out / "round-1" / "attend" / "attention.h5"),
        str(out / "round-1" / "attend" / "attention.h5"),
        None,
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[proxy]\nrule = 'masked'", ["[proxy]", "masked", "[[relabel]]"]),
        ("[segment]\nlabel-correction = 'adele'\niterations = 2", ["--label-correction", "is 2;"]),
        (
            "[[relabel]]\n[[relabel]]\nsegment.label-correction = 'adele'\nsegment.iterations = 2",
            ["--label-correction", "is 2;"],
        ),
        ("[segment]\nheads-only = true", ["--heads-only", "--weights"]),
        ("[[relabel]]\nsegment.heads-only = true", ["--heads-only", "--weights"]),
        ("[segment]\ntracker = 'wandb'", ["--tracker wandb"]),
        ("[[relabel]]\nsegment.tracker = 'wandb'", ["--tracker wandb"]),
        ("[attend]\nsplit = 'val'", ["[attend]", "lacks 12 images", "[train]"]),
        ("[[relabel]]\nsegment.split = 'train'", ["segment.split train", "12 images", "[segment]"]),
    ],
)
def test_what_a_later_stage_would_miss_is_told_before_any_work(
    wsss: Command,
    voc: TinyVoc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    parts: list[str],
) -> None:
    monkeypatch.setattr("wsss_cli.artifacts.trackers.find_spec", lambda _: None)
    text = f"[train]\nbackbone = 'tiny'\n{text}\n"
    _refused(wsss(*_arguments(voc, tmp_path, text), "--dry-run"), 2, *parts)
    assert not (tmp_path / "out").exists()


def test_a_file_of_rounds_is_known(wsss: Command, tmp_path: Path) -> None:
    (tmp_path / "rounds.toml").write_text(TEXT + LATER)
    assert "wsss rounds" in wsss("show", tmp_path / "rounds.toml").out
