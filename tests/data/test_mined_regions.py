"""Painting over what was mined, and merging rounds, against plain loops."""

from pathlib import Path

import numpy as np
import pytest

from wsss_cli.artifacts.attention_file import (
    AttentionFile,
    ImageAttention,
    write_shard,
)
from wsss_cli.data.mined_regions import MinedRegions, paint_over

COLOUR = np.array([124, 117, 104], np.uint8)


def _image(seed: int = 0, size: tuple[int, int] = (5, 7)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def test_painting_is_that_of_plain_loops() -> None:
    image = _image()
    maps = np.random.default_rng(1).random((3, 5, 7)).astype(np.float32)
    maps[1] *= 0.5  # the share of its own maximum counts
    painted = paint_over(image, maps, 0.7, COLOUR)
    count = 0
    for y in range(5):
        for x in range(7):
            mined = any(one[y][x] > 0.7 * max(v for row in one for v in row) for one in maps)
            expected = COLOUR if mined else image[y, x]
            assert painted[y, x].tolist() == expected.tolist()
            count += mined
    assert 0 < count < 35


def test_value_at_the_threshold_is_kept_and_the_next_one_erased() -> None:
    above = np.nextafter(np.float16(0.75), np.float16(1))
    maps = np.array([[[1, above, 0.75, 0.5, 0]]], np.float16).astype(np.float32)
    painted = paint_over(np.zeros((1, 5, 3), np.uint8), maps, 0.75, COLOUR)
    assert (painted[0] == COLOUR).all(axis=1).tolist() == [True, True, False, False, False]


def test_threshold_is_a_share_of_each_maps_maximum_and_an_empty_map_erases_nothing() -> None:
    maps = np.array([[[0.5, 0.25, 0, 0]], [[0, 0, 0, 0]]], np.float32)
    painted = paint_over(np.zeros((1, 4, 3), np.uint8), maps, 0.6, COLOUR)
    assert (painted[0] == COLOUR).all(axis=1).tolist() == [True, False, False, False]


def test_painting_again_changes_nothing_and_leaves_its_input() -> None:
    image, maps = _image(2), np.random.default_rng(3).random((2, 5, 7))
    before = image.copy()
    once = paint_over(image, maps, 0.5, COLOUR)
    assert np.array_equal(paint_over(once, maps, 0.5, COLOUR), once)
    assert np.array_equal(image, before)


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """An image of 4 x 6 with the classes 3 and 1, whose maps have half its size."""
    maps = np.array([[[0, 0.25, 1], [0.5, 0, 0]], [[1, 0, 0], [0, 0, 0.75]]], np.float16)
    logits = np.array([1, -2, 3], np.float32)
    path = tmp_path / "known.h5"
    with write_shard(path) as write:
        write("a", ImageAttention(maps, np.array([3, 1], np.uint8), (4, 6), logits))
    return path


def test_merged_maps_are_the_maximum_class_by_class(known: Path) -> None:
    new = np.random.default_rng(4).random((2, 4, 6)).astype(np.float16)
    found = ImageAttention(new, np.array([1, 3], np.uint8), (4, 6), np.zeros(3, np.float32))
    with AttentionFile(known) as file:
        merged = MinedRegions(file, 0.8, COLOUR).merge("a", found)
        old = file.read("a")
    assert merged.class_ids.tolist() == [1, 3]
    assert merged.logits is not None
    assert merged.logits.tolist() == [1, -2, 3]  # of the whole image, not of the erased one
    # Old maps enlarged linearly with half-pixel centres; row 1 of the file is class 1.
    for row, old_map in enumerate((old.maps[1], old.maps[0])):
        for y in range(4):
            for x in range(6):
                v, u = min(max((y - 0.5) / 2, 0), 1), min(max((x - 0.5) / 2, 0), 2)
                top, left = min(int(v), 0), min(int(u), 1)
                value = sum(
                    (1 - abs(v - j)) * (1 - abs(u - i)) * float(old_map[j, i])
                    for j in (top, top + 1)
                    for i in (left, left + 1)
                )
                expected = max(value, float(new[row, y, x]))
                assert float(merged.maps[row, y, x]) == pytest.approx(expected, abs=1e-5)


def test_maps_smaller_than_the_image_erase_at_its_size(known: Path) -> None:
    image = _image(5, (4, 6))
    with AttentionFile(known) as file:
        erased = MinedRegions(file, 0.99, COLOUR).erase("a", image)
    painted = (erased == COLOUR).all(axis=2)
    # Only the corners above both ones reach the full value after the enlargement.
    assert painted.tolist() == [[True, False, False, False, False, True]] + [[False] * 6] * 3
    assert np.array_equal(erased[~painted], image[~painted])
