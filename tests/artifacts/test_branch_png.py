"""What is drawn where in the pictures of branches."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from wsss_cli.artifacts.branch_png import (
    LINE_HEIGHT,
    MARGIN,
    NARROWEST,
    TILE,
    TITLE_HEIGHT,
    ZONES,
    Tile,
    compose,
    heat_tile,
    label_tile,
    write_rows,
    zone_tile,
)
from wsss_cli.artifacts.heatmap_png import write_heatmap

GREY_IMAGE = np.full((40, 60, 3), 100, np.uint8)
MASK = np.array([[0, 1, -1], [-1, 1, 0]], np.float32)
COLOURS = {value: colour for value, _, colour in ZONES}


def _in_zone(value: float) -> np.ndarray:
    return np.rint(0.8 * np.array(COLOURS[int(value)]) + 0.2 * 100)


def test_each_position_of_the_mask_is_a_square_of_its_zone() -> None:
    pixels = zone_tile(GREY_IMAGE, MASK).pixels
    assert pixels.shape == GREY_IMAGE.shape
    for y in range(40):
        for x in range(60):
            assert abs(pixels[y, x] - _in_zone(MASK[y // 20, x // 20])).max() <= 1


def test_legend_names_the_zones_and_how_large_they_are() -> None:
    tile = zone_tile(GREY_IMAGE, np.array([[0, 1, 1, -1, -1, -1, -1, -1]], np.float32))
    assert list(tile.lines) == ["attention 12%", "potential 25%", "background 62%"]
    assert list(tile.colours) == [COLOURS[0], COLOURS[1], COLOURS[-1]]
    picture = np.array(compose([{"zones": tile}], ""))
    top = TITLE_HEIGHT + tile.pixels.shape[0] * TILE // 60 + 4
    for number, colour in enumerate(tile.colours):
        middle = top + number * LINE_HEIGHT + LINE_HEIGHT // 2
        assert tuple(picture[middle, MARGIN + 5]) == colour


def test_heat_is_red_where_attention_is_one_and_blue_where_it_is_zero() -> None:
    tile = heat_tile(GREY_IMAGE, np.array([[1.0, 0.0]], np.float32), [])
    left, right = tile.pixels[20, 10].astype(int), tile.pixels[20, 50].astype(int)
    assert left[0] > 100 > left[2]
    assert right[2] > 100 > right[0]


def test_heatmap_of_attend_has_the_same_pixels(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 60, dtype=np.float32)[None].repeat(40, 0)
    write_heatmap(tmp_path / "heat.png", GREY_IMAGE, ramp)
    written = cv2.imread(str(tmp_path / "heat.png"))[:, :, ::-1]
    assert np.array_equal(written, heat_tile(GREY_IMAGE, ramp, []).pixels)


def _flat(colour: tuple[int, int, int], height: int = 30, width: int = 60) -> Tile:
    return Tile(np.full((height, width, 3), colour, np.uint8), ["one", "two", "three"])


def test_columns_keep_their_titles_and_a_missing_tile_leaves_its_place_empty() -> None:
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    rows = [{"image": _flat(red), "S_A": _flat(green)}, {"image": _flat(red), "S_B": _flat(blue)}]
    rows[0]["truth"] = rows[1]["truth"] = _flat((0, 0, 0))
    picture = np.array(compose(rows, "a note"))
    rows_at = [TITLE_HEIGHT, TITLE_HEIGHT + 80 + 3 * LINE_HEIGHT + 2 * MARGIN]
    found = [
        [tuple(picture[top + 40, MARGIN + column * (TILE + MARGIN) + 80]) for column in range(4)]
        for top in rows_at
    ]
    white = (255, 255, 255)
    assert found == [[red, white, green, (0, 0, 0)], [red, blue, white, (0, 0, 0)]]
    assert picture.shape[1] == MARGIN + 4 * (TILE + MARGIN)
    for column in range(4):  # a title above each column, lines below each tile
        left = MARGIN + column * (TILE + MARGIN)
        assert (picture[:TITLE_HEIGHT, left : left + 40] < 100).any()
    assert (picture[-LINE_HEIGHT - MARGIN :] < 200).any()  # the note


def test_tall_images_stand_in_columns_wide_enough_for_their_lines() -> None:
    picture = compose([{"a": _flat((9, 9, 9), 160, 40), "b": _flat((9, 9, 9), 160, 40)}], "")
    assert picture.width == MARGIN + 2 * (NARROWEST + MARGIN)


def test_written_picture_has_the_colours_of_the_zones_and_few_bytes(tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "x.png"
    labels = np.zeros((40, 60), np.uint8)
    labels[:, 30:] = 1
    write_rows(path, [{"T": zone_tile(GREY_IMAGE, MASK), "truth": label_tile(labels, [])}], "")
    pixels = np.array(Image.open(path).convert("RGB")).astype(int)
    side = TILE / 3
    for row in range(2):
        for column in range(3):
            y = TITLE_HEIGHT + round((row + 0.5) * side)
            x = MARGIN + round((column + 0.5) * side)
            assert abs(pixels[y, x] - _in_zone(MASK[row, column])).max() <= 6
    assert tuple(pixels[TITLE_HEIGHT + 20, MARGIN + TILE + MARGIN + 120]) == (128, 0, 0)
    assert path.stat().st_size < 10_000
    assert [p.name for p in path.parent.iterdir()] == ["x.png"]
