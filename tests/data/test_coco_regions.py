"""COCO's polygons and run lengths against loops over pixels and over bits."""

import numpy as np
import pytest

from wsss_cli.data.coco_regions import from_polygon, from_runs, region_mask, uncompressed


def _inside(polygon: list[float], x: float, y: float) -> bool:
    """Whether a ray from (x, y) to the left crosses an odd number of edges."""
    corners = list(zip(polygon[::2], polygon[1::2], strict=True))
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) / (y1 - y0) * (x1 - x0) <= x:
            inside = not inside
    return inside


@pytest.mark.parametrize("seed", range(20))
def test_polygon_is_the_pixels_whose_centre_lies_inside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = 9, 13
    # Crossing itself, and partly outside of the picture.
    polygon = rng.uniform(-4, 16, 2 * int(rng.integers(3, 9))).tolist()
    expected = [
        [_inside(polygon, column + 0.5, row + 0.5) for column in range(width)]
        for row in range(height)
    ]
    assert from_polygon(polygon, height, width).tolist() == expected
    assert np.any(expected) or seed  # the first one at least shows something


def test_rectangle_on_pixel_borders_is_its_area() -> None:
    mask = from_polygon([2, 1, 5, 1, 5, 3, 2, 3], 4, 7)
    assert mask.sum() == 6
    assert mask[1:3, 2:5].all()


def test_direction_and_first_corner_do_not_matter() -> None:
    corners = np.random.default_rng(3).uniform(0, 12, (7, 2))
    mask = from_polygon(corners.ravel().tolist(), 12, 12)
    assert mask.any()
    assert (from_polygon(corners[::-1].ravel().tolist(), 12, 12) == mask).all()
    assert (from_polygon(np.roll(corners, 3, 0).ravel().tolist(), 12, 12) == mask).all()


def _runs_by_loop(mask: np.ndarray) -> list[int]:
    runs, value = [0], False
    for column in range(mask.shape[1]):
        for row in range(mask.shape[0]):
            if bool(mask[row, column]) != value:
                runs.append(0)
                value = not value
            runs[-1] += 1
    return runs


def _compressed_by_bits(runs: list[int]) -> str:
    """As the format is described: differences to the run two before, in groups of five bits."""
    text = ""
    for at, run in enumerate(runs):
        number = run - runs[at - 2] if at > 2 else run
        groups = 1
        while not -(2 ** (5 * groups - 1)) <= number < 2 ** (5 * groups - 1):
            groups += 1
        bits = f"{number % 2 ** (5 * groups):0{5 * groups}b}"
        for group in range(groups, 0, -1):
            more = "1" if group > 1 else "0"
            text += chr(48 + int(more + bits[5 * group - 5 : 5 * group], 2))
    return text


@pytest.mark.parametrize("seed", range(8))
def test_runs_and_their_compressed_form_give_the_mask_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.repeat(rng.random((6, 40)) < 0.4, 1 + seed, axis=0)
    runs = _runs_by_loop(mask)
    assert (from_runs(runs, *mask.shape) == mask).all()
    text = _compressed_by_bits(runs)
    assert uncompressed(text) == runs
    region = {"size": list(mask.shape), "counts": text}
    assert (region_mask(region, *mask.shape) == mask).all()


def test_several_polygons_are_their_union() -> None:
    one, other = [0, 0, 3, 0, 3, 3, 0, 3], [2, 2, 5, 2, 5, 5, 2, 5]
    both = region_mask([one, other], 6, 6)
    assert (both == (from_polygon(one, 6, 6) | from_polygon(other, 6, 6))).all()
    assert both.sum() == 17


@pytest.mark.parametrize(
    "region",
    [
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5]],
        [[1, 2, float("nan"), 4, 5, 6]],
        {"size": [6, 6], "counts": [30, 5]},
        {"size": [6, 6], "counts": [40, -4]},
        {"size": [5, 6], "counts": [30]},
        {"size": [6, 6], "counts": "P"},
        {"size": [6, 6], "counts": "é"},
        {"size": [6, 6], "counts": "oooooooooooo"},
    ],
)
def test_what_is_no_region_is_refused(region: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        region_mask(region, 6, 6)
