"""Overlays: outlines and names that fit pictures of any size, in any language."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss_cli.artifacts.label_png import voc_palette
from wsss_cli.artifacts.overlay import Drawing, write_overlay

NAMES = ("aeroplane", "bicycle", "a name that is far too long for any small picture")


def _disc(height: int, width: int, label: int = 1) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    inside = ((y - height / 2) / height) ** 2 + ((x - width / 2) / width) ** 2 < 0.09
    return np.where(inside, label, 0).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (16, 16), (50, 50), (375, 500), (1200, 900)])
@pytest.mark.parametrize("label", [1, 2, 3])
def test_overlay_has_the_size_of_its_picture(size: tuple[int, int], label: int) -> None:
    image = np.full((*size, 3), 128, np.uint8)
    drawn = Drawing.of(NAMES).labels(image, _disc(*size, label))
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 128).all()  # which is not drawn on


def test_outline_and_area_have_the_colour_of_the_class() -> None:
    image, label_map = np.full((300, 400, 3), 200, np.uint8), _disc(300, 400, 2)
    drawn = Drawing.of(NAMES).labels(image, label_map).astype(int)
    green = voc_palette()[2].astype(int)
    exact = (np.abs(drawn - green).sum(axis=2) < 12) & (label_map == 2)
    assert exact.any()  # outline and the name's box
    tinted = drawn[label_map == 2]
    assert np.median(tinted[:, 0]) < 150 < np.median(drawn[label_map == 0][:, 0])
    assert (drawn[:20, :20] == 200).all()


def test_nothing_found_is_the_picture_itself() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    assert np.array_equal(Drawing.of(NAMES).labels(image, np.zeros((40, 50), np.uint8)), image)


def test_name_is_written_where_there_is_room() -> None:
    image, label_map = np.full((300, 400, 3), 200, np.uint8), _disc(300, 400)
    texts = [Drawing.of((name,)).labels(image, label_map) for name in ("a", "b")]
    assert not np.array_equal(*texts)


@pytest.mark.parametrize("name", ["Kätzchen", "собака", "γάτα", "čáp"])
def test_names_beyond_ascii_are_drawn_with_their_letters(name: str) -> None:
    drawing = Drawing.of((name, "dog"))
    assert drawing.texts == (name, "dog")
    assert drawing.undrawable == []


def test_name_without_a_font_is_drawn_as_its_number() -> None:
    drawing = Drawing.of(("dog", "\U000f0000\U000f0001"))  # for private use: no font has these
    assert drawing.texts == ("dog", "2")
    assert drawing.undrawable == ["\U000f0000\U000f0001"]


def test_attention_is_brightest_where_it_is_largest() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    attention = np.zeros((12, 16), np.float32)
    attention[3, 4] = 1
    drawn = Drawing.of(NAMES).heat(image, {1: attention}, {1: "93%"})
    assert drawn.shape == image.shape
    assert drawn[20:60, 20:80].sum() > 50 * drawn[80:, 100:].sum()


def test_large_picture_takes_seconds(tmp_path: Path) -> None:
    image, label_map = np.full((2000, 3000, 3), 90, np.uint8), _disc(2000, 3000)
    started = time.monotonic()
    write_overlay(tmp_path / "a.jpg", Drawing.of(NAMES).labels(image, label_map))
    assert time.monotonic() - started < 30
    assert Image.open(tmp_path / "a.jpg").size == (3000, 2000)
