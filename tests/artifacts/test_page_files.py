"""Thumbnails keep what matters; pages appear whole or not at all."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss_cli.artifacts.html_page import MARK, require_page_place, write_page
from wsss_cli.artifacts.label_png import voc_palette
from wsss_cli.artifacts.thumbnail import LONGEST, thumbnail
from wsss_cli.errors import UsageError


def _decoded(address: str) -> np.ndarray:
    kind, text = address.split(",")
    assert kind == "data:image/webp;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (30, 20), (2000, 1)])
def test_thumbnail_is_bounded_and_keeps_its_shape(height: int, width: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    found = thumbnail(pixels)
    assert _decoded(found.address).shape == (found.height, found.width, 3)
    scale = min(1, LONGEST / max(height, width))
    assert (found.height, found.width) == (round(scale * height), max(1, round(scale * width)))


def test_flat_colours_stay_exactly_and_photographs_nearly() -> None:
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 21, (6, 8)), np.ones((60, 60), int))
    pixels = voc_palette()[labels]
    found = _decoded(thumbnail(pixels, flat=True).address)
    assert {tuple(c) for c in found.reshape(-1, 3)} == {tuple(c) for c in pixels.reshape(-1, 3)}
    smooth = np.linspace(0, 255, 240 * 180 * 3).reshape(180, 240, 3).astype(np.uint8)
    assert abs(_decoded(thumbnail(smooth).address).astype(int) - smooth).mean() < 3


def test_page_that_fails_in_the_middle_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert write_page(path, ["<p>", "é"]) == len(MARK) + 5 == path.stat().st_size

    def pieces() -> object:
        yield "<p>new"
        raise RuntimeError("a picture is broken")

    with pytest.raises(RuntimeError):
        write_page(path, pieces())
    assert path.read_text(encoding="utf-8") == MARK + "<p>é"
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
    require_page_place(path, "--out")
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"page\.html"):
        require_page_place(path, "--out")
