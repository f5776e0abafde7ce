"""Boundary IoU, the trimap curve and the style of the truth against loops over pixels."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from wsss_cli.metrics.boundary import DISTANCE, boundary_overlap, boundary_region
from wsss_cli.metrics.segmentation import iou_of
from wsss_cli.metrics.trimap import WIDTHS, contour_distance, trimap_overlaps
from wsss_cli.metrics.truth_style import border_style, common_style

CONVENTIONS = ("false-negative", "background", "excluded")


def _blocks(seed: int, height: int, width: int) -> np.ndarray:
    """Labels 0..3 and 255 in rectangles, so that regions have insides."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint8)
    for label in (1, 2, 3, 255, 1, 0, 255):
        top, left = rng.integers(0, height - 3), rng.integers(0, width - 3)
        labels[top : top + rng.integers(3, 14), left : left + rng.integers(3, 14)] = label
    return labels


def _settled_by_loops(prediction: np.ndarray, target: np.ndarray, convention: str) -> list:
    """Pairs (predicted, true) as rows of rows; None is no label at all and not scored in truth."""
    rows = []
    for predicted, true in zip(prediction.tolist(), target.tolist(), strict=True):
        row = []
        for p, t in zip(predicted, true, strict=True):
            if t == 255 or (p == 255 and convention == "excluded"):
                row.append((None, None))
            elif p == 255:
                row.append((0 if convention == "background" else None, t))
            else:
                row.append((p, t))
        rows.append(row)
    return rows


def _near_something_else(labels: list, y: int, x: int, width: int) -> bool:
    for dy in range(-width, width + 1):
        for dx in range(-width, width + 1):
            inside = 0 <= y + dy < len(labels) and 0 <= x + dx < len(labels[0])
            if not inside or labels[y + dy][x + dx] != labels[y][x]:
                return True
    return False


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_boundary_overlap_is_that_of_regions_found_pixel_by_pixel(
    seed: int, convention: str
) -> None:
    prediction, target = _blocks(seed, 33, 41), _blocks(seed + 50, 33, 41)
    width = max(1, round(0.02 * math.sqrt(33**2 + 41**2)))
    pairs = _settled_by_loops(prediction, target, convention)
    of_prediction = [[p for p, _ in row] for row in pairs]
    of_target = [[t for _, t in row] for row in pairs]
    expected = [[0] * 4, [0] * 4]
    for y in range(33):
        for x in range(41):
            p, t = pairs[y][x]
            p = p if _near_something_else(of_prediction, y, x, width) else None
            t = t if _near_something_else(of_target, y, x, width) else None
            for label in range(4):
                expected[0][label] += p == t == label
                expected[1][label] += label in (p, t)
    assert boundary_overlap(prediction, target, 4, convention).tolist() == expected


def test_boundary_is_2_percent_of_the_diagonal_wide_and_the_edge_is_one() -> None:
    assert DISTANCE == 0.02
    region = boundary_region(np.ones((20, 30), np.uint8), 3)
    assert not region[3:-3, 3:-3].any()
    assert region.sum() == 20 * 30 - 14 * 24


@pytest.mark.parametrize(
    ("size", "width"),  # diagonals of 80, 120 and 30: 2 % are 1.6, 2.4 and 0.6 pixels
    [((48, 64), 2), ((72, 96), 2), ((18, 24), 1)],
)
def test_boundary_width_is_the_nearest_whole_number_of_pixels(
    size: tuple[int, int], width: int
) -> None:
    label_map = np.ones(size, np.uint8)
    both, either = boundary_overlap(label_map, label_map, 2, "excluded").tolist()
    height, breadth = size
    frame = height * breadth - (height - 2 * width) * (breadth - 2 * width)
    assert both == either == [0, frame]


def test_boundary_iou_of_a_square_one_pixel_too_large() -> None:
    """By hand, in an image whose 2 % are one pixel."""
    target = np.zeros((30, 40), np.uint8)
    target[10:16, 10:16] = 1
    prediction = np.zeros((30, 40), np.uint8)
    prediction[10:16, 10:17] = 1
    # Truth: the 20 outer pixels of 6 x 6; prediction: the 22 of 6 x 7; shared: three sides.
    shared = 6 + 2 * 5
    found = boundary_overlap(prediction, target, 2, "false-negative")
    assert found[:, 1].tolist() == [shared, 20 + 22 - shared]


def test_perfect_prediction_scores_1_despite_the_border_of_255() -> None:
    truth = _blocks(3, 60, 70)
    without_border = np.where(truth == 255, np.uint8(2), truth)
    for convention in CONVENTIONS:
        for prediction in (without_border, np.zeros_like(truth) + truth):
            ious = iou_of(boundary_overlap(prediction, truth, 4, convention))
            assert ious[~ious.isnan()].tolist() == [1.0] * int((~ious.isnan()).sum())
            curve = iou_of(trimap_overlaps(prediction, truth, 4, convention))
            assert set(curve[~curve.isnan()].tolist()) == {1.0}


def _changes_beside(target: np.ndarray, y: int, x: int) -> bool:
    return any(
        target[v, u] != target[y, x]
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
        if 0 <= v < target.shape[0] and 0 <= u < target.shape[1]
    )


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_trimap_is_counted_in_bands_found_pixel_by_pixel(convention: str) -> None:
    prediction, target = _blocks(7, 45, 52), _blocks(8, 45, 52)
    contour = [(y, x) for y in range(45) for x in range(52) if _changes_beside(target, y, x)]
    pairs = _settled_by_loops(prediction, target, convention)
    expected = [[[0] * 4, [0] * 4] for _ in WIDTHS]
    for y in range(45):
        for x in range(52):
            steps = min(max(abs(y - v), abs(x - u)) for v, u in contour)
            p, t = pairs[y][x]
            for number, width in enumerate(WIDTHS):
                for label in range(4):
                    expected[number][0][label] += steps < width and p == t == label
                    expected[number][1][label] += steps < width and label in (p, t)
    assert trimap_overlaps(prediction, target, 4, convention).tolist() == expected


def test_truth_without_a_contour_has_no_band() -> None:
    plain = np.ones((9, 9), np.uint8)
    assert np.isinf(contour_distance(plain)).all()
    assert not trimap_overlaps(plain, plain, 3, "false-negative").any()


def test_styles_of_truth() -> None:
    sbd = np.zeros((20, 20), np.uint8)
    sbd[4:12, 4:12] = 1
    voc = sbd.copy()
    voc[3:13, 3:5] = voc[3:13, 11:13] = 255
    assert border_style(sbd) == "sbd"
    assert border_style(voc) == "voc"
    assert border_style(np.zeros((5, 5), np.uint8)) is None
    lone = sbd.copy()
    lone[0, :] = 255  # an ignored row is no border of the object
    assert border_style(lone) == "sbd"
    assert common_style({"voc": 3}) == "voc"
    assert common_style({"voc": 3, "sbd": 1}) == "mixed"
    assert common_style({}) is None


def test_overlaps_of_images_sum_to_a_mean_over_labels_present() -> None:
    total = torch.tensor([[3, 0, 1], [4, 0, 3]])
    expected = (Fraction(3, 4) + Fraction(1, 3)) / 2
    assert float(iou_of(total).nanmean()) == pytest.approx(float(expected))
