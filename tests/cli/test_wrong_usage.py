"""Wrong usage: told before torch is imported, missing paths first, close names suggested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Command, TinyVoc, clean_environment, train_arguments

# What is wrong with each command line, by the option or the file that the sentence must name.
WRONG = {
    "train --method seanet": "--method",
    "train --data nowhere": "--data nowhere",
    "train": "--data",
    "train --data DATA --split vall": "vall",
    "train --data DATA --config broken.toml": "broken.toml",
    "train --data DATA --lr -1": "--lr",
    "train --data DATA --gain-sigma 0.1": "--gain-sigma",
    "train --data DATA --weights imagnet": "--weights imagnet",
    "train --data DATA --start nowhere.pt": "--start nowhere.pt",
    "train --data DATA --backbone tiny --heads-only": "--heads-only",
    "train --data DATA --backbone tiny --preset quick": "--preset quick",
    "train --data DATA --backbone tiny --weights imagenet": "--weights imagenet",
    "train --data DATA --backbone resnet50 --weights none": "--weights none",
    "train --data DATA --method eps --saliency broken.toml": "--saliency broken.toml",
    "train --data DATA --tracker comet": "--tracker",
    "train --data DATA --tracker mlflow": "wsss-cli[mlflow]",
    "segment --data DATA --tracker wandb": "wsss-cli[wandb]",
    "train --data DATA --no-such-option": "--no-such-option",
    "train --data empty": "--data empty",
    "attend": "wsss train",
    "attend --checkpoint nowhere.pt --data DATA": "--checkpoint nowhere.pt",
    "saliency --data DATA": "--model",
    "saliency --model nowhere.onnx --data DATA": "--model nowhere.onnx",
    "proxy": "wsss attend",
    "proxy --attention nowhere.h5": "--attention nowhere.h5",
    "proxy --saliency nowhere": "--saliency nowhere",
    "proxy --rule masked --attention empty --saliency empty": "--prediction",
    "proxy --rule masked --attention empty --saliency empty --prediction empty": "--prediction",
    "refine --edges --attention pngs --proxy pngs --data DATA --backbone tiny --weights imagenet": (
        "--weights imagenet"
    ),
    "segment --data DATA --proxy pngs --model tiny --weights imagenet": "--weights imagenet",
    "segment --data DATA --proxy pngs --corrected empty": "--corrected empty",
    "segment --data DATA": "wsss proxy",
    "segment --data DATA --proxy nowhere": "--proxy nowhere",
    "segment --data DATA --proxy empty": "--proxy empty",
    "segment --data DATA --train-split nowhere --supervision full": "nowhere",
    "segment --data DATA --submission empty/a.zip": "--submission",
    "crf --data DATA": "wsss segment",
    "crf --logits": "--logits",
    "crf --data DATA --scores broken.toml --logits": "--logits",
    "evaluate": "wsss segment",
    "evaluate --pred nowhere": "--pred nowhere",
    "evaluate --pred empty --gt nowhere": "--gt nowhere",
    "evaluate --pred empty --data DATA": "--pred empty",
    "evaluate --what proxies": "--what",
    "evaluate --fail-under 40": "--fail-under",
    "evaluate --against nowhere": "--against nowhere",
    "report": "wsss train",
    "report nowhere": "nowhere",
    "report --run nowhere": "--run nowhere",
    "show nowhere": "nowhere",
    "show --image x": "wsss train",
    "check nowhere.tar.gz": "nowhere.tar.gz",
    "compare nowhere.toml": "nowhere.toml",
    "compare methods.toml": "--data",
    "compare methods.toml --data DATA": "--saliency",
    "compare tiny.toml --data DATA": "tiny.toml: [settings.a] does not fit train: --heads-only",
    "rounds rounds.toml --data DATA": "rounds.toml: [first round] does not fit train: --heads-only",
    "doctor --data nowhere": "--data nowhere",
    "data check nowhere": "nowhere",
    "data convert nowhere out": "nowhere",
}

# What is there and cannot be read as what it is given for.
BROKEN = {
    "proxy --attention broken.toml --rule threshold": "broken.toml",
    "refine --attention broken.toml --data DATA --regions empty": "broken.toml",
    "segment --data DATA --supervision full --prohibitive --attention broken.toml": "broken.toml",
    "evaluate --what attention --attention broken.toml --data DATA": "broken.toml",
    "crf --data DATA --scores broken.toml": "broken.toml",
    "segment --data DATA --proxy pngs --pixel-weights empty": "--pixel-weights empty",
}

_WITHOUT_TORCH = """
import contextlib, io, json, sys
sys.modules["torch"] = sys.modules["torchvision"] = None
from wsss_cli.artifacts import trackers
from wsss_cli.cli.app import app
trackers.find_spec = lambda name: None  # no extra is installed
found = {}
for line in json.loads(sys.argv[1]):
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        try:
            app(line.split())
        except SystemExit as stop:
            found[line] = (stop.code, err.getvalue())
print(json.dumps(found))
"""


def test_wrong_usage_is_told_without_torch(voc: TinyVoc, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "pngs").mkdir()
    (tmp_path / "pngs" / "a.png").write_text("")
    (tmp_path / "broken.toml").write_text("[train\n")
    (tmp_path / "methods.toml").write_text("[settings.cam]\ntrain.method = 'cam'\n")
    tiny = "[train]\nbackbone = 'tiny'\npreset = 'quick'\n"
    (tmp_path / "tiny.toml").write_text(f"{tiny}[settings.a]\ntrain.method = 'cam'\n")
    (tmp_path / "rounds.toml").write_text(tiny)
    (tmp_path / "DATA").symlink_to(voc.root)
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, json.dumps([*WRONG, *BROKEN])],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for line, named in {**WRONG, **BROKEN}.items():
        code, said = found[line]
        assert code == (1 if line in BROKEN else 2), (line, said)
        assert named in said.splitlines()[-1], (line, said)
        assert "Traceback" not in said, line


@pytest.mark.parametrize(
    "line",
    [
        "train --data nowhere --method seanet",
        "attend --checkpoint nowhere --size 3",
        "segment --proxy nowhere --crop 1",
        "proxy --saliency nowhere --rule threshold",
        "crf --scores nowhere --preset none",
        "evaluate --gt nowhere --what nothing",
        "saliency --model nowhere --passes 7",
        "check nowhere --data elsewhere",
        "compare nowhere --data elsewhere",
        "report nowhere --data elsewhere",
    ],
)
def test_a_missing_path_is_named_before_anything_else(
    wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = wsss(*line.split())
    assert outcome.code == 2
    assert any(path in outcome.err for path in ("nowhere", "elsewhere"))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("train --method seanet", "seenet"),
        ("train --backbone vgg61", "vgg16"),
        ("proxy --rule threshhold", "threshold"),
        ("crf --preset deeplab-v1", "deeplab-v2"),
        ("segment --model deeplab-largefov-resnet11", "deeplab-largefov-resnet101"),
        ("evaluate --what predictions", "prediction"),
        ("train --weights imagnet", "imagenet"),
        ("saliency --model unsupervized", "unsupervised"),
        ("train --data VOC2021", "VOC2012"),
        ("train --data VOC2021/JPEGImages", "VOC2012/JPEGImages"),
        ("data check voc2012", "VOC2012"),
        ("train --data VOC2012 --split vall", "val"),
        ("train --data VOC2012 --iteratons 5", "--iterations"),
        ("train --config close.toml", "iterations"),
        ("train --config tables.toml", "train"),
        ("compare close_setting.toml --data VOC2012", "iterations"),
        ("compare close_stage.toml --data VOC2012", "train"),
        ("report runs/defualt", "runs/default"),
        ("show runs/defualt", "runs/default"),
        ("evaluate --run runs/defualt", "runs/default"),
        ("doctro", "doctor"),
    ],
)
def test_close_names_are_suggested(
    wsss: Command,
    voc: TinyVoc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    meant: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "VOC2012").symlink_to(voc.root)
    (tmp_path / "runs/default").mkdir(parents=True)
    (tmp_path / "close.toml").write_text("[train]\niteration = 5\n")
    (tmp_path / "tables.toml").write_text("[trian]\niterations = 5\n")
    (tmp_path / "close_setting.toml").write_text("[settings.a]\ntrain.iteration = 5\n")
    (tmp_path / "close_stage.toml").write_text("[settings.a]\ntran.iterations = 5\n")
    outcome = wsss(*line.split())
    assert outcome.code == 2
    last = outcome.err.splitlines()[-1]
    assert meant in last.partition("ossible options")[2] or (
        last.rstrip("?'").endswith(meant) and "id you mean" in last
    )


def test_names_that_are_far_from_any_are_not_guessed_at(wsss: Command, tmp_path: Path) -> None:
    (tmp_path / "something").mkdir()
    assert "did you mean" not in wsss("train", "--method", "transformer").err
    assert "did you mean" not in wsss("train", "--data", tmp_path / "photographs").err


def test_a_class_of_a_close_name_is_suggested(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    annotation = own_voc.annotation(own_voc.train_ids[1])
    annotation.write_text(annotation.read_text().replace("disc", "disk"))
    outcome = wsss(*train_arguments(own_voc, tmp_path / "run"))
    assert outcome.code == 1
    assert "did you mean disc?" in outcome.err


def test_both_ways_to_name_a_run_work(wsss: Command, trained: Path, tmp_path: Path) -> None:
    for command in ("show", "report"):
        out = [] if command == "show" else ["--out", tmp_path / "a.html", "--images", 0]
        by_position = wsss(command, trained, "--json", *out).values
        by_option = wsss(command, "--run", trained, "--json", *out).values
        by_position.pop("status", None)
        by_option.pop("status", None)
        assert by_position == by_option


def test_where_a_saliency_network_is_to_be_had_is_said(wsss: Command, tmp_path: Path) -> None:
    for arguments in (["saliency"], ["saliency", "--model", tmp_path / "absent.onnx"]):
        outcome = wsss(*arguments)
        assert outcome.code == 2
        for fact in (
            "u2netp.onnx",
            "Apache-2.0",
            "4,574,861 bytes",
            "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
            "https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx",
            "unsupervised",
        ):
            assert fact in outcome.err
