"""Refinement of maps by colours, beside a version that goes from position to position."""

import math

import pytest
import torch
from torch import Tensor

from wsss_cli.ops.colour_refinement import DILATIONS, colour_weights, refine_by_colour


def _slowly(maps: Tensor, image: Tensor) -> Tensor:
    """One step, from the definition."""
    _, height, width = image.shape
    refined = torch.zeros_like(maps)
    for y in range(height):
        for x in range(width):
            near = [
                (min(max(y + dy * d, 0), height - 1), min(max(x + dx * d, 0), width - 1))
                for d in DILATIONS
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
                if (dy, dx) != (0, 0)
            ]
            alike = []
            for v, u in near:
                total = 0.0
                for channel in image:
                    values = [float(channel[q, p]) for q, p in near]
                    mean = sum(values) / len(values)
                    spread = math.sqrt(sum((z - mean) ** 2 for z in values) / (len(values) - 1))
                    difference = abs(float(channel[y, x]) - float(channel[v, u]))
                    total -= difference / (1e-8 + 0.1 * spread)
                alike.append(total / len(image))
            weights = [math.exp(one - max(alike)) for one in alike]
            for weight, (v, u) in zip(weights, near, strict=True):
                refined[:, y, x] += maps[:, v, u] * weight / sum(weights)
    return refined


def _drawn(seed: int, count: int = 2, size: tuple[int, int] = (7, 9)) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, *size, generator=random), torch.rand(3, *size, generator=random)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_is_the_definition_repeated(steps: int) -> None:
    maps, image = _drawn(0)
    expected = maps
    for _ in range(steps):
        expected = _slowly(expected, image)
    torch.testing.assert_close(refine_by_colour(maps, image, steps), expected)


def test_scale_of_the_colours_does_not_matter() -> None:
    maps, image = _drawn(1)
    torch.testing.assert_close(
        refine_by_colour(maps, image, 4), refine_by_colour(maps, 255 * image, 4)
    )


def test_map_of_half_an_object_becomes_the_object() -> None:
    """And stops at its edge, where the colour changes."""
    image = torch.zeros(3, 40, 60)
    image[:, 10:30, 20:50] = 1
    maps = torch.zeros(1, 40, 60)
    maps[0, 12:28, 22:30] = 1
    inside, refined = image[0] == 1, refine_by_colour(maps, image, 20)[0]
    assert refined[inside].min() > 10 * refined[~inside].max()
    assert refined[inside].min() > 0.1


def test_weights_are_shares() -> None:
    weights = colour_weights(_drawn(2)[1])
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(7, 9))


def test_no_map_and_an_image_of_one_colour_are_fine() -> None:
    maps, image = _drawn(3, count=0)
    assert refine_by_colour(maps, image, 2).shape == (0, 7, 9)
    ones = refine_by_colour(torch.ones(1, 7, 9), torch.full((3, 7, 9), 7), 2)
    torch.testing.assert_close(ones, torch.ones(1, 7, 9))
