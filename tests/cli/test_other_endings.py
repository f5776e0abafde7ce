"""Folders of label maps that hold other files than ID.png: said, not passed over."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, TinyVoc
from pixels_drawn import mask, save

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.errors import WsssError

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


def _as(voc: TinyVoc, folder: Path, ending: str) -> Path:
    folder.mkdir(parents=True)
    for path in voc.mask("x").parent.iterdir():
        shutil.copy(path, folder / f"{path.stem}{ending}")
    return folder


@pytest.mark.parametrize("ending", [".jpg", ".PNG", ".tif"])
@pytest.mark.parametrize("option", ["--pred", "--gt", "--against", "--proxy"])
def test_label_maps_with_other_endings_are_named(
    wsss: Command, voc: TinyVoc, tmp_path: Path, option: str, ending: str
) -> None:
    folder, masks = _as(voc, tmp_path / "theirs", ending), voc.root / "SegmentationClass"
    command = {
        "--pred": ("evaluate", "--pred", folder, "--data", voc.root),
        "--gt": ("evaluate", "--pred", masks, "--gt", folder),
        "--against": ("evaluate", "--pred", masks, "--data", voc.root, "--against", folder),
        "--proxy": ("segment", "--proxy", folder, "--data", voc.root, *TINY),
    }[option]
    outcome = wsss(*command, *(("--run", tmp_path / "run") if option == "--proxy" else ()))
    assert outcome.code in (1, 2)
    assert f"16 {ending}" in outcome.err
    assert ("rename" in outcome.err) == (ending == ".PNG")
    assert ("wsss data masks" in outcome.err) == (ending != ".PNG")


@pytest.mark.parametrize("ending", ["_mask.png", ".jpg.png"])
@pytest.mark.parametrize("option", ["--against", "--proxy", "--saliency"])
def test_maps_under_longer_names_are_named(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path, option: str, ending: str
) -> None:
    folder, masks = _as(voc, tmp_path / "theirs", ending), voc.root / "SegmentationClass"
    attention = trained / "attend" / "attention.h5"
    command = {
        "--against": ("evaluate", "--pred", masks, "--data", voc.root, "--against", folder),
        "--proxy": ("segment", "--proxy", folder, "--data", voc.root, *TINY),
        "--saliency": ("proxy", "--attention", attention, "--saliency", folder),
    }[option]
    outcome = wsss(*command, *(() if option == "--against" else ("--run", tmp_path / "run")))
    assert outcome.code == 1
    assert f"there is {voc.train_ids[0]}{ending}" in outcome.err


def test_arrays_and_subfolders_are_named(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    _as(voc, tmp_path / "above" / "val", ".png")
    outcome = wsss("evaluate", "--pred", tmp_path / "above", "--data", voc.root)
    assert outcome.code == 2
    assert "its folder val" in outcome.err
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "a.npy", np.zeros((4, 2, 2), np.float32))
    outcome = wsss("evaluate", "--pred", tmp_path / "arrays", "--data", voc.root)
    assert outcome.code == 2
    assert "a.npy" in outcome.err
    pictures = _as(voc, tmp_path / "pictures", ".png")
    outcome = wsss("crf", "--scores", pictures, "--data", voc.root, "--run", tmp_path / "run")
    assert outcome.code == 2
    assert f"{voc.train_ids[0]}.png" in outcome.err


def test_check_names_masks_that_no_image_uses(wsss: Command, own_voc: TinyVoc) -> None:
    stem = own_voc.train_ids[0]
    own_voc.mask(stem).rename(own_voc.mask(stem).with_suffix(".PNG"))
    save(own_voc.mask("stranger"), mask(1))
    check = wsss("data", "check", own_voc.root, "--json")
    assert check.code == 0
    warnings = "\n".join(check.values["warnings"])
    assert f"{stem}.PNG" in warnings
    assert "stranger.png" in warnings


def test_jpeg_under_the_name_of_a_png_is_no_label_map(tmp_path: Path) -> None:
    save(tmp_path / "a.png", mask(1), format="JPEG")
    with pytest.raises(WsssError, match="JPEG"):
        read_label_map(tmp_path / "a.png")


@pytest.mark.parametrize(("bits", "labels"), [(2, (0, 1, 2, 3)), (4, (0, 3, 7, 15))])
def test_labels_in_grey_of_few_bits_are_read(
    wsss: Command, tmp_path: Path, bits: int, labels: tuple[int, ...]
) -> None:
    expected = np.array([labels], np.uint8)
    path = save(tmp_path / "gt" / "a.png", expected, bits=bits)
    assert path.read_bytes()[24:26] == bytes([bits, 0])  # bits a pixel, grey
    assert read_label_map(path, num_labels=16).tolist() == expected.tolist()
    save(tmp_path / "pred" / "a.png", expected)
    scores = wsss("evaluate", "--pred", tmp_path / "pred", "--gt", tmp_path / "gt", "--json").values
    assert scores["miou"] == 1
    assert sum(value == 1 for value in scores["per_class"].values()) == 4
    assert f"label {labels[1]}" in wsss("show", path).out or bits == 4
