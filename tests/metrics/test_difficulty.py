"""Separate regions and shared colours, counted by hand."""

import math

import numpy as np
import pytest

from wsss_cli.metrics.difficulty import LEAST_SHARE, colour_overlap, most_regions


def test_regions_are_those_of_one_class_over_edges_and_corners() -> None:
    target = np.zeros((20, 20), np.uint8)
    target[0, 0] = target[1, 1] = 1  # touch at a corner: one region
    target[5, 5] = target[5, 9] = target[5, 13] = 2
    target[9, :3], target[9, 3], target[9, 4:7] = 1, 255, 1  # parted by a border
    target[15, 15] = 255
    assert most_regions(target) == 3
    target[5, 5:14] = 2
    assert most_regions(target) == 3  # of class 1 now
    assert most_regions(np.full((4, 4), 255, np.uint8)) == 0
    assert most_regions(np.zeros((4, 4), np.uint8)) == 0


def test_crumbs_are_not_counted() -> None:
    target = np.zeros((100, 100), np.uint8)
    target[0, :10] = target[2, :10] = 1
    target[4, :9] = target[6, :9] = 1
    assert LEAST_SHARE * target.size == 10
    assert most_regions(target) == 2


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.mark.parametrize(
    ("inside", "outside", "overlap"),
    [
        ([RED] * 4, [GREEN] * 4, 0),
        ([RED, GREEN] * 2, [GREEN, RED] * 2, 1),
        ([RED] * 4, [RED, GREEN, BLUE, WHITE], 1 / 4),
        ([RED, RED, RED, BLUE], [RED, BLUE, BLUE, GREEN], 2 / 4),
    ],
)
def test_overlap_is_the_sum_of_the_lesser_shares(
    inside: list[tuple[int, ...]], outside: list[tuple[int, ...]], overlap: float
) -> None:
    image = np.array([inside, outside, [WHITE] * 4], np.uint8)
    target = np.array([[1, 1, 2, 2], [0] * 4, [255] * 4], np.uint8)
    assert colour_overlap(image, target) == pytest.approx(overlap)


def test_overlap_with_nothing_is_not_defined() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    for value in (0, 1, 255):
        assert math.isnan(colour_overlap(image, np.full((2, 2), value, np.uint8)))
