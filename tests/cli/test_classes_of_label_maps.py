"""Label maps that somebody names must be of the classes that they are taken for."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import Command
from pixels_drawn import OBJECT, SIZE, cats_and_dogs, folder_of, mask, save

RIGHT, SWAPPED = {"cat": 1, "dog": 2}, {"cat": 2, "dog": 1}
IMAGES = {f"l{at}": ("dog", "cat")[at % 2] for at in range(6)}


def _attention(path: Path, numbers: dict[str, int]) -> Path:
    with h5py.File(path, "w") as file:
        for image_id, name in IMAGES.items():
            group = file.create_group(image_id)
            group["maps"] = np.zeros((1, *SIZE), np.float16)
            group["maps"][0, *OBJECT] = 1
            group["class_ids"] = np.array([numbers[name]], np.uint8)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = cats_and_dogs(tmp_path / "data", RIGHT)
    folder_of(tmp_path / "saliency", mask(255), list(IMAGES))
    _attention(tmp_path / "attention.h5", RIGHT)
    return data


def _proxies(wsss: Command, data: Path, run: Path) -> Path:
    """Label maps of a run that recorded the classes of the data set as they are now."""
    there = data.parent
    made = wsss("proxy", "--attention", there / "attention.h5", "--data", data, "--run", run,
                "--saliency", there / "saliency")  # fmt: skip
    assert made.code == 0, made.err
    return run / "proxy" / "labels"


def _masked(data: Path, predictions: Path) -> list[object]:
    there = data.parent
    masked = ["proxy", "--rule", "masked", "--attention", there / "attention.h5", "--data", data]
    masked += ["--saliency", there / "saliency", "--run", there / "masked"]
    return [*masked, "--prediction", predictions]


COMMANDS = (
    ("segment", "--split", "train", "--proxy", "LABELS", "--run", "RUN"),
    ("segment", "--split", "train", "--proxy", "MASKS", "--corrected", "LABELS", "--run", "RUN"),
    ("refine", "--edges", "--proxy", "LABELS", "--attention", "NOW", "--run", "RUN"),
    ("proxy", "--rule", "masked", "--prediction", "LABELS", "--attention", "NOW", "--saliency",
     "SALIENCY", "--run", "RUN"),
    ("evaluate", "--pred", "LABELS"),
    ("evaluate", "--pred", "MASKS", "--gt", "LABELS"),
    ("evaluate", "--pred", "MASKS", "--against", "LABELS"),
    ("evaluate", "--run", "MADE", "--what", "proxy"),
    ("suggest", "--proxy", "LABELS", "--attention", "NOW"),
    ("export", "LABELS", "--to", "coco", "--out", "EXPORT"),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_label_maps_of_a_stage_with_other_classes_are_refused_by_all(
    wsss: Command, data: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    labels = _proxies(wsss, data, tmp_path / "made")
    (data / "classes.txt").write_text("dog\ncat\n")
    masks = tmp_path / "swapped"
    for image_id, name in IMAGES.items():
        save(masks / f"{image_id}.png", mask(SWAPPED[name]))
        save(data / "masks" / f"{image_id}.png", mask(SWAPPED[name]))
    paths = {
        "LABELS": labels,
        "MASKS": masks,
        "NOW": _attention(tmp_path / "now.h5", SWAPPED),
        "SALIENCY": tmp_path / "saliency",
        "RUN": tmp_path / "run",
        "MADE": tmp_path / "made",
        "EXPORT": tmp_path / "export.json",
    }
    outcome = wsss(*(paths.get(word, word) for word in command), "--data", data)
    assert outcome.code == 1, outcome.out + outcome.err
    assert f"{labels} holds label maps of the classes cat, dog, but " in outcome.err
    assert " has dog, cat; " in outcome.err
    assert not paths["RUN"].exists()


def test_those_of_the_same_classes_are_taken(wsss: Command, data: Path, tmp_path: Path) -> None:
    labels = _proxies(wsss, data, tmp_path / "made")
    assert wsss("evaluate", "--pred", labels, "--data", data).code == 0
    assert wsss(*_masked(data, labels)).code == 0


def test_predictions_in_another_order_of_classes_are_refused(
    wsss: Command, data: Path, tmp_path: Path
) -> None:
    predictions = tmp_path / "predictions"
    for image_id, name in IMAGES.items():
        save(predictions / f"{image_id}.png", mask(SWAPPED[name]))
    outcome = wsss(*_masked(data, predictions))
    assert outcome.code == 1
    assert f"--prediction {predictions}: predictions and labels disagree for 6 of 6" in outcome.err
    assert not (tmp_path / "masked").exists()
    for image_id, name in IMAGES.items():
        save(predictions / f"{image_id}.png", mask(RIGHT[name]))
    assert wsss(*_masked(data, predictions)).code == 0


@pytest.mark.parametrize(("values", "told"), [((255, 0), "--white 1"), ((0, 0), "background only")])
def test_predictions_without_classes_are_refused(
    wsss: Command, data: Path, tmp_path: Path, values: tuple[int, int], told: str
) -> None:
    predictions = folder_of(tmp_path / "predictions", mask(*values), list(IMAGES))
    outcome = wsss(*_masked(data, predictions))
    assert outcome.code == 1
    assert f"--prediction {predictions}" in outcome.err
    assert told in outcome.err


def test_a_network_of_ours_that_learned_nothing_is_told_and_taken(
    wsss: Command, data: Path, tmp_path: Path
) -> None:
    labels = _proxies(wsss, data, tmp_path / "made")
    folder_of(labels, mask(0), list(IMAGES))
    outcome = wsss(*_masked(data, labels))
    assert outcome.code == 0
    assert f"--prediction {labels}: the 6 predictions hold background only" in outcome.err
    assert f"and at --prediction {labels}" in outcome.out + outcome.err
