"""Photographs of more than eight bits, and what else a picture holds that is not used."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Command
from PIL import Image
from pixels_drawn import SIZE, photograph, save

from wsss_cli.data.images import read_image
from wsss_cli.data.layouts import find_data_set

TINY = ("--backbone", "tiny", "--iterations", "1", "--batch-size", "2", "--crop", "32")
GREY = {
    (name, seed): np.asarray(Image.fromarray(photograph(seed, name)).convert("L"))
    for name in ("cat", "dog")
    for seed in range(2)
}


def _folders(root: Path, times: int, ending: str = ".png") -> Path:
    """A folder per class, grey photographs of 16 bits that hold eight bits times a number."""
    for (name, seed), grey in GREY.items():
        save(root / name / f"{name}{seed}{ending}", grey.astype(np.uint16) * times)
    return root


@pytest.mark.parametrize(
    ("times", "ending", "bits"), [(257, ".png", 16), (16, ".tiff", 12), (1, ".png", 8)]
)
def test_grey_of_sixteen_bits_is_divided_by_what_the_data_set_needs(
    wsss: Command, tmp_path: Path, times: int, ending: str, bits: int
) -> None:
    data_set = find_data_set(_folders(tmp_path / "data", times, ending))
    assert data_set.bits == bits
    for (name, seed), grey in GREY.items():
        pixels = data_set.read_image(f"{name}__{name}{seed}")
        assert pixels.dtype == np.uint8
        assert (pixels == grey[..., None]).all()
    check = wsss("data", "check", tmp_path / "data", "--json")
    assert check.code == 0
    assert sum(f"uses {bits} of them" in remark for remark in check.values["remarks"]) == 1
    trained = wsss("train", "--data", tmp_path / "data", *TINY, "--run", tmp_path / "run")
    assert trained.code == 0, trained.err
    assert trained.err.count(f"uses {bits} of them") == 1
    assert wsss("data", "convert", tmp_path / "data", tmp_path / "voc").code == 0
    written = np.asarray(Image.open(tmp_path / "voc" / "JPEGImages" / "cat__cat0.jpg"), np.int64)
    assert abs(written - GREY["cat", 0][..., None]).mean() < 2


def test_dark_photograph_stays_dark_beside_the_others(tmp_path: Path) -> None:
    data = _folders(tmp_path / "data", 16)
    save(data / "dog" / "night.png", np.full(SIZE, 40, np.uint16))
    assert (find_data_set(data).read_image("dog__night") == 40 // 16).all()
    assert (read_image(data / "dog" / "night.png") == 40).all()  # alone, nobody knows better


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_colours_of_sixteen_bits_are_divided_alike(tmp_path: Path, ending: str) -> None:
    pixels = photograph(3)
    path = tmp_path / f"a{ending}"
    assert cv2.imwrite(str(path), pixels[..., ::-1].astype(np.uint16) * 16)
    assert (read_image(path) == pixels).all()


@pytest.mark.parametrize("kind", [np.float32, np.int32], ids=["floats", "32 bits"])
def test_numbers_without_range_are_refused_by_every_reader(
    wsss: Command, tmp_path: Path, kind: type
) -> None:
    for (name, seed), grey in GREY.items():
        save(tmp_path / "data" / name / f"{name}{seed}.tiff", grey.astype(kind))
    for command in (
        ("data", "check", tmp_path / "data"),
        ("data", "check", tmp_path / "data", "--quick"),
        ("data", "convert", tmp_path / "data", tmp_path / "voc"),
        ("train", "--data", tmp_path / "data", *TINY, "--run", tmp_path / "run"),
    ):
        outcome = wsss(*command)
        assert outcome.code == 1
        said = outcome.out + outcome.err
        assert "cat0.tiff" in said
        assert "8 or 16 bits" in said
    assert not (tmp_path / "voc").exists()


def test_pages_and_alpha_that_are_not_used_are_named(wsss: Command, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("cat", "dog"):
        save(data / name / f"{name}0.jpg", photograph(0, name))
    alpha = np.full((*SIZE, 1), 255, np.uint8)
    save(data / "cat" / "opaque.png", np.concatenate([photograph(4), alpha], axis=2))
    alpha[:5] = 0
    save(data / "cat" / "alpha.png", np.concatenate([photograph(1), alpha], axis=2))
    pages = [Image.fromarray(photograph(seed)) for seed in (2, 3)]
    pages[0].save(data / "cat" / "pages.tiff", save_all=True, append_images=pages[1:])
    pages[0].save(data / "dog" / "frames.webp", save_all=True, append_images=pages[1:])
    pages[0].save(data / "dog" / "moving.png", save_all=True, append_images=pages[1:])
    check = wsss("data", "check", data, "--json")
    assert check.code == 0
    pages_said = next(w for w in check.values["warnings"] if "pages or frames" in w)
    assert all(name in pages_said for name in ("cat__pages", "dog__frames", "dog__moving"))
    alpha_said = next(w for w in check.values["warnings"] if "transparency" in w)
    assert "cat__alpha" in alpha_said
    assert "cat__opaque" not in alpha_said
    trained = wsss("train", "--data", data, *TINY, "--run", tmp_path / "run")
    assert trained.code == 0
    assert "3 photographs" in trained.err
    assert "transparency" in trained.err
