"""MaxBoxAccV2 and PxAP against loops and against cases counted by hand."""

from collections import deque

import numpy as np
import pytest

from wsss_cli.metrics.localisation import Localisation, box_ious, contour_boxes, region_boxes

EVERYWHERE = np.ones((20, 30), bool)


def _regions_by_search(mask: np.ndarray) -> set[tuple[int, ...]]:
    """Boxes of 8-connected regions, by walking from pixel to pixel."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    boxes = set()
    while left:
        waiting = deque([left.pop()])
        region = list(waiting)
        while waiting:
            y, x = waiting.popleft()
            near = {(y + v, x + u) for v in (-1, 0, 1) for u in (-1, 0, 1)} & left
            left -= near
            waiting.extend(near)
            region.extend(near)
        ys, xs = zip(*region, strict=True)
        boxes.add((min(xs), min(ys), max(xs) + 1, max(ys) + 1))
    return boxes


@pytest.mark.parametrize("seed", range(5))
def test_boxes_are_those_of_regions_found_by_walking(seed: int) -> None:
    mask = np.random.default_rng(seed).random((20, 30)) < 0.15
    expected = _regions_by_search(mask)
    assert {tuple(box) for box in region_boxes(mask).tolist()} == expected
    assert {tuple(box) for box in contour_boxes(mask).tolist()} >= expected


def test_box_iou_by_hand() -> None:
    a = np.array([[0, 0, 4, 4], [10, 10, 12, 12]])
    b = np.array([[2, 0, 6, 4]])
    assert box_ious(a, b).tolist() == [[8 / 24], [0]]


def _square(left: int, width: int) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[5:15, left : left + width] = True
    return mask


def test_the_threshold_is_the_best_for_all_cases_together() -> None:
    """One map finds its box at low thresholds only, two at high ones only: two of three count."""
    truth = _square(5, 10)
    shy = 0.3 * truth + 0.7 * _square(9, 2).astype(np.float32)  # whole where .3 or less is asked
    bold = 0.5 * np.ones((20, 30), np.float32) + 0.5 * truth
    bold[0, 0] = 0  # so that half the range is everything else
    counts = Localisation()
    for attention in (shy, bold, bold):
        counts.add(attention.astype(np.float32), truth, EVERYWHERE)
    assert counts.box_accuracy() == pytest.approx(2 / 3)


def test_box_of_any_contour_counts_at_each_iou() -> None:
    """Two blobs; the second has IoU 10 x 6 / 10 x 10 = .6 with the truth, enough for .3 and .5."""
    counts = Localisation()
    attention = (_square(1, 2) | _square(5, 6)).astype(np.float32)
    counts.add(attention, _square(5, 10), EVERYWHERE)
    assert counts.box_accuracy() == pytest.approx(2 / 3)


def test_pixel_average_precision_is_that_of_ranking_all_pixels() -> None:
    """Three maps of values in steps of 1/8, from 0 to 1: bins and values are the same thing."""
    rng = np.random.default_rng(0)
    counts = Localisation()
    pixels = []
    for _ in range(3):
        attention = (rng.integers(0, 9, (20, 30)) / 8).astype(np.float32)
        attention[0, :2] = 0, 1
        truth = rng.random((20, 30)) < 0.1 + 0.5 * attention
        counted = rng.random((20, 30)) < 0.8
        counts.add(attention, truth, counted)
        pixels += list(zip(attention[counted].tolist(), truth[counted].tolist(), strict=True))
    positives = sum(true for _, true in pixels)
    area, recalled = 0.0, 0
    for value in sorted({value for value, _ in pixels}, reverse=True):
        lit = [true for found, true in pixels if found >= value]
        area += sum(lit) / len(lit) * (sum(lit) - recalled) / positives
        recalled = sum(lit)
    assert counts.pixel_average_precision() == pytest.approx(area)


def test_scale_of_a_map_does_not_matter_and_a_flat_one_is_one_box() -> None:
    scores = []
    truth = _square(3, 12)
    for scale in (1.0, 0.25):
        counts = Localisation()
        ramp = np.linspace(0, scale, 30, dtype=np.float32)[None].repeat(20, axis=0)
        counts.add(ramp, truth, EVERYWHERE)
        scores.append((counts.box_accuracy(), counts.pixel_average_precision()))
    assert scores[0] == pytest.approx(scores[1])
    flat = Localisation()
    flat.add(np.zeros((20, 30), np.float32), EVERYWHERE, EVERYWHERE)
    assert (flat.box_accuracy(), flat.pixel_average_precision()) == (1, 1)


def test_without_an_object_nothing_is_defined() -> None:
    counts = Localisation()
    counts.add(np.zeros((20, 30), np.float32), ~EVERYWHERE, EVERYWHERE)
    assert np.isnan(counts.box_accuracy())
    assert np.isnan(counts.pixel_average_precision())
