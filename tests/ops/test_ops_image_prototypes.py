"""SIPE's seeds and prototypes against versions written position by position from the paper."""

import math

import pytest
import torch

from wsss_cli.ops import image_prototypes
from wsss_cli.ops.image_prototypes import (
    normalised_activation,
    prototype_maps,
    redrawn,
    structure_seeds,
)

LABELS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return max(0.0, float(a @ b / (a.norm() * b.norm())))


def test_activation_is_of_present_classes_and_leaves_the_rest_to_the_background() -> None:
    scores = _random(2, 3, 4, 5)
    found = normalised_activation(scores, LABELS)
    for column in (0, 2):
        positive = scores[0, column].clamp(min=0)
        torch.testing.assert_close(found[0, column], positive / positive.max(), atol=1e-4, rtol=0)
    assert not found[0, 1].any()
    torch.testing.assert_close(found[0, 3], 1 - torch.maximum(found[0, 0], found[0, 2]))
    assert torch.equal(found[1, 3], torch.ones(4, 5))
    assert not found[1, :3].any()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_seeds_by_loops(seed: int) -> None:
    features = _random(2, 6, 3, 4, seed=seed)
    activation = normalised_activation(_random(2, 3, 3, 4, seed=seed + 9), LABELS)
    found = structure_seeds(activation, LABELS, features)
    for image in range(2):
        vectors = features[image].flatten(1).T  # (12, 6)
        for position in range(12):
            region = [_cosine(vectors[position], other) for other in vectors]
            overlaps = {}
            for channel in range(4):
                if channel < 3 and not LABELS[image, channel]:
                    continue
                values = activation[image, channel].flatten().tolist()
                shared = sum(r * v for r, v in zip(region, values, strict=True))
                union = sum(region) + sum(values) - shared
                overlaps[channel] = shared / (union + 1e-5) * (0.5 if channel == 3 else 1.0)
            best = max(overlaps, key=lambda channel: overlaps[channel])
            expected = [float(channel == best) for channel in range(4)]
            assert found[image, :, position // 4, position % 4].tolist() == expected


def test_seeds_do_not_depend_on_how_many_positions_are_compared_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = _random(2, 6, 5, 7)
    activation = normalised_activation(_random(2, 3, 5, 7, seed=3), LABELS)
    together = structure_seeds(activation, LABELS, features)
    monkeypatch.setattr(image_prototypes, "_AT_ONCE", 4)
    assert torch.equal(structure_seeds(activation, LABELS, features), together)


def test_maps_are_the_cosine_to_the_mean_of_the_seeds_by_loops() -> None:
    features = _random(2, 5, 3, 4, seed=4)
    seeds = structure_seeds(
        normalised_activation(_random(2, 3, 3, 4, seed=5), LABELS), LABELS, features
    )
    found = prototype_maps(seeds, features)
    for image in range(2):
        vectors = features[image].flatten(1).T  # (12, 5)
        for channel in range(4):
            weights = seeds[image, channel].flatten()
            if not weights.any():
                assert not found[image, channel].any()
                continue
            prototype = (weights[:, None] * vectors).mean(dim=0)
            expected = torch.tensor([_cosine(vector, prototype) for vector in vectors])
            torch.testing.assert_close(
                found[image, channel].flatten(), expected, atol=1e-5, rtol=1e-4
            )


def test_autocast_does_not_round_the_similarities() -> None:
    features, labels = _random(2, 24, 9, 7), torch.tensor([[1, 0, 1], [1, 1, 0]])
    activation = normalised_activation(_random(2, 3, 9, 7, seed=1), labels)
    seeds = structure_seeds(activation, labels, features)
    maps = prototype_maps(seeds, features)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(structure_seeds(activation, labels, features), seeds)
        assert torch.equal(prototype_maps(seeds, features), maps)


def test_map_of_a_part_is_redrawn_as_all_that_looks_like_it() -> None:
    """Of two kinds of positions one is lit in part: all of it becomes the class, the other not."""
    features = torch.zeros(4, 6, 8)
    features[0, :, :4], features[1, :, 4:] = 1, 3  # the right half looks different
    features += 0.01 * torch.rand(4, 6, 8, generator=torch.Generator().manual_seed(0))
    maps = torch.zeros(1, 6, 8)
    maps[0, 1:5, 5:] = 1
    drawn = redrawn(maps, features)[0]
    lit, rest = maps[0] > 0, torch.zeros(6, 8, dtype=torch.bool)
    rest[:, 4:] = True
    assert drawn[lit].min() > 0.9
    assert drawn[rest & ~lit].min() > 0.4
    assert drawn[~rest].max() < 0.1


def test_redrawn_maps_are_the_mean_of_a_map_and_its_share() -> None:
    generator = torch.Generator().manual_seed(1)
    maps, features = torch.rand(2, 3, 4, generator=generator), torch.rand(5, 3, 4)
    activation = torch.cat((maps, 1 - maps.amax(dim=0, keepdim=True)))[None]
    seeds = structure_seeds(activation, torch.ones(1, 2), features[None])
    similarity = prototype_maps(seeds, features[None])[0]
    drawn = redrawn(maps, features)
    for y in range(3):
        for x in range(4):
            powers = [math.exp(float(similarity[k, y, x]) / 0.05) for k in range(3)]
            for k in range(2):
                share = powers[k] / sum(powers)
                assert float(drawn[k, y, x]) == pytest.approx(
                    (float(maps[k, y, x]) + share) / 2, abs=1e-5
                )
