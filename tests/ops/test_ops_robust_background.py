"""Robust background detection against loops written from the paper, and scenes one can judge."""

import heapq
import math

import numpy as np
import pytest

from wsss_cli.ops import robust_background as rbd
from wsss_cli.ops.robust_background import Regions, region_saliency, regions_of
from wsss_cli.ops.superpixels import COMPACTNESS, ITERATIONS, superpixels


def _regions(seed: int, rows: int = 4, columns: int = 5) -> Regions:
    """A grid of regions of random colours, each adjacent to those beside, above and below."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows * columns).reshape(rows, columns)
    lab = rng.uniform(0, 60, (rows, columns, 3))
    return regions_of(labels, lab)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)))


def _slow_saliency(regions: Regions) -> tuple[list[float], list[float], np.ndarray]:
    """Background, foreground and the minimiser's energy function's matrix, by loops."""
    n = len(regions.colours)
    colour = [[_apart(regions.colours[i], regions.colours[j]) for j in range(n)] for i in range(n)]
    linked = [
        [
            j
            for j in range(n)
            if j != i and (regions.adjacent[i, j] or (regions.at_edge[i] and regions.at_edge[j]))
        ]
        for i in range(n)
    ]
    cut = sum(min(colour[i][j] for j in linked[i]) for i in range(n)) / n
    background = []
    for start in range(n):
        way = {start: 0.0}
        heap = [(0.0, start)]
        while heap:  # Dijkstra
            length, here = heapq.heappop(heap)
            if length > way[here]:
                continue
            for there in linked[here]:
                longer = length + max(0.0, colour[here][there] - cut)
                if longer < way.get(there, math.inf):
                    way[there] = longer
                    heapq.heappush(heap, (longer, there))
        like = [math.exp(-(way[j] ** 2) / (2 * 7.0**2)) for j in range(n)]
        edge = sum(like[j] for j in range(n) if regions.at_edge[j])
        background.append(1 - math.exp(-((edge / math.sqrt(sum(like))) ** 2) / 2))
    contrast = [
        sum(
            colour[i][j]
            * math.exp(-(_apart(regions.places[i], regions.places[j]) ** 2) / (2 * 0.25**2))
            * background[j]
            for j in range(n)
        )
        for i in range(n)
    ]
    return background, [value / max(contrast) for value in contrast], np.array(colour)


@pytest.mark.parametrize("seed", range(3))
def test_saliency_has_the_least_energy_of_the_papers_terms(seed: int) -> None:
    regions = _regions(seed)
    background, foreground, colour = _slow_saliency(regions)

    def energy(s: np.ndarray) -> float:
        total = 0.0
        for i in range(len(s)):
            total += background[i] * s[i] ** 2 + foreground[i] * (s[i] - 1) ** 2
            for j in range(i):
                if regions.adjacent[i, j]:
                    weight = math.exp(-(colour[i, j] ** 2) / (2 * 7.0**2)) + 0.1
                    total += weight * (s[i] - s[j]) ** 2
        return total

    found = region_saliency(regions)
    least = energy(found)
    for i in range(len(found)):  # convex, so no step along any axis is down, however small
        for step in (-1e-3, 1e-3):
            moved = found.copy()
            moved[i] += step
            assert energy(moved) > least


@pytest.mark.parametrize("seed", range(3))
def test_background_and_geodesic_ways_agree_with_loops(seed: int) -> None:
    regions = _regions(seed, 5, 4)
    expected, foreground, colour = _slow_saliency(regions)
    found = rbd.background_probability(regions, rbd.distances(regions.colours))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    contrast = rbd.background_contrast(regions, colour, np.array(expected))
    np.testing.assert_allclose(contrast / contrast.max(), foreground, rtol=1e-9)


def test_boundary_connectivity_by_hand() -> None:
    """3 x 3 regions, all alike but the middle: 8 of 9 lie at the edge.

    The eight look like each other and not like the middle: 8 along the edge, an area of 8, so a
    connectivity of 8 / sqrt(8); of the middle 0 / sqrt(1).
    """
    lab = np.zeros((3, 3, 3))
    lab[1, 1] = 1000
    regions = regions_of(np.arange(9).reshape(3, 3), lab)
    found = rbd.background_probability(regions, rbd.distances(regions.colours))
    expected = np.full(9, 1 - math.exp(-8 / 2))
    expected[4] = 0
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_regions_by_hand() -> None:
    labels = np.array([[0, 0, 1], [0, 0, 1], [2, 2, 2]])
    lab = np.zeros((3, 3, 3))
    lab[:, :, 0] = [[1, 2, 9], [3, 4, 7], [5, 6, 10]]
    regions = regions_of(labels, lab)
    assert regions.colours[:, 0].tolist() == [10 / 4, 16 / 2, 21 / 3]
    np.testing.assert_allclose(regions.places, [[1 / 3, 1 / 3], [1 / 3, 5 / 6], [5 / 6, 1 / 2]])
    assert regions.adjacent.tolist() == [
        [False, True, True],
        [True, False, True],
        [True, True, False],
    ]
    assert regions.at_edge.all()
    inner = regions_of(np.pad(np.ones((1, 1), np.int64), 1), np.zeros((3, 3, 3)))
    assert inner.at_edge.tolist() == [True, False]


def _disc(touching: bool) -> tuple[np.ndarray, np.ndarray]:
    """A red disc on a meadow of noisy green, and where it is."""
    rng = np.random.default_rng(0)
    image = np.empty((96, 128, 3), np.uint8)
    image[:] = (60, 140, 60)
    image[:] = np.clip(image + rng.normal(0, 8, image.shape), 0, 255)
    y, x = np.mgrid[:96, :128]
    disc = (y - (75 if touching else 46)) ** 2 + (x - 70) ** 2 < 26**2
    image[disc] = (200, 40, 40)
    return image, disc


@pytest.mark.parametrize("touching", [False, True])
def test_object_stands_out_also_where_it_touches_the_edge(touching: bool) -> None:
    image, disc = _disc(touching)
    found = rbd.robust_background_saliency(image, 8) > 0.5
    assert (found & disc).sum() / (found | disc).sum() > 0.9


def test_flat_image_has_no_saliency_and_others_span_0_to_1() -> None:
    flat = rbd.robust_background_saliency(np.full((32, 48, 3), 90, np.uint8), 8)
    assert not flat.any()
    found = rbd.robust_background_saliency(_disc(touching=False)[0], 8)
    assert (found.min(), found.max()) == (0, 1)
    # One row of superpixels: all of them lie at the edge.
    thin = rbd.robust_background_saliency(_disc(touching=False)[0][:8], 8)
    assert np.isfinite(thin).all()


def test_mirrored_image_has_the_mirrored_saliency() -> None:
    image, disc = _disc(touching=False)
    upright = rbd.robust_background_saliency(image, 8)
    mirrored = rbd.robust_background_saliency(image[:, ::-1].copy(), 8)[:, ::-1]
    assert np.abs(upright - mirrored)[disc].mean() < 0.05


def test_superpixels_agree_with_loops() -> None:
    """Each pixel joins the nearest of nine centres; each centre moves to the mean of its pixels."""
    cell, rows, columns = 4, 3, 4
    lab = np.random.default_rng(1).uniform(0, 60, (rows * cell, columns * cell, 3))
    weight = COMPACTNESS / cell

    def feature(y: int, x: int) -> list[float]:
        return [*lab[y, x], y * weight, x * weight]

    def mean(members: list[tuple[int, int]]) -> list[float]:
        return [
            sum(column) / len(members)
            for column in zip(*(feature(*m) for m in members), strict=True)
        ]

    every = [(y, x) for y in range(rows * cell) for x in range(columns * cell)]
    centres = {
        (r, c): mean([(y, x) for y, x in every if (y // cell, x // cell) == (r, c)])
        for r in range(rows)
        for c in range(columns)
    }
    for _ in range(ITERATIONS):
        joined = {}
        for y, x in every:
            near = [
                (y // cell + dy, x // cell + dx)
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
                if (y // cell + dy, x // cell + dx) in centres
            ]
            joined[y, x] = min(near, key=lambda key: _apart(feature(y, x), centres[key]))
        for key in centres:
            members = [pixel for pixel in every if joined[pixel] == key]
            if members:
                centres[key] = mean(members)
    found = superpixels(lab, cell)
    assert set(np.unique(found)) == set(range(found.max() + 1))
    pairs = {(joined[pixel], int(found[pixel])) for pixel in every}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_superpixels_follow_an_edge_between_two_colours() -> None:
    lab = np.zeros((32, 32, 3), np.float32)
    lab[:, 13:] = 80  # not at the border of a cell
    labels = superpixels(lab, 8)
    assert not set(labels[:, :13].ravel()) & set(labels[:, 13:].ravel())
