"""Masks that show no class: of 0 and 255, of 255, of nothing. Refused with the way out."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from PIL import Image
from pixels_drawn import CRACKS, OBJECT, cracks, folder_of, labelled, mask, of_cracks, save

from wsss_cli.artifacts.label_png import voc_palette

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


@pytest.mark.parametrize("predicted", [0, 1, 255], ids=["empty", "right", "white"])
def test_no_prediction_is_scored_by_masks_without_class(
    wsss: Command, tmp_path: Path, predicted: int
) -> None:
    data = cracks(tmp_path / "data")
    pred = of_cracks(tmp_path / "pred", mask(predicted))
    outcome = wsss("evaluate", "--pred", pred, "--data", data, "--json")
    assert (outcome.code, outcome.out) == (1, "")
    assert f"wsss data convert {data} OUT --binary" in outcome.err
    outcome = wsss("evaluate", "--pred", pred, "--gt", data / "masks")
    assert outcome.code == 1
    assert f"wsss data masks {data / 'masks'} OUT --white 1" in outcome.err


def test_check_and_full_supervision_refuse_them_too(wsss: Command, tmp_path: Path) -> None:
    data = cracks(tmp_path / "data")
    check = wsss("data", "check", data, "--json")
    assert check.code == 1
    assert any("--binary" in problem for problem in check.values["problems"])
    segment = ("segment", "--data", data, "--supervision", "full", "--split", "train", *TINY)
    outcome = wsss(*segment, "--run", tmp_path / "run")
    assert outcome.code == 1
    assert "--binary" in outcome.err
    assert not (tmp_path / "run").exists()
    plain = wsss("data", "convert", data, tmp_path / "voc")
    assert plain.code == 1
    assert "--binary" in plain.err
    assert not (tmp_path / "voc").exists()


def test_converted_they_score_what_is_right(wsss: Command, tmp_path: Path) -> None:
    data, out = cracks(tmp_path / "data"), tmp_path / "voc"
    outcome = wsss("data", "convert", data, out, "--binary", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["masks"] == 4
    assert (np.asarray(Image.open(out / "SegmentationClass" / "c0.png")) == mask(1)).all()
    assert wsss("data", "check", out).code == 0
    evaluate = ("evaluate", "--data", out, "--json", "--pred")
    scores = {
        value: wsss(*evaluate, of_cracks(tmp_path / f"p{value}", mask(value)))
        for value in (0, 1, 255)
    }
    assert scores[1].values["per_class"] == {"background": 1.0, "crack": 1.0}
    assert scores[0].values["per_class"]["crack"] == 0  # collapsed, and scored as what it is
    assert "not one shows a class" in scores[0].err
    assert scores[255].code == 1
    assert "wsss data masks" in scores[255].err
    white = wsss("data", "masks", tmp_path / "p255", tmp_path / "labels", "--white", 1)
    assert white.code == 0, white.err
    again = wsss("evaluate", "--pred", tmp_path / "labels", "--data", out, "--json")
    assert again.values["miou"] == 1


def test_white_is_the_label_of_each_image(wsss: Command, tmp_path: Path) -> None:
    names = {"a": "dog", "b": "cat"}
    data = labelled(tmp_path / "data", names, dict.fromkeys(names, mask(255)))
    assert wsss("data", "convert", data, tmp_path / "voc", "--binary").code == 0
    for image_id, label in (("a", 2), ("b", 1)):
        label_map = np.asarray(Image.open(tmp_path / "voc/SegmentationClass" / f"{image_id}.png"))
        assert (label_map == mask(label)).all()


def test_white_of_an_image_with_two_labels_is_a_question(wsss: Command, tmp_path: Path) -> None:
    names = {"a": "dog", "b": "cat;dog"}
    data = labelled(tmp_path / "data", names, dict.fromkeys(names, mask(255)))
    outcome = wsss("data", "convert", data, tmp_path / "voc", "--binary")
    assert outcome.code == 1
    assert "several labels" in outcome.err
    assert not (tmp_path / "voc").exists()


def test_masks_with_classes_are_not_painted_over(wsss: Command, tmp_path: Path) -> None:
    bordered = mask(1)
    bordered[OBJECT][0] = 255
    data = cracks(tmp_path / "data", bordered)
    outcome = wsss("data", "convert", data, tmp_path / "voc", "--binary")
    assert outcome.code == 1
    assert "label map" in outcome.err
    refused = wsss("data", "masks", data / "masks", tmp_path / "labels", "--white", 1)
    assert refused.code == 1
    assert wsss("data", "convert", data, tmp_path / "plain").code == 0


@pytest.mark.parametrize(
    ("value", "background"), [(255, 0), (255, 255), (0, 0)], ids=["white", "all255", "background"]
)
def test_proxies_without_class_are_refused_before_the_first_step(
    wsss: Command, tmp_path: Path, value: int, background: int
) -> None:
    data = cracks(tmp_path / "data", mask(1))
    proxy = folder_of(tmp_path / "proxies", mask(value, background), CRACKS)
    segment = ("segment", "--data", data, "--proxy", proxy, "--split", "train", *TINY)
    outcome = wsss(*segment, "--run", tmp_path / "run")
    assert outcome.code == 1
    assert f"--proxy {proxy}" in outcome.err
    assert "no class to learn" in outcome.err
    assert ("--white 1" in outcome.err) == ((value, background) == (255, 0))
    assert not (tmp_path / "run").exists()


def test_negatives_alone_have_masks_without_class(wsss: Command, tmp_path: Path) -> None:
    names = {"a": "", "b": "", "c": "cat"}
    data = labelled(tmp_path / "data", names, {"a": mask(0), "b": mask(0)})
    assert wsss("data", "check", data).code == 0
    pred = folder_of(tmp_path / "pred", mask(1), ("a", "b"))
    outcome = wsss("evaluate", "--pred", pred, "--data", data, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["per_class"]["cat"] == 0
    empty = folder_of(tmp_path / "empty", mask(0), ("a", "b"))
    outcome = wsss("evaluate", "--pred", empty, "--data", data)
    assert outcome.code == 1
    assert "nothing to score" in outcome.err


def _blurred() -> np.ndarray:
    pixels = mask(255)
    pixels[12, 20:44] = np.linspace(1, 254, 24)
    return pixels


@pytest.mark.parametrize(
    ("ending", "pixels"),
    [
        (".png", mask(255) > 0),
        (".png", np.repeat(mask(255)[..., None], 3, axis=2)),
        (".png", np.dstack([*[mask(255)] * 3, np.full_like(mask(), 255)])),
        (".jpg", mask(255)),
        (".PNG", mask(255)),
        (".bmp", mask(255)),
        (".png", mask(255).astype(np.uint16)),
    ],
    ids=["one bit", "three channels", "opaque", "JPEG", "capitals", "BMP", "16 bits"],
)
def test_black_and_white_masks_of_any_kind_become_label_maps(
    wsss: Command, tmp_path: Path, ending: str, pixels: np.ndarray
) -> None:
    folder_of(tmp_path / "theirs", pixels, CRACKS, ending)
    question = wsss("data", "masks", tmp_path / "theirs", tmp_path / "labels")
    assert question.code != 0
    assert "--white" in question.err
    outcome = wsss("data", "masks", tmp_path / "theirs", tmp_path / "labels", "--white", 4)
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == [
        f"{i}.png" for i in CRACKS
    ]
    found = Image.open(tmp_path / "labels" / "c1.png")
    assert found.mode == "P"
    assert (np.asarray(found) == mask(4)).all()


def test_blurred_edges_are_white_from_the_middle_on_and_said(wsss: Command, tmp_path: Path) -> None:
    save(tmp_path / "theirs" / "a.png", _blurred())
    outcome = wsss("data", "masks", tmp_path / "theirs", tmp_path / "out", "--white", 1, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["blurred"] == 1
    found = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    assert (found == (_blurred() >= 128)).all()


def test_labels_in_vocs_colours_become_labels(wsss: Command, tmp_path: Path) -> None:
    labels = mask(7)
    labels[0] = 255
    save(tmp_path / "theirs" / "a.png", voc_palette()[labels])
    outcome = wsss("data", "masks", tmp_path / "theirs", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert (np.asarray(Image.open(tmp_path / "out" / "a.png")) == labels).all()


def test_what_is_no_mask_is_refused_and_nothing_is_written(wsss: Command, tmp_path: Path) -> None:
    save(tmp_path / "theirs" / "a.png", mask(1))
    save(tmp_path / "theirs" / "b.jpg", np.random.default_rng(0).integers(0, 9, (9, 9), np.uint8))
    outcome = wsss("data", "masks", tmp_path / "theirs", tmp_path / "out")
    assert outcome.code == 1
    assert "b.jpg" in outcome.err
    assert not (tmp_path / "out").exists()
    outcome = wsss("data", "masks", tmp_path / "theirs", tmp_path / "theirs")
    assert outcome.code == 2
    assert wsss("data", "masks", tmp_path / "nowhere", tmp_path / "out").code == 2
    assert wsss("data", "masks", tmp_path / "theirs", tmp_path / "out", "--white", 255).code == 2


def test_show_names_the_way_out(wsss: Command, tmp_path: Path) -> None:
    path = save(tmp_path / "masks" / "a.png", mask(255))
    outcome = wsss("show", path)
    assert outcome.code == 0
    assert "wsss data masks" in outcome.out
