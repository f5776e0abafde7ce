"""Masks and attention that contradict the labels image after image."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import Command, TinyVoc
from PIL import Image
from pixels_drawn import SIZE, cats_and_dogs, labelled, mask

TINY = (
    "--model",
    "tiny",
    "--iterations",
    "1",
    "--batch-size",
    "2",
    "--crop",
    "32",
    "--scales",
    "1",
)
RIGHT, SWAPPED = {"cat": 1, "dog": 2}, {"cat": 2, "dog": 1}


def test_masks_in_another_order_are_one_problem(wsss: Command, tmp_path: Path) -> None:
    data = cats_and_dogs(tmp_path / "data", SWAPPED)
    check = wsss("data", "check", data, "--json")
    assert check.code == 1
    (problem,) = check.values["problems"]
    assert "6 of 6 images" in problem
    assert "classes.txt" in problem
    assert "dog, cat" in problem
    assert not any("l0" in warning for warning in check.values["warnings"])
    (data / "classes.txt").write_text("dog\ncat\n")
    assert wsss("data", "check", data).code == 0


def test_they_are_not_learned_scored_or_converted(wsss: Command, tmp_path: Path) -> None:
    data = cats_and_dogs(tmp_path / "data", SWAPPED)
    segment = ("segment", "--data", data, "--split", "train", *TINY, "--run", tmp_path / "run")
    for command in (
        ("evaluate", "--pred", data / "masks", "--data", data, "--gt", data / "masks"),
        (*segment, "--supervision", "full"),
        (*segment, "--proxy", data / "masks"),
        ("data", "convert", data, tmp_path / "voc"),
    ):
        outcome = wsss(*command)
        assert outcome.code == 1, command
        assert "6 of 6 images" in outcome.err
        assert "classes.txt" in outcome.err
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "voc").exists()


def test_masks_in_the_order_of_the_labels_are_fine(wsss: Command, tmp_path: Path) -> None:
    data = cats_and_dogs(tmp_path / "data", RIGHT)
    check = wsss("data", "check", data, "--json")
    assert (check.code, check.values["warnings"]) == (0, [])
    assert wsss("data", "convert", data, tmp_path / "voc").code == 0


def test_one_contradiction_is_a_warning(wsss: Command, tmp_path: Path) -> None:
    data = cats_and_dogs(tmp_path / "data", RIGHT, count=8)
    rows = (data / "labels.csv").read_text().replace("l0.jpg,dog", "l0.jpg,cat")
    (data / "labels.csv").write_text(rows)
    check = wsss("data", "check", data, "--json")
    assert check.code == 0
    assert any("the mask of l0 shows dog" in warning for warning in check.values["warnings"])


def test_incomplete_labels_are_one_warning(wsss: Command, tmp_path: Path) -> None:
    both = mask(1)
    both[:6] = 2
    names = {f"l{at}": ("dog", "cat")[at % 2] for at in range(6)}
    data = labelled(tmp_path / "data", names, dict.fromkeys(names, both))
    check = wsss("data", "check", data, "--json")
    assert check.code == 0
    (warning,) = check.values["warnings"]
    assert "6 of 6 images" in warning
    scored = wsss("evaluate", "--pred", data / "masks", "--data", data, "--gt", data / "masks")
    assert scored.code == 0
    assert "6 of 6 images" in scored.err


def test_masks_that_count_from_zero_are_recognised(wsss: Command, tmp_path: Path) -> None:
    names = {f"l{at}": ("ant", "bee", "cow")[at % 3] for at in range(9)}
    numbers = {"ant": 0, "bee": 1, "cow": 2}
    data = tmp_path / "data"
    masks = {image_id: mask(numbers[name], background=255) for image_id, name in names.items()}
    labelled(data, names, masks)
    check = wsss("data", "check", data, "--json")
    assert check.code == 1
    assert any("count classes from 0" in problem for problem in check.values["problems"])


def test_class_that_no_mask_shows_is_named(wsss: Command, tmp_path: Path) -> None:
    data = cats_and_dogs(tmp_path / "data", {"cat": 1, "dog": 0})
    check = wsss("data", "check", data, "--json")
    assert check.code == 0
    assert any("no mask shows dog (3 images)" in warning for warning in check.values["warnings"])
    scored = wsss("evaluate", "--pred", data / "masks", "--data", data, "--gt", data / "masks")
    assert scored.code == 0
    assert "dog (3 images)" in scored.err
    segment = ("segment", "--data", data, "--split", "train", *TINY, "--supervision", "full")
    learned = wsss(*segment, "--weights", "none", "--run", tmp_path / "run")
    assert learned.code == 0, learned.err
    assert "dog (3 images)" in learned.err


def test_labelled_images_whose_mask_shows_nothing_are_named(wsss: Command, tmp_path: Path) -> None:
    data = cats_and_dogs(tmp_path / "data", RIGHT)
    for image_id, value in (("l0", 255), ("l3", 0)):
        Image.fromarray(mask(value)).save(data / "masks" / f"{image_id}.png")
    check = wsss("data", "check", data, "--json")
    assert check.code == 0
    assert any(w.endswith(": l0, l3") for w in check.values["warnings"])
    negatives = labelled(tmp_path / "other", {"a": "cat", "b": ""}, {"a": mask(1), "b": mask(0)})
    assert wsss("data", "check", negatives, "--json").values["warnings"] == []


@pytest.mark.parametrize("command", ["proxy", "evaluate"])
def test_another_tools_attention_of_other_classes_is_refused(
    wsss: Command, voc: TinyVoc, tmp_path: Path, command: str
) -> None:
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "w") as file:
        for at, image_id in enumerate(voc.train_ids[1:4]):
            group = file.create_group(image_id)
            group["maps"] = np.full((1, *SIZE), 0.5, np.float16)
            group["class_ids"] = np.array([(at + 2) % 3 + 1], np.uint8)
    options = {
        "proxy": ("--saliency", voc.saliency, "--run", tmp_path / "run"),
        "evaluate": ("--what", "attention", "--gt", voc.root / "SegmentationClass"),
    }[command]
    outcome = wsss(command, "--attention", path, "--data", voc.root, *options)
    assert outcome.code == 1
    assert "3 of 3 images" in outcome.err


def _attention(path: Path, class_ids: dict[str, list[int]]) -> Path:
    with h5py.File(path, "w") as file:
        for image_id, ids in class_ids.items():
            group = file.create_group(image_id)
            group["maps"] = np.full((len(ids), *SIZE), 0.5, np.float16)
            group["class_ids"] = np.array(ids, np.uint8)
    return path


def _options(command: str, voc: TinyVoc, tmp_path: Path) -> tuple[object, ...]:
    return {
        "proxy": ("--saliency", voc.saliency, "--run", tmp_path / "run"),
        "evaluate": ("--what", "attention", "--gt", voc.root / "SegmentationClass"),
    }[command]


@pytest.mark.parametrize("command", ["proxy", "evaluate"])
def test_attention_without_any_map_of_labelled_images_is_refused(
    wsss: Command, voc: TinyVoc, tmp_path: Path, command: str
) -> None:
    path = _attention(tmp_path / "theirs.h5", {image_id: [] for image_id in voc.train_ids[:3]})
    options = _options(command, voc, tmp_path)
    outcome = wsss(command, "--attention", path, "--data", voc.root, *options)
    assert outcome.code == 1
    assert voc.train_ids[0] in outcome.err


@pytest.mark.parametrize("command", ["proxy", "evaluate"])
def test_images_whose_attention_lacks_or_exceeds_their_labels_are_named(
    wsss: Command, voc: TinyVoc, tmp_path: Path, command: str
) -> None:
    complete, lacking, more = voc.train_ids[1:4]  # each of one class: disc, cross, square
    path = _attention(tmp_path / "theirs.h5", {complete: [2], lacking: [], more: [1, 2]})
    options = _options(command, voc, tmp_path)
    outcome = wsss(command, "--attention", path, "--data", voc.root, *options)
    assert outcome.code == 0, outcome.err
    assert f"{lacking} (cross)" in outcome.err
    assert f"{more} (disc)" in outcome.err
    assert f"{complete} (" not in outcome.err


@pytest.mark.parametrize("stored", ["an array", "an empty group"])
def test_attention_of_another_layout_is_refused_without_words_of_h5py(
    wsss: Command, voc: TinyVoc, tmp_path: Path, stored: str
) -> None:
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "w") as file:
        if stored == "an array":
            file[voc.train_ids[0]] = np.zeros((1, *SIZE))
        else:
            file.create_group(voc.train_ids[0])
    options = _options("proxy", voc, tmp_path)
    outcome = wsss("proxy", "--attention", path, "--data", voc.root, *options)
    assert outcome.code == 1
    assert voc.train_ids[0] in outcome.err
    assert "object" not in outcome.err
