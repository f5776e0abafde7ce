"""Every command of README and docs/ is run, in the order of its page, on tiny drawn data.

The drawn data has the names that the pages use. A command runs as it stands, with options behind it
that keep it short; what cannot run in a test is in ``NOT_RUN`` with the reason.
"""

import re
import shlex
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import CLASSES, Command, TinyVoc, classes_of, draw_voc
from data_sets_drawn import coco_set
from onnx_file import write_weighted_channels
from pages import PAGES, ROOT, commands, text
from PIL import Image
from pixels_drawn import cracks

from wsss_cli.data.synthetic import draw_voc_data_set

NOT_RUN = {
    r"python3 -m venv ": "installs from a package index: .ci/run does it on a fresh clone",
    r"\.venv/bin/wsss demo$": "takes minutes: tests/cli/test_demo.py",
    r"pip install ": "installs from a package index",
    r"torchrun ": "several processes: tests/reliability/test_ranks.py",
    r"python benchmarks/": "measures for minutes: tests/benchmarks runs them on little",
    r"(WSSS_\w+=\S+ )?(\.venv/bin/)?pytest": "the tests themselves",
    r"wsss attend --model ": "needs the extra onnxruntime: tests/stages/test_attend_onnx.py",
    r"(wsss|python3) .*(clip_es|runs/hub|from_cvat|elsewhere\.onnx)": "test_other_tools_recipe.py",
    r"wsss export-network ": "needs the extra onnx: tests/cli/test_export_network.py",
    r"scripts/on_card\.sh ": "needs a card: pytest -m cuda",
}
# Stays behind a command, where the last value of an option counts.
SHORT = {
    # Heads alone need a trunk that has learned something, which the tiny one has not.
    "train": "--backbone tiny --iterations 4 --batch-size 4 --crop 32 --amp off --no-heads-only",
    "attend": "--size 48 --amp off",
    "segment": "--amp off",
    "predict": "--amp off",
}
SHORT_EDGES = "--amp off --backbone tiny --iterations 2 --batch-size 2 --crop 32 --steps 2"
SHORT_LEARNING = "--model tiny --iterations 2 --batch-size 2 --crop 32 --no-heads-only"
COMPARED = """
[train]
backbone = "tiny"
iterations = 2
batch-size = 2
crop = 32
[attend]
size = 32
[settings.SeeNet]
train.method = "seenet"
[settings.CAM]
train.method = "cam"
"""
ROUNDS = """
[train]
backbone = "tiny"
iterations = 2
batch-size = 2
crop = 32
[attend]
size = 32
[segment]
iterations = 2
batch-size = 2
crop = 32
[[relabel]]
proxy.rule = "masked"
"""
ALWAYS = ["README.md"]
SLOW = [str(page.relative_to(ROOT)) for page in PAGES if page.name != "README.md"]


@pytest.mark.parametrize(
    "page", [*ALWAYS, *(pytest.param(page, marks=pytest.mark.slow) for page in SLOW)]
)
def test_commands_run_as_they_stand(
    page: str, wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for line in commands(page) if not any(re.match(why, line) for why in NOT_RUN)]
    strangers = [line for line in lines if not line.startswith("wsss ")]
    assert not strangers, "neither a command of ours nor in NOT_RUN"
    if not lines:
        return
    monkeypatch.chdir(tmp_path)
    _draw_everything(tmp_path)
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "demo":  # its stages take minutes; what it draws is what the page needs
            draw_voc_data_set(Path(words[1]), train_images=24, val_images=4, seed=0)
            continue
        outcome = wsss(*words, *_short(words))
        assert outcome.code == 0, f"{line}\n{outcome.err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_of_commands_in_sentences_exist(page: Path, wsss: Command) -> None:
    """A command in the midst of a sentence or a table has the options that it is shown with."""
    known: dict[str, set[str]] = {}
    for code in re.findall(r"`(wsss [^`]*)`", text(str(page.relative_to(ROOT)))):
        words = code.split()[1:]
        command = " ".join(words[:2] if words[:1] == ["data"] else words[:1])
        options = {word for word in words if re.fullmatch(r"--[a-z][\w-]*", word)}
        if options and re.fullmatch("[a-z ]+", command):
            if command not in known:
                known[command] = set(re.findall(r"--[\w-]+", wsss(*command.split(), "-h").out))
            assert options <= known[command], code


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.sh")), ids=lambda p: p.stem)
def test_options_of_the_examples_exist(path: Path, wsss: Command) -> None:
    content = path.read_text(encoding="utf-8").replace("\\\n", " ")
    calls = ("wsss ", "shared ")  # the function that starts several processes
    lines = [line.split() for line in content.splitlines() if line.strip().startswith(calls)]
    assert lines or "multi_node.sh" in content
    for _, command, *words in lines:
        known = set(re.findall(r"--[\w-]+", wsss(command, "--help").out))
        assert {word for word in words if word.startswith("--")} <= known


def _short(words: list[str]) -> list[str]:
    short = SHORT.get(words[0], "").split()
    if words[0] == "segment" and "--checkpoint" not in words:
        short += SHORT_LEARNING.split()
    if words[0] == "refine" and "--edges" in words:
        short += SHORT_EDGES.split()
    if words[0] == "train" and "--weights" in words:
        short += ["--weights", "none"]  # the file on the page is VGG16's
    return short


def _draw_everything(root: Path) -> None:
    """Draw what the pages speak of, under the names that they use."""
    voc = draw_voc(root)
    shutil.copytree(voc.saliency, root / "saliency_maps")
    shutil.copy(voc.split("val"), voc.split("test"))
    write_weighted_channels(root / "u2netp.onnx", (1.0, 0.0, 0.0), size=320)
    (root / "compare_methods.toml").write_text(COMPARED)
    (root / "rounds.toml").write_text(ROUNDS)
    masks = [voc.mask(image_id) for image_id in voc.val_ids]
    for folder in ("their_masks", "our_masks", "their_probabilities", "black_and_white", "holiday"):
        (root / folder).mkdir()
    for mask in masks:
        shutil.copy(mask, root / "their_masks")
        shutil.copy(mask, root / "our_masks")
        shutil.copy(voc.image(mask.stem), root / "holiday")
        labels = np.array(Image.open(mask))
        white = np.where((labels > 0) & (labels < 255), 255, 0).astype(np.uint8)
        Image.fromarray(white).save(root / "black_and_white" / mask.name)
        even = np.full((1 + len(CLASSES), 6, 8), 1 / (1 + len(CLASSES)), np.float32)
        np.save(root / "their_probabilities" / f"{mask.stem}.npy", even)
    _write_attention(root / "other_tool.h5", voc)
    for folder in ("their_maps", "regions"):
        (root / folder).mkdir()
    for index, image_id in enumerate(voc.train_ids):
        maps = {column: np.eye(48, 64, dtype=np.float32) for column in classes_of(index)}
        np.save(root / "their_maps" / f"{image_id}.npy", maps)
        thirds = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) // 1024 + 1
        Image.fromarray(thirds).save(root / "regions" / f"{image_id}.png")
    coco_set(root / "COCO")
    cracks(root / "cracks")
    _write_photos(root / "photos", voc)


def _write_attention(path: Path, voc: TinyVoc) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = 1
        file.attrs["class_names"] = list(CLASSES)
        for index, image_id in enumerate(voc.train_ids):
            class_ids = np.array([1 + column for column in classes_of(index)], np.uint8)
            rng = np.random.default_rng(index)
            file[f"{image_id}/maps"] = rng.random((len(class_ids), 48, 64), np.float32)
            file[f"{image_id}/class_ids"] = class_ids


def _write_photos(root: Path, voc: TinyVoc) -> None:
    """Draw pictures with a CSV of labels and splits, and masks beside them."""
    (root / "masks").mkdir(parents=True)
    rows = ["image,labels,split"]
    for index, image_id in enumerate([*voc.train_ids, *voc.val_ids]):
        shutil.copy(voc.image(image_id), root)
        shutil.copy(voc.mask(image_id), root / "masks")
        names = " ".join(CLASSES[column] for column in classes_of(index))
        rows.append(f"{image_id}.jpg,{names},{'val' if image_id in voc.val_ids else 'train'}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
