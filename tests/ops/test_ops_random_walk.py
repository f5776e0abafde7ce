"""The walk against powers of the dense matrix of all pairs, written from the definition."""

import itertools

import pytest
import torch

from wsss_cli.ops.random_walk import walk


def _dense(
    maps: torch.Tensor, edges: torch.Tensor, radius: int, beta: float, steps: int
) -> torch.Tensor:
    """All pairs of positions by loops; the matrix to the power of the steps."""
    height, width = edges.shape
    cells = list(itertools.product(range(height), range(width)))
    matrix = torch.eye(len(cells), dtype=torch.float64)
    for i, (y, x) in enumerate(cells):
        for j, (v, u) in enumerate(cells):
            down, right = v - y, u - x
            if i == j or down**2 + right**2 >= radius**2:
                continue
            strongest = 0.0
            for a in range(min(0, down), max(0, down) + 1):
                for b in range(min(0, right), max(0, right) + 1):
                    distance = (down * b - right * a) ** 2 / (down**2 + right**2)
                    if distance < 1:
                        strongest = max(strongest, float(edges[y + a, x + b]))
            matrix[i, j] = (1 - strongest) ** beta
    transition = matrix / matrix.sum(dim=0, keepdim=True)
    start = (maps * (1 - edges)).flatten(1)
    return (start @ torch.linalg.matrix_power(transition, steps)).reshape(maps.shape)


@pytest.mark.parametrize(
    ("radius", "beta", "steps"), [(2, 10, 1), (3, 1, 4), (5, 10, 256), (4, 8, 64), (1, 10, 3)]
)
def test_walk_is_the_power_of_the_dense_matrix(radius: int, beta: float, steps: int) -> None:
    generator = torch.Generator().manual_seed(radius)
    maps = torch.rand(2, 9, 12, generator=generator, dtype=torch.float64)
    edges = torch.rand(9, 12, generator=generator, dtype=torch.float64) ** 2
    found = walk(maps, edges, radius, beta, steps)
    expected = _dense(maps, edges, radius, beta, steps)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_a_map_fills_its_side_of_an_edge_and_stays_there() -> None:
    edges = torch.zeros(20, 20)
    edges[:, 10] = 1.0
    maps = torch.zeros(1, 20, 20)
    maps[0, 9:11, 2:4] = 1.0
    spread = walk(maps, edges)
    assert spread[0, :, :10].min() > 0.2 * spread.max()
    assert spread[0, :, 11:].max() == 0


def test_maps_smaller_than_the_radius_and_none_at_all() -> None:
    edges = torch.rand(2, 3, dtype=torch.float64)
    maps = torch.rand(1, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(walk(maps, edges, 5, 10, 8), _dense(maps, edges, 5, 10, 8))
    assert walk(maps[:0], edges).shape == (0, 2, 3)
    assert torch.equal(walk(maps, edges, steps=0), maps * (1 - edges))
