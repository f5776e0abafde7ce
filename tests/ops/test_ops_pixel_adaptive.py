"""Refinement by colour against a version written position by position from the definition."""

import math
import statistics

import pytest
import torch

from wsss_cli.ops.pixel_adaptive import refine_by_colour

OFFSETS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]


def _slow(maps: list, image: list, dilations: tuple[int, ...], iterations: int) -> list:
    """The definition with plain numbers, for one image."""
    height, width = len(image[0]), len(image[0][0])

    def neighbours(y: int, x: int) -> list[tuple[int, int]]:
        return [
            (min(max(y + d * down, 0), height - 1), min(max(x + d * right, 0), width - 1))
            for d in dilations
            for down, right in OFFSETS
        ]

    weights = {}
    for y in range(height):
        for x in range(width):
            around = neighbours(y, x)
            powers = []
            deviations = [statistics.stdev(channel[v][u] for v, u in around) for channel in image]
            for v, u in around:
                terms = [
                    abs(channel[v][u] - channel[y][x]) / (1e-8 + 0.1 * deviation)
                    for channel, deviation in zip(image, deviations, strict=True)
                ]
                powers.append(math.exp(-sum(terms) / 3))
            weights[y, x] = [power / sum(powers) for power in powers]
    for _ in range(iterations):
        maps = [
            [
                [
                    sum(
                        w * one[v][u]
                        for w, (v, u) in zip(weights[y, x], neighbours(y, x), strict=True)
                    )
                    for x in range(width)
                ]
                for y in range(height)
            ]
            for one in maps
        ]
    return maps


@pytest.mark.parametrize(("dilations", "iterations"), [((1,), 1), ((1, 2), 3)])
def test_refinement_is_the_definition(dilations: tuple[int, ...], iterations: int) -> None:
    generator = torch.Generator().manual_seed(2)
    probabilities = torch.rand(2, 3, 5, 6, generator=generator).softmax(dim=1)
    images = 255 * torch.rand(2, 3, 5, 6, generator=generator)
    found = refine_by_colour(probabilities, images, dilations=dilations, iterations=iterations)
    for b in range(2):
        expected = _slow(probabilities[b].tolist(), images[b].tolist(), dilations, iterations)
        torch.testing.assert_close(found[b], torch.tensor(expected), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2, 5, 6), atol=1e-5, rtol=0)


def test_probabilities_spread_over_a_colour_and_stop_at_its_edge() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[..., 8:] = 200.0
    seed = torch.zeros(1, 1, 16, 16)
    seed[..., 6:10, 2:5] = 1.0
    spread = refine_by_colour(seed, image + torch.rand(1, 3, 16, 16), iterations=20)
    assert spread[..., :8].mean() > 0.01
    assert spread[..., 8:].max() < 0.05 * spread[..., :8].max()
    flat = refine_by_colour(seed, torch.zeros(1, 3, 16, 16))
    assert flat.isfinite().all()
