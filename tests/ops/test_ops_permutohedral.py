import math
from itertools import pairwise

import pytest
import torch

from wsss_cli.errors import WsssError
from wsss_cli.ops import permutohedral
from wsss_cli.ops.permutohedral import Lattice


def _points(dimensions: int, count: int, spread: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.rand(dimensions, count, generator=generator)


def _values(count: int, channels: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, generator=torch.Generator().manual_seed(seed))


def _corners_of(point: list[float]) -> dict[tuple[int, ...], float]:
    """The d + 1 corners around one point and their weights, from the definition in Adams 2010.

    A corner of remainder r is found by walking from the corner of remainder 0: once around, each
    step adds 1 to all coordinates and takes d + 1 from the one in which the point lags the most.
    """
    d = len(point)
    scale = math.sqrt(2 / 3) * (d + 1)
    scaled = [x * scale / math.sqrt((i + 1) * (i + 2)) for i, x in enumerate(point)]
    elevated = [sum(scaled)]
    elevated += [sum(scaled[i:]) - i * scaled[i - 1] for i in range(1, d + 1)]
    origin = [(d + 1) * round(x / (d + 1)) for x in elevated]
    # Back onto the plane of sum 0, by moving the coordinates that were rounded the furthest.
    while excess := sum(origin) // (d + 1):
        errors = [x - o for x, o in zip(elevated, origin, strict=True)]
        if excess > 0:
            origin[errors.index(min(errors))] -= d + 1
        else:
            origin[errors.index(max(errors))] += d + 1
    beyond = [x - o for x, o in zip(elevated, origin, strict=True)]
    ascending = sorted(range(d + 1), key=lambda i: beyond[i])
    corners, corner = [tuple(origin)], origin
    for lagging in ascending[:-1]:
        corner = [x + 1 - (d + 1) * (i == lagging) for i, x in enumerate(corner)]
        corners.append(tuple(corner))
    levels = [beyond[i] for i in ascending]
    weights = [(after - before) / (d + 1) for before, after in pairwise(levels)]
    return dict(zip(corners, [1 - sum(weights), *weights], strict=True))


def _filter_by_loops(features: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    d, count = features.shape
    around = [_corners_of(features[:, n].tolist()) for n in range(count)]
    table: dict[tuple[int, ...], torch.Tensor] = {}
    for n, corners in enumerate(around):
        for corner, weight in corners.items():
            table[corner] = table.get(corner, 0) + weight * values[n].double()
    for axis in range(d + 1):
        step = [d if i == axis else -1 for i in range(d + 1)]
        blurred = {}
        for corner, value in table.items():
            for sign in (1, -1):
                beside = tuple(x + sign * s for x, s in zip(corner, step, strict=True))
                value = value + table.get(beside, 0) / 2
            blurred[corner] = value
        table = blurred
    rows = [sum(w * table[corner] for corner, w in corners.items()) for corners in around]
    return torch.stack(rows) / (1 + 2**-d)


def _exact(features: torch.Tensor) -> torch.Tensor:
    """(N, N) float64 Gaussian weights of all pairs."""
    return torch.exp(-(torch.cdist(features.T.double(), features.T.double()) ** 2) / 2)


@pytest.mark.parametrize(
    ("dimensions", "spread"), [(1, 9.0), (2, 6.0), (3, 4.0), (5, 3.0), (5, 40.0)]
)
def test_filter_equals_the_loops_of_the_definition(dimensions: int, spread: float) -> None:
    # Values on both sides of 0 are where rounding and remainders of negative numbers go wrong.
    features = _points(dimensions, 60, spread) - spread / 2
    values = _values(60, 3)
    expected = _filter_by_loops(features, values)
    actual = Lattice.build(features).filter(values)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_filter_approximates_the_gaussian_of_all_pairs(dimensions: int) -> None:
    features = _points(dimensions, 3000, 3.0)
    # A wave of about one period, so that neither the mean nor the values themselves would do.
    values = torch.sin(2 * features.sum(dim=0, keepdim=True).T / math.sqrt(dimensions))
    lattice = Lattice.build(features)
    ours = lattice.filter(values) / lattice.filter(torch.ones(3000, 1))
    weights = _exact(features)
    exact = (weights @ values.double()) / weights.sum(dim=1, keepdim=True)
    error = (ours - exact).square().mean().sqrt()
    assert float(error) < 0.04
    assert float((values - exact).square().mean().sqrt()) > 0.4  # so there was something to do


@pytest.mark.parametrize("dimensions", [1, 2])
def test_width_of_the_gaussian_is_one_standard_deviation(dimensions: int) -> None:
    # How far a bright point spreads along the first axis depends on where it lies in its simplex.
    side = torch.arange(-6, 6, 0.1)
    features = torch.stack(torch.meshgrid(*[side] * dimensions, indexing="ij")).flatten(1)
    near = (features.abs() < 1.5).all(dim=0).nonzero().flatten()
    spots = near[torch.randperm(len(near), generator=torch.Generator().manual_seed(0))[:24]]
    values = torch.zeros(features.shape[1], len(spots))
    values[spots, torch.arange(len(spots))] = 1
    spread = Lattice.build(features).filter(values)
    distances = features[0][:, None] - features[0][spots]
    variance = (spread * distances**2).sum(dim=0) / spread.sum(dim=0)
    assert float(variance.mean()) == pytest.approx(1.0, abs=0.05)


def test_channels_are_filtered_on_their_own_and_linearly() -> None:
    lattice = Lattice.build(_points(5, 200, 3.0))
    values = _values(200, 21)
    together = lattice.filter(values)
    for channel in (0, 7, 20):
        alone = lattice.filter(values[:, channel : channel + 1].contiguous())
        torch.testing.assert_close(together[:, channel : channel + 1], alone)
    torch.testing.assert_close(lattice.filter(3 * values), 3 * together)
    torch.testing.assert_close(
        together.sum(dim=1, keepdim=True), lattice.filter(values.sum(dim=1, keepdim=True))
    )


def test_order_of_the_points_does_not_matter() -> None:
    features, values = _points(5, 300, 4.0), _values(300, 2)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(2))
    expected = Lattice.build(features).filter(values)[order]
    actual = Lattice.build(features[:, order].contiguous()).filter(values[order])
    torch.testing.assert_close(actual, expected)


def test_points_far_apart_do_not_touch() -> None:
    features = torch.tensor([[0.0, 1000.0], [0.0, -1000.0]])
    lattice = Lattice.build(features)
    both = lattice.filter(torch.tensor([[1.0], [5.0]]))
    torch.testing.assert_close(lattice.filter(torch.tensor([[1.0], [0.0]]))[0], both[0])


def test_scaled_filter_multiplies_before_and_after() -> None:
    lattice = Lattice.build(_points(3, 100, 3.0))
    values = _values(100, 4)
    before, after = _values(100, 1, 3), _values(100, 1, 4)
    expected = after * lattice.filter(before * values)
    actual = lattice.scaled(before.flatten(), after.flatten()).filter(values)
    torch.testing.assert_close(actual, expected)


def test_one_point_and_many_equal_points_work() -> None:
    one = Lattice.build(torch.full((2, 1), 0.3)).filter(torch.ones(1, 1))
    many = Lattice.build(torch.full((2, 50), 0.3)).filter(torch.ones(50, 1))
    torch.testing.assert_close(many, 50 * one.expand(50, 1))


def test_weights_of_a_point_sum_to_one_and_are_not_negative() -> None:
    _, _, weights = permutohedral._simplices(_points(5, 1000, 20.0) - 10)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(1000), rtol=0, atol=1e-5)
    assert float(weights.min()) > -1e-5


def test_a_spread_too_wide_to_number_is_refused() -> None:
    with pytest.raises(WsssError, match="spread too far"):
        Lattice.build(_points(5, 100, 1e6))
