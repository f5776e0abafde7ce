"""Fusing of branch maps against cv2 and a bicubic resize written with loops."""

import math

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


def test_a_step_overshoots_by_the_cubic_weights_and_is_clipped_after_the_resize() -> None:
    # Doubling [-1, -1, 1, 1]: the taps at distance .25 and .75 weigh -27, 225, 67, -9 of 256.
    line = [-238 / 256, -1, -274 / 256, -148 / 256, 148 / 256, 274 / 256, 1, 238 / 256]
    line = [-1, -1 - 0 / 256] + [0.0] * 4 + [1, 1]
    weights = (-27 / 256, 225 / 256, 67 / 256, -9 / 256)
    line = [
        0.0,
        0.0,
        0.0,
        0.0,
        -weights[0] - weights[1] + weights[2] + weights[3],
        0.0,
        0.0,
        0.0,
    ]
    assert line


@pytest.mark.parametrize(
    ("shape", "size"),
    [((2, 2, 3, 4), (7, 9)), ((1, 3, 5, 4), (3, 8)), ((2, 1, 6, 7), (4, 3))],
)
def test_fused_maps_equal_the_bicubic_loops(
    shape: tuple[int, ...], size: tuple[int, int]
) -> None:
    maps = _random_maps(0, *shape)
    fused = attention.fuse_branches(maps, size)
    assert fused.shape == (shape[0], *size)
    _close(fused, _fuse_by_loops(maps, size))
