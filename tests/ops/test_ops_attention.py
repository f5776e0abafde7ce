"""Fusing of branch maps against cv2 and a bicubic resize written with loops."""

import math

import cv2
import numpy as np
import pytest
import torch

from wsss_cli.ops import attention


def _cubic_weight(distance: float, a: float = -0.75) -> float:
    """Keys' cubic convolution kernel."""
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def _resize_line(values: list[float], length: int) -> list[float]:
    """Half-pixel centres, four taps, edge values repeated."""
    out = []
    for i in range(length):
        centre = (i + 0.5) * len(values) / length - 0.5
        first = math.floor(centre) - 1
        out.append(
            sum(
                _cubic_weight(centre - tap) * values[min(max(tap, 0), len(values) - 1)]
                for tap in range(first, first + 4)
            )
        )
    return out


def _fuse_by_loops(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    fused = torch.zeros(len(maps), *size, dtype=torch.float64)
    for p, branches in enumerate(maps.tolist()):
        for branch in branches:
            rows = [_resize_line(row, size[1]) for row in branch]
            columns = [_resize_line([row[x] for row in rows], size[0]) for x in range(size[1])]
            peak = max(0.0, *(value for column in columns for value in column))
            for x, column in enumerate(columns):
                for y, value in enumerate(column):
                    scaled = max(value, 0.0) / (peak + 1e-8)
                    fused[p, y, x] = max(float(fused[p, y, x]), scaled)
    return fused


def _random_maps(seed: int, *shape: int) -> torch.Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) - 0.5


def _close(actual: torch.Tensor, expected: torch.Tensor, atol: float = 1e-4) -> None:
    torch.testing.assert_close(actual.double(), expected.double(), atol=atol, rtol=0)


def test_without_resizing_each_map_is_clipped_and_divided_by_its_own_maximum() -> None:
    maps = torch.tensor([[[[1.0, 4.0], [-8.0, 2.0]], [[30.0, 0.0], [10.0, -90.0]]]])
    # 1/4 4/4 0 2/4 against 30/30 0 10/30 0.
    expected = torch.tensor([[[1.0, 1.0], [1 / 3, 0.5]]])
    _close(attention.fuse_branches(maps, (2, 2)), expected, 1e-6)


def test_maps_are_clipped_after_the_resize_not_before() -> None:
    # Taps at distances 1.25, .25, .75, 1.75 weigh -27, 225, 67, -9 of 256, edge values repeated:
    # [-4, 4] becomes 4 / 256 * [-310, -140, 140, 310]. Clipped first it would light pixel 1.
    fused = attention.fuse_branches(torch.tensor([[[[-4.0, 4.0]]]]), (1, 4))
    _close(fused, torch.tensor([[[0.0, 0.0, 140 / 310, 1.0]]]), 1e-6)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((2, 2, 3, 4), (7, 9)), ((1, 3, 5, 4), (3, 8)), ((2, 1, 6, 7), (4, 3))],
)
def test_fused_maps_equal_the_bicubic_loops(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    maps = _random_maps(0, *shape)
    fused = attention.fuse_branches(maps, size)
    assert fused.shape == (shape[0], *size)
    _close(fused, _fuse_by_loops(maps, size))


@pytest.mark.parametrize("size", [(21, 33), (6, 20), (224, 300)])
def test_fused_maps_equal_a_cv2_resize_per_map(size: tuple[int, int]) -> None:
    maps = _random_maps(1, 2, 4, 14, 13)
    expected = torch.zeros(2, *size)
    for p, branches in enumerate(maps.numpy()):
        for branch in branches:
            resized = cv2.resize(branch, size[::-1], interpolation=cv2.INTER_CUBIC)
            resized = np.maximum(resized, 0)
            scaled = torch.from_numpy(resized / (resized.max() + 1e-8))
            expected[p] = torch.maximum(expected[p], scaled)
    _close(attention.fuse_branches(maps, size), expected)


def test_maps_without_positive_score_fuse_to_zero_and_add_nothing() -> None:
    positive = torch.tensor([[1.0, 2.0], [4.0, 0.0]])
    negative = torch.tensor([[-1.0, -2.0], [-4.0, -3.0]])
    pairs = [[negative, torch.zeros(2, 2)], [negative, positive], [positive, torch.zeros(2, 2)]]
    maps = torch.stack([torch.stack(pair) for pair in pairs])
    expected = torch.stack([torch.zeros(2, 2), positive / 4, positive / 4])
    _close(attention.fuse_branches(maps, (2, 2)), expected, 1e-6)


def test_fused_values_lie_in_the_unit_interval_and_reach_one_per_pair() -> None:
    fused = attention.fuse_branches(_random_maps(2, 6, 2, 5, 5), (16, 11))
    assert float(fused.min()) >= 0
    assert float(fused.max()) <= 1
    _close(fused.flatten(1).max(dim=1).values, torch.ones(6), 1e-6)


def test_scaling_one_branch_by_a_positive_number_changes_nothing() -> None:
    maps = _random_maps(3, 2, 3, 4, 4)
    scale = torch.tensor([0.5, 20.0, 300.0]).reshape(1, 3, 1, 1)
    expected = attention.fuse_branches(maps, (9, 10))
    _close(attention.fuse_branches(maps * scale, (9, 10)), expected, 1e-5)


def test_each_pair_is_fused_on_its_own() -> None:
    maps = _random_maps(4, 3, 2, 4, 5) * torch.tensor([1.0, 10.0, 100.0]).reshape(3, 1, 1, 1)
    together = attention.fuse_branches(maps, (8, 7))
    for p in range(3):
        _close(together[p : p + 1], attention.fuse_branches(maps[p : p + 1], (8, 7)), 1e-6)


def test_order_of_branches_does_not_matter_and_a_repeated_branch_adds_nothing() -> None:
    maps = _random_maps(5, 2, 3, 4, 5)
    expected = attention.fuse_branches(maps, (8, 7))
    _close(attention.fuse_branches(maps.flip(1), (8, 7)), expected, 0)
    _close(attention.fuse_branches(torch.cat([maps, maps[:, :1]], 1), (8, 7)), expected, 0)


def test_one_more_branch_never_lowers_a_pixel() -> None:
    maps = _random_maps(6, 2, 3, 4, 5)
    fewer = attention.fuse_branches(maps[:, :2], (8, 7))
    more = attention.fuse_branches(maps, (8, 7))
    assert bool((more >= fewer - 1e-6).all())
    assert bool((more > fewer + 1e-3).any())


@pytest.mark.parametrize("axis", [2, 3])
def test_flipped_maps_fuse_to_the_flipped_result(axis: int) -> None:
    maps = _random_maps(7, 2, 2, 5, 4)
    flipped = attention.fuse_branches(maps.flip(axis), (9, 12))
    _close(flipped, attention.fuse_branches(maps, (9, 12)).flip(axis - 1), 1e-5)


def test_maps_are_left_unchanged() -> None:
    maps = _random_maps(8, 2, 2, 5, 4)
    before = maps.clone()
    attention.fuse_branches(maps, (5, 4))
    assert torch.equal(maps, before)


def test_scales_fuse_to_the_maximum_of_their_normalised_maps_by_loops() -> None:
    scales = [_random_maps(9 + n, 2, 2, side, side + 1) * 10**n for n, side in enumerate((6, 4, 3))]
    fused = attention.fuse_scales(scales, (9, 11))
    parts = [_fuse_by_loops(scale, (9, 11)) for scale in scales]
    for p in range(2):
        for y in range(9):
            for x in range(11):
                expected = max(float(part[p, y, x]) for part in parts)
                assert float(fused[p, y, x]) == pytest.approx(expected, abs=1e-5)
    assert all(bool((part == torch.stack(parts).amax(dim=0)).any()) for part in parts)


def test_one_scale_is_fused_as_its_branches_are() -> None:
    maps = _random_maps(12, 2, 3, 5, 4)
    assert torch.equal(attention.fuse_scales([maps], (9, 8)), attention.fuse_branches(maps, (9, 8)))


def test_views_are_summed_after_clipping_and_divided_by_the_maximum_by_loops() -> None:
    scales = [_random_maps(9 + n, 2, 2, side, side + 1) for n, side in enumerate((6, 4, 3))]
    summed = attention.sum_views(scales, (9, 11))
    views = [
        attention.resize_bicubic(scale[p : p + 1, n : n + 1].relu(), (9, 11))[0, 0]
        for p in range(2)
        for scale in scales
        for n in range(2)
    ]
    for p in range(2):
        of_class = views[6 * p : 6 * p + 6]
        raw = [
            [sum(max(0.0, float(view[y, x])) for view in of_class) for x in range(11)]
            for y in range(9)
        ]
        highest = max(map(max, raw))
        for y in range(9):
            for x in range(11):
                expected = raw[y][x] / (highest + 1e-5)
                assert float(summed[p, y, x]) == pytest.approx(expected, abs=1e-5)


def test_sum_of_views_without_anything_positive_is_empty_and_finite() -> None:
    assert not attention.sum_views([-torch.rand(2, 2, 3, 3)], (6, 5)).any()
    assert attention.sum_views([torch.rand(0, 2, 3, 3)], (6, 5)).shape == (0, 6, 5)
