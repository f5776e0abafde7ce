"""The view of an image and its labels, written once more pixel by pixel from the definition."""

import math

import numpy as np
import pytest
from joint_views import joint_view

FILL = np.array([9, 8, 7], np.uint8)
IGNORE = 255


def _axis(side: int, crop: int, offset: int, position: int) -> int | None:
    """Where a position of the crop lies on a scaled side, None beyond its edges."""
    source = position + offset if side >= crop else position - offset
    return source if 0 <= source < side else None


def _nearest(position: int, scaled: int, side: int) -> int:
    return int((position + 0.5) * side / scaled)


def _pixel(image: np.ndarray, scale: float, y: int, x: int) -> np.ndarray:
    """A pixel of the image at half, whole or double size: mean, copy, or linear between four."""
    if scale == 1.0:
        return image[y, x].astype(float)
    if scale == 0.5:
        return image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float).mean(axis=(0, 1))
    total = np.zeros(3)
    row, column = (y + 0.5) / 2 - 0.5, (x + 0.5) / 2 - 0.5
    for dy in (0, 1):
        for dx in (0, 1):
            top, left = math.floor(row) + dy, math.floor(column) + dx
            weight = (1 - abs(row - top)) * (1 - abs(column - left))
            inside = min(max(top, 0), image.shape[0] - 1), min(max(left, 0), image.shape[1] - 1)
            total += weight * image[inside]
    return total


@pytest.mark.parametrize("size", [(24, 40), (40, 24), (16, 16), (60, 70)])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_every_pixel_and_every_label_is_that_of_the_definition(
    size: tuple[int, int], scale: float
) -> None:
    crop = 32
    source = np.random.default_rng(0)
    image = source.integers(0, 256, (*size, 3), np.uint8)
    label_map = source.choice(np.array([0, 1, 2, 7, 20, IGNORE], np.uint8), size)
    mirrors, padded = set(), 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        drawn = rng.uniform(scale, scale)
        scaled = [round(side * drawn) for side in size]
        top, left = (int(rng.integers(abs(crop - side) + 1)) for side in scaled)
        mirrored = rng.random() < 0.5
        mirrors.add(mirrored)
        view, labels = joint_view(
            image, label_map, crop, (scale, scale), FILL, np.random.default_rng(seed)
        )
        for y in range(crop):
            for x in range(crop):
                at_y = _axis(scaled[0], crop, top, y)
                at_x = _axis(scaled[1], crop, left, crop - 1 - x if mirrored else x)
                if at_y is None or at_x is None:
                    assert labels[y, x] == IGNORE
                    assert (view[y, x] == FILL).all()
                    padded += 1
                    continue
                nearest = _nearest(at_y, scaled[0], size[0]), _nearest(at_x, scaled[1], size[1])
                assert labels[y, x] == label_map[nearest]
                expected = _pixel(image, scale, at_y, at_x)
                assert np.abs(view[y, x] - expected).max() <= 1  # rounding
    assert mirrors == {True, False}
    assert (padded > 0) == (min(size) * scale < crop)


@pytest.mark.parametrize("seed", range(8))
def test_labels_of_any_scale_are_those_of_the_nearest_pixel(seed: int) -> None:
    """Over the solver's range of scales, whole images without a crop."""
    label_map = np.random.default_rng(1).integers(0, 21, (30, 41)).astype(np.uint8)
    image = np.zeros((30, 41, 3), np.uint8)
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(0.7, 1.3)
    height, width = round(30 * drawn), round(41 * drawn)
    top, left = (int(rng.integers(64 - side + 1)) for side in (height, width))
    mirrored = rng.random() < 0.5
    expected = np.full((64, 64), IGNORE, np.uint8)
    for y in range(height):
        for x in range(width):
            label = label_map[_nearest(y, height, 30), _nearest(x, width, 41)]
            expected[top + y, 63 - left - x if mirrored else left + x] = label
    _, labels = joint_view(image, label_map, 64, (0.7, 1.3), FILL, np.random.default_rng(seed))
    assert np.array_equal(labels, expected)
