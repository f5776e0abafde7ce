"""The paired bootstrap against draws made one by one, and against cases counted by hand."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from wsss_cli.metrics import bootstrap as module
from wsss_cli.metrics.bootstrap import Difference, bootstrap, paired_bootstrap, resampling_weights
from wsss_cli.metrics.segmentation import overlap


def _miou_by_loops(images: list[list[list[int]]]) -> float:
    """From (L, L + 1) counts of some images: sums and quotients written out."""
    num_labels = len(images[0])
    total = [[0] * (num_labels + 1) for _ in range(num_labels)]
    for image in images:
        for truth in range(num_labels):
            for found in range(num_labels + 1):
                total[truth][found] += image[truth][found]
    ious = []
    for label in range(num_labels):
        union = sum(total[label])  # true pixels, whatever they were called
        for truth in range(num_labels):
            union += total[truth][label] if truth != label else 0
        if union:
            ious.append(total[label][label] / union)
    return sum(ious) / len(ious)


def _exact_miou(overlaps: Tensor) -> Fraction:
    """Of (N, 2, L) intersections and unions, in whole numbers."""
    images = overlaps.tolist()
    ious = []
    for label in range(overlaps.shape[-1]):
        intersection, union = (sum(image[part][label] for image in images) for part in (0, 1))
        ious.append(Fraction(intersection, union))
    return sum(ious, Fraction()) / len(ious)


def _overlaps(counts: Tensor) -> Tensor:
    """Of (N, L, L + 1) counts whose last column holds further false negatives."""
    return overlap(counts[..., :-1], counts[..., -1])


def _weights(images: int, resamples: int, seed: int) -> Tensor:
    return torch.cat(list(resampling_weights(images, resamples, seed)))


def _random_counts(seed: int, images: int, num_labels: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, 50, (images, num_labels, num_labels + 1), generator=generator)
    return counts * (torch.rand(counts.shape, generator=generator) < 0.4)


def test_interval_is_that_of_scoring_every_draw_again() -> None:
    a, b = _random_counts(1, 9, 4), _random_counts(2, 9, 4)
    drawn = _weights(9, 41, seed=5)
    differences = []
    for row in drawn.tolist():
        images = [number for number, times in enumerate(row) for _ in range(int(times))]
        of_a, of_b = ([counts[i].tolist() for i in images] for counts in (a, b))
        differences.append(_miou_by_loops(of_b) - _miou_by_loops(of_a))
    differences.sort()
    found = paired_bootstrap(_overlaps(a), _overlaps(b), resamples=41, seed=5)
    assert found.difference == pytest.approx(
        _miou_by_loops(b.tolist()) - _miou_by_loops(a.tolist())
    )
    # Among 41 sorted values the quantiles .025 and .975 are those at 1 and 39.
    assert found.low == pytest.approx(differences[1])
    assert found.high == pytest.approx(differences[39])


def test_interval_of_one_system_is_that_of_scoring_every_draw_again() -> None:
    counts = _random_counts(8, 9, 4)
    scores = []
    for row in _weights(9, 41, seed=5).tolist():
        images = [number for number, times in enumerate(row) for _ in range(int(times))]
        scores.append(_miou_by_loops([counts[i].tolist() for i in images]))
    scores.sort()
    found = bootstrap(_overlaps(counts), resamples=41, seed=5)
    assert (found.low, found.high) == pytest.approx((scores[1], scores[39]))


def test_draws_are_those_of_one_generator_row_by_row_however_many_are_held_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bounded memory must not cost the image-sized rows their independence."""
    whole = _weights(10, 50, seed=4)
    drawn = torch.randint(10, (50, 10), generator=torch.Generator().manual_seed(4)).tolist()
    assert whole.tolist() == [[row.count(image) for image in range(10)] for row in drawn]
    monkeypatch.setattr(module, "_ROWS", 3)
    parts = list(resampling_weights(10, 50, seed=4))
    assert [len(part) for part in parts] == [3] * 16 + [2]
    assert torch.equal(torch.cat(parts), whole)


def test_more_images_are_not_drawn_in_more_parts() -> None:
    """Each part goes through the overlaps of all images: its price would be their square."""
    few, many = ([len(part) for part in resampling_weights(n, 130, seed=0)] for n in (3, 70_000))
    assert few == many


@pytest.mark.parametrize("images", [1, 6, 7, 8, 100])
def test_images_in_blocks_score_to_the_bit_as_all_at_once(
    images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sums that neither float32 nor 32-bit integers would hold."""
    a, b = (_overlaps(_random_counts(seed, images, 4)) * 10**8 + seed for seed in (9, 10))
    single, paired = bootstrap(a, resamples=30), paired_bootstrap(a, b, resamples=30)
    monkeypatch.setattr(module, "_IMAGES", 7)
    assert bootstrap(a, resamples=30) == single
    assert paired_bootstrap(a, b, resamples=30) == paired
    assert paired.difference == pytest.approx(float(_exact_miou(b) - _exact_miou(a)), abs=1e-15)


def test_difference_is_real_where_the_interval_leaves_zero_out() -> None:
    assert Difference(0.2, 0.1, 0.3).real
    assert Difference(-0.2, -0.3, -0.1).real
    assert not Difference(0.1, -0.1, 0.3).real


def test_one_image_has_no_spread_and_its_difference_is_that_of_hand() -> None:
    # a: background 3 of 4, object 1 of 2 with one pixel lit wrongly; b the same, one more missed.
    a = torch.tensor([[[3, 1, 0], [0, 1, 0]]])
    b = torch.tensor([[[3, 1, 0], [0, 0, 1]]])
    found = paired_bootstrap(_overlaps(a), _overlaps(b), resamples=20)
    by_hand = (3 / 4 + 0 / 2) / 2 - (3 / 4 + 1 / 2) / 2
    assert (found.difference, found.low, found.high) == pytest.approx((by_hand,) * 3)


def test_equal_systems_do_not_differ_and_exchanged_ones_differ_the_other_way() -> None:
    a, b = _random_counts(3, 12, 3), _random_counts(4, 12, 3)
    same = paired_bootstrap(_overlaps(a), _overlaps(a))
    assert (same.difference, same.low, same.high) == (0, 0, 0)
    there, back = (
        paired_bootstrap(_overlaps(a), _overlaps(b)),
        paired_bootstrap(_overlaps(b), _overlaps(a)),
    )
    assert back.difference == pytest.approx(-there.difference)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


def test_images_are_drawn_in_pairs() -> None:
    """A system that is better by the same share on every image is so on every draw."""
    base = torch.tensor([[[90, 0, 0], [5, 5, 0]], [[10, 0, 0], [0, 90, 0]]])
    hard_and_easy = base.repeat(20, 1, 1)
    worse = hard_and_easy.clone()
    worse[:, 1, 1] -= 1
    worse[:, 1, 2] += 1
    found = paired_bootstrap(_overlaps(hard_and_easy), _overlaps(worse))
    assert found.high < 0
    assert found.high - found.low < 0.01
    unpaired = paired_bootstrap(_overlaps(hard_and_easy), _overlaps(worse.roll(1, 0)))
    assert unpaired.high - unpaired.low > 3 * (found.high - found.low)


def test_scale_of_the_counts_does_not_matter() -> None:
    """So the sum over seeds stands for their mean."""
    a, b = _random_counts(6, 8, 5), _random_counts(7, 8, 5)
    once, thrice = (
        paired_bootstrap(_overlaps(a), _overlaps(b)),
        paired_bootstrap(_overlaps(3 * a), _overlaps(3 * b)),
    )
    assert vars(once) == pytest.approx(vars(thrice))


def test_every_draw_has_as_many_images_as_there_are_and_each_is_as_likely() -> None:
    weights = _weights(10, 2000, seed=0)
    assert weights.shape == (2000, 10)
    assert set(weights.sum(dim=1).tolist()) == {10}
    # The mean of 2000 binomial counts of mean 1: standard error sqrt(.9 / 2000) = .021.
    assert (weights.double().mean(dim=0) - 1).abs().max() < 5 * math.sqrt(0.9 / 2000)
    # An image is left out with probability .9 ** 10.
    assert float((weights == 0).double().mean()) == pytest.approx(0.9**10, abs=0.02)
    assert torch.equal(weights, _weights(10, 2000, seed=0))
    others = [_weights(10, 2000, seed=seed) for seed in range(3)]
    assert not any(torch.equal(one, other) for one, other in pairwise(others))


def test_counts_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="overlaps of"):
        paired_bootstrap(_overlaps(_random_counts(0, 3, 2)), _overlaps(_random_counts(0, 4, 2)))


def test_draws_are_those_of_seed_0_unless_another_is_named() -> None:
    generator = torch.Generator().manual_seed(3)
    intersections = torch.randint(0, 50, (20, 1, 3), generator=generator)
    ours = torch.cat([intersections, intersections + 25], dim=1)
    theirs = torch.cat([intersections.flip(0), intersections.flip(0) + 25], dim=1)
    assert bootstrap(ours) == bootstrap(ours, seed=0) != bootstrap(ours, seed=1)
    differences = [
        paired_bootstrap(ours, theirs, **seed) for seed in ({}, {"seed": 0}, {"seed": 1})
    ]
    assert differences[0] == differences[1] != differences[2]
