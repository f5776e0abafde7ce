"""Data sets as people have them: found or refused, and ``data check`` says so beforehand."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from data_sets_drawn import (
    MISSING,
    POLYGON,
    class_folders,
    coco_set,
    photograph,
    square_mask,
    voc_set,
)
from PIL import ExifTags, Image

from wsss_cli.artifacts.label_png import read_label_map

IDS = [f"p{i:02d}" for i in range(6)]
NAMES = [f"im{i}.jpg" for i in range(4)]
TINY = ["--backbone", "tiny", "--iterations", 1, "--batch-size", 2, "--crop", 32]


def _folders(*lists: str) -> list[str]:
    return [f"{name}/{split}" for name in lists for split in ("normal", "sick")]


def _without(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).unlink()
    return root


def _exports(root: Path) -> Path:
    """A CSV with a column for each class in the folder of each list."""
    for split in ("train", "valid"):
        for i in range(3):
            photograph(root / split / f"{split}{i}.jpg", i)
        rows = [f"{split}{i}.jpg, {i % 2}, {1 - i % 2}\n" for i in range(3)]
        (root / split / "_classes.csv").write_text("filename, cat, dog\n" + "".join(rows))
    return root


def _table(root: Path, *lines: str) -> Path:
    for i in range(4):
        photograph(root / f"l{i}.jpg", i)
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def _unreadable_class(root: Path) -> Path:
    class_folders(root, ["cat", "dog"])
    (root / "fox").mkdir()
    (root / "fox" / "a.heic").touch()
    return root


# Of each whether it can be used, and what draws it.
SETS: dict[str, tuple[bool, Callable[[Path], Path]]] = {
    "coco": (True, coco_set),
    "coco without regions": (True, lambda p: coco_set(p, lambda i: MISSING)),
    "coco with empty regions": (True, lambda p: coco_set(p, lambda i: [])),
    "coco with half the regions": (True, lambda p: coco_set(p, lambda i: [POLYGON] * (i % 2))),
    "coco with flat regions": (True, lambda p: coco_set(p, lambda i: POLYGON)),
    "coco with stray points": (True, lambda p: coco_set(p, lambda i: [POLYGON, [32.0, 24.0]])),
    "coco with backslashes": (True, lambda p: coco_set(p, files=["images\\" + n for n in NAMES],
                                                       on_disk=NAMES)),
    "coco with capitals": (True, lambda p: coco_set(p, on_disk=[n.upper() for n in NAMES])),
    "coco without pictures": (False, lambda p: coco_set(p, files=["x.jpg", "y.jpg"],
                                                        on_disk=NAMES)),
    "coco without one picture": (False, lambda p: _without(coco_set(p), "images/im1.jpg")),
    "coco with a foreign category": (False, lambda p: coco_set(p, category_id=7)),
    "lists called otherwise": (True, lambda p: class_folders(p, _folders("Training", "Testing"))),
    "lists without train": (False, lambda p: class_folders(p, _folders("site_a", "site_b"))),
    "lists beside others": (False, lambda p: class_folders(p, _folders("train", "test", "x"))),
    "class folders": (True, lambda p: class_folders(p, ["cat", "dog"])),
    "class of unreadable files": (False, _unreadable_class),
    "one level down": (True, lambda p: class_folders(p / "x", _folders("train", "test")).parent),
    "csv in each list": (True, _exports),
    "csv": (True, lambda p: _table(p, "image,labels", "l0.jpg,cat", "l1.jpg,dog")),
    "csv with lists": (True, lambda p: _table(p, "image,labels,split", "l0.jpg,cat,Training",
                                              "l1.jpg,dog,Training", "l2.jpg,dog,test set")),
    "csv with a missing picture": (False, lambda p: _table(p, "image,labels", "l0.jpg,cat",
                                                           "l1.jpg,dog", "gone.jpg,dog")),
    "csv without train": (False, lambda p: _table(p, "image,labels,split", "l0.jpg,cat,val",
                                                  "l1.jpg,dog,val")),
    "voc": (True, voc_set),
    "voc without lists": (True, lambda p: voc_set(p, lists=None)),
    "voc with lists in Main": (True, lambda p: voc_set(p, lists="ImageSets/Main")),
    "voc with capitals": (True, lambda p: voc_set(p, ending=".JPG")),
    "voc with deeplab's lists": (True, lambda p: voc_set(p, lines=[
        f"/JPEGImages/{i}.jpg /SegmentationClassAug/{i}.png" for i in IDS])),
    "voc with file names": (True, lambda p: voc_set(p, lines=[f"{i}.jpg" for i in IDS])),
    "voc with spaces": (True, lambda p: voc_set(p, [f"my photo {i}" for i in range(6)])),
    "voc with brackets": (True, lambda p: voc_set(p, [f"photo({i})" for i in range(6)])),
    "voc without one picture": (False, lambda p: _without(voc_set(p), "JPEGImages/p01.jpg")),
    "voc without one annotation": (False, lambda p: _without(voc_set(p), "Annotations/p01.xml")),
    "voc without train": (False, lambda p: _without(voc_set(p),
                                                    "ImageSets/Segmentation/train.txt")),
    "nothing": (False, lambda p: p),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_check_fails_where_train_refuses(wsss: Command, tmp_path: Path, name: str) -> None:
    usable, draw = SETS[name]
    (tmp_path / "set").mkdir()
    root = draw(tmp_path / "set")
    checked = wsss("data", "check", root, "--quiet")
    trained = wsss("train", "--data", root, "--run", tmp_path / "run", *TINY, "--dry-run")
    assert (checked.code == 0) == (trained.code == 0) == usable, (checked, trained)
    if not usable:
        assert "Traceback" not in checked.err + trained.err


def test_one_missing_picture_does_not_empty_the_check(wsss: Command, tmp_path: Path) -> None:
    for at, root in enumerate(
        (
            _table(tmp_path / "csv", "image,labels", *(f"l{i}.jpg,cat" for i in range(4))),
            coco_set(tmp_path / "coco"),
            voc_set(tmp_path / "voc"),
        )
    ):
        pictures = sorted(root.rglob("*.jpg"))
        pictures[1].unlink()
        outcome = wsss("data", "check", root, "--json")
        assert outcome.code == 1
        values = outcome.values
        assert any(pictures[1].name in problem for problem in values["problems"])
        assert values["lists"]["train"] == (3, 3, 4)[at]
        assert values["width"] == [64, 64, 64]
        assert sum(counts["train"] for counts in values["images_of_class"].values()) >= 3


def test_list_that_vanishes_is_a_problem_and_others_work(wsss: Command, tmp_path: Path) -> None:
    lines = ["l0.jpg,cat,train", "l1.jpg,dog,train", "x.jpg,cat,val", "y.jpg,dog,val"]
    root = _table(tmp_path, "image,labels,split", *lines)
    outcome = wsss("data", "check", root, "--json")
    assert outcome.code == 1
    assert outcome.values["lists"] == {"train": 2, "val": 0}
    (problem,) = outcome.values["problems"]
    assert "list val" in problem
    assert problem not in outcome.values["remarks"]
    trained = wsss("train", "--data", root, "--run", tmp_path / "run", *TINY)
    assert trained.code == 0
    assert "list val" in trained.err
    converted = wsss("data", "convert", root, tmp_path / "voc", "--json")
    assert converted.code == 0
    assert converted.values["lists"] == {"train": 2}
    assert "list val" in converted.err


def test_conversion_draws_what_can_be_drawn(wsss: Command, tmp_path: Path) -> None:
    regions = {0: [POLYGON], 1: [], 2: [POLYGON, [1, 1]], 3: None}
    root, out = coco_set(tmp_path / "coco", regions.__getitem__), tmp_path / "voc"
    outcome = wsss("data", "convert", root, out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["masks"] == 2
    assert sorted(path.stem for path in (out / "SegmentationClass").iterdir()) == ["im0", "im2"]
    assert (read_label_map(out / "SegmentationClass" / "im0.png") == square_mask(1)).all()
    assert len(outcome.values["warnings"]) == 3
    for said in ("2 of 4 objects", "im1, im3", "1 parts"):
        assert any(said in warning for warning in outcome.values["warnings"]), said
        assert said in outcome.err
    again = wsss("data", "convert", root, out, "--json")
    assert again.values["warnings"] == outcome.values["warnings"]
    assert wsss("data", "check", out).code == 0


@pytest.mark.parametrize("pattern", ["my photo {}", "photo({})", "été [{}]"])
def test_chain_on_ids_with_spaces_and_brackets(wsss: Command, tmp_path: Path, pattern: str) -> None:
    ids = [pattern.format(i) for i in range(6)]
    root, run = voc_set(tmp_path / "voc", ids), ("--run", tmp_path / "run")
    saliency = tmp_path / "saliency"
    saliency.mkdir()
    for image_id in ids:
        Image.fromarray(square_mask(255)).save(saliency / f"{image_id}.png")
    for line in (
        ("train", "--data", root, *TINY, *run),
        ("attend", "--size", 64, "--heatmaps", *run),
        ("proxy", "--saliency", saliency, *run),
        ("segment", "--iterations", 1, "--batch-size", 2, "--crop", 32, "--scales", 1, *run),
        ("show", tmp_path / "run", "--image", ids[0]),
    ):
        outcome = wsss(*line)
        assert outcome.code == 0, outcome.err
    scores = wsss("evaluate", "--json", *run)
    assert scores.code == 0, scores.err
    assert scores.values["images"] == 2
    predictions = tmp_path / "run" / "segment" / "predictions"
    assert sorted(path.stem for path in predictions.iterdir()) == ids[4:]


def _turn(path: Path, orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    photograph(path, 1, size, exif=exif)


# Whether the size of a mask leaves open if it was drawn on the turned picture.
TURNS = [(6, (64, 64), True), (3, (48, 64), True), (2, (48, 64), True), (6, (48, 64), False),
         (1, (64, 64), False)]  # fmt: skip


@pytest.mark.parametrize(("orientation", "size", "unsure"), TURNS)
def test_masks_that_may_lie_on_their_side_are_warned_of(
    wsss: Command, tmp_path: Path, orientation: int, size: tuple[int, int], unsure: bool
) -> None:
    root, voc, run = coco_set(tmp_path / "coco"), tmp_path / "voc", tmp_path / "run"
    _turn(root / "images" / "im1.jpg", orientation, size)
    path = root / "annotations" / "instances_default.json"
    content = json.loads(path.read_text())
    content["images"][1].update(height=size[0], width=size[1])
    path.write_text(json.dumps(content))
    said = "1 pictures have an EXIF orientation, which is ignored, and masks"
    checked = wsss("data", "check", root, "--json")
    assert checked.code == 0
    assert any(said in warning for warning in checked.values["warnings"]) == unsure
    full = ["segment", "--supervision", "full", "--model", "tiny", "--iterations", 1]
    full += ["--batch-size", 2, "--crop", 32, "--scales", 1, "--split", "train"]
    for line in (
        ("train", "--data", root, "--run", run, *TINY),
        ("data", "convert", root, voc),
        (*full, "--data", voc, "--run", run),
        ("evaluate", "--run", run),
    ):
        outcome = wsss(*line)
        assert outcome.code == 0, outcome.err
        assert (said in outcome.err and "im1" in outcome.err) == unsure, line


def test_turned_pictures_without_masks_are_no_cause_for_doubt(
    wsss: Command, tmp_path: Path
) -> None:
    root = class_folders(tmp_path / "set", ["cat", "dog"])
    _turn(root / "cat" / "a.jpg", 6, (64, 64))
    trained = wsss("train", "--data", root, "--run", tmp_path / "a", *TINY)
    assert "EXIF" not in trained.err
    (root / "masks").mkdir()
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(root / "masks" / "cat__a.png")
    trained = wsss("train", "--data", root, "--run", tmp_path / "b", *TINY)
    assert "cat__a" in trained.err


def test_remarks_of_names_and_endings_are_shown(wsss: Command, tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc", lines=[f"{i.upper()}.jpg" for i in IDS])
    shutil.copy(root / "JPEGImages" / "p00.jpg", root / "JPEGImages" / "p09.gif")
    outcome = wsss("data", "check", root, "--json")
    assert outcome.code == 0
    assert any("6 names have other capitals" in remark for remark in outcome.values["remarks"])
    assert any("1 .gif" in remark for remark in outcome.values["remarks"])
