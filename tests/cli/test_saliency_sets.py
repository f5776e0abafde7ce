"""Saliency maps as other tools leave them: cut-outs, other ranges, other formats."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, TinyVoc
from PIL import Image
from pixels_drawn import save

from wsss_cli.data.images import read_saliency
from wsss_cli.data.label_folder import grey_files
from wsss_cli.errors import WsssError


def _redrawn(voc: TinyVoc, folder: Path, draw: object, ending: str = ".png") -> Path:
    for path in voc.saliency.iterdir():
        image_id, grey = path.stem, np.asarray(Image.open(path))
        photograph = np.asarray(Image.open(voc.image(image_id)))
        save(folder / f"{image_id}{ending}", draw(grey, photograph))  # type: ignore[operator]
    return folder


def _cut_out(grey: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    return np.dstack([photograph, grey])


def _alpha_only(grey: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    return np.dstack([0 * photograph, grey])


def _in_colour(grey: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    del photograph
    return np.dstack([grey] * 3)


def _plain(grey: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    del photograph
    return grey


@pytest.fixture
def proxies(wsss: Command, trained: Path, tmp_path: Path):
    """Label maps that a folder of saliency gives, and what was said."""

    def make(saliency: Path) -> tuple[int, str, dict[str, bytes]]:
        run = tmp_path / f"run_{saliency.name}"
        attention = trained / "attend" / "attention.h5"
        outcome = wsss("proxy", "--attention", attention, "--saliency", saliency, "--run", run)
        labels = run / "proxy" / "labels"
        return outcome.code, outcome.err, {p.name: p.read_bytes() for p in labels.glob("*.png")}

    return make


@pytest.mark.parametrize("draw", [_cut_out, _alpha_only, _in_colour])
def test_alpha_and_equal_channels_are_the_map(
    voc: TinyVoc, tmp_path: Path, draw: object, proxies: object
) -> None:
    expected = proxies(voc.saliency)  # type: ignore[operator]
    found = proxies(_redrawn(voc, tmp_path / "theirs", draw))  # type: ignore[operator]
    assert expected[0] == found[0] == 0
    assert found[2] == expected[2]
    assert any(len(set(np.frombuffer(content, np.uint8))) for content in found[2].values())


@pytest.mark.parametrize(
    ("draw", "largest"),
    [
        (lambda grey, _: (grey > 100).astype(np.uint8), "1 of 255"),
        (lambda grey, _: (grey > 100).astype(np.uint8) * 3, "3 of 255"),
        (lambda grey, _: (grey > 100).astype(np.uint16) * 255, "255 of 65535"),
        (lambda grey, _: (grey > 100).astype(np.uint16) * 4095, "4095 of 65535"),
    ],
    ids=["0 and 1", "classes", "8 bits in 16", "12 bits in 16"],
)
def test_set_in_another_range_is_refused_before_the_work(
    voc: TinyVoc, tmp_path: Path, draw: object, largest: str, proxies: object
) -> None:
    folder = _redrawn(voc, tmp_path / "theirs", draw)
    code, err, labels = proxies(folder)  # type: ignore[operator]
    assert (code, labels) == (1, {})
    assert f"--saliency {folder}" in err
    assert largest in err


def test_one_faint_map_among_others_is_no_reason(
    voc: TinyVoc, tmp_path: Path, proxies: object
) -> None:
    folder = _redrawn(voc, tmp_path / "theirs", _plain)
    save(folder / f"{voc.train_ids[0]}.png", np.ones((48, 64), np.uint8))
    assert proxies(folder)[0] == 0  # type: ignore[operator]


def test_black_maps_are_said(voc: TinyVoc, tmp_path: Path, proxies: object) -> None:
    code, err, _ = proxies(_redrawn(voc, tmp_path / "black", lambda grey, _: 0 * grey))  # type: ignore[operator]
    assert code == 0
    assert "are black" in err


@pytest.mark.parametrize("ending", [".jpg", ".JPEG", ".PNG", ".bmp"])
def test_maps_of_other_formats_are_read_and_said(
    voc: TinyVoc, tmp_path: Path, ending: str, proxies: object
) -> None:
    code, err, labels = proxies(_redrawn(voc, tmp_path / "theirs", _plain, ending))  # type: ignore[operator]
    assert code == 0, err
    assert f"{ending} files" in err
    assert len(labels) == len(voc.train_ids)


@pytest.mark.parametrize("folder", ["JPEGImages", "SegmentationClass"])
def test_photographs_and_masks_are_no_saliency(voc: TinyVoc, folder: str, proxies: object) -> None:
    code, err, labels = proxies(voc.root / folder)  # type: ignore[operator]
    assert (code, labels) == (1, {})
    assert "in colour" in err


def test_baselines_are_held_to_the_same(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = _redrawn(voc, tmp_path / "theirs", lambda grey, _: (grey > 100).astype(np.uint8))
    outcome = wsss(
        *("evaluate", "--pred", voc.root / "SegmentationClass", "--data", voc.root),
        *("--baselines", "--saliency", folder),
    )
    assert outcome.code == 1
    assert "1 of 255" in outcome.err


def test_empty_cut_out_shows_nothing(tmp_path: Path) -> None:
    photograph = np.full((4, 4, 3), (200, 80, 10), np.uint8)
    nothing = save(tmp_path / "a.png", np.dstack([photograph, np.zeros((4, 4), np.uint8)]))
    assert not read_saliency(nothing).any()
    whole = save(tmp_path / "b.png", np.dstack([photograph, np.full((4, 4), 255, np.uint8)]))
    assert (read_saliency(whole) == 255).all()


def test_floats_are_no_saliency(tmp_path: Path) -> None:
    save(tmp_path / "a.tiff", np.ones((4, 4), np.float32))
    with pytest.raises(WsssError, match="floats"):
        read_saliency(tmp_path / "a.tiff")


def test_png_is_preferred_and_files_of_all_kinds_are_missed(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.JPG"):
        save(tmp_path / name, np.zeros((2, 2), np.uint8), format="PNG")
    names = [path.name for path in grey_files(tmp_path, ["a", "b"], "--saliency")]
    assert names == ["a.png", "b.JPG"]
    shutil.copy(tmp_path / "a.png", tmp_path / "c.npy")
    with pytest.raises(WsssError, match=r"--saliency .*1 of 2 images.*: c"):
        grey_files(tmp_path, ["a", "c"], "--saliency")
