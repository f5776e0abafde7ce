"""When labels are corrected and to what: by hand, by loops and by curves that are known."""

import math

import numpy as np
import pytest
import torch

from wsss_cli.ops import early_learning
from wsss_cli.ops.early_learning import (
    corrected_labels,
    fitted_growth,
    has_slowed,
    overlap_counts,
)


def _curve(a: float, b: float, c: float, epochs: int) -> list[float]:
    return [a * (1 - math.exp(-b * t**c)) for t in range(1, epochs + 1)]


def _squares(values: list[float], a: float, b: float, c: float) -> float:
    curve = _curve(a, b, c, len(values))
    return sum((v - f) ** 2 for v, f in zip(values, curve, strict=True))


@pytest.mark.parametrize(
    ("a", "b", "c"), [(0.8, 0.3, 1.0), (0.5, 0.05, 1.6), (0.9, 1.2, 0.5), (0.07, 0.4, 0.8)]
)
def test_the_curve_that_the_agreement_is_made_of_is_found(a: float, b: float, c: float) -> None:
    assert fitted_growth(_curve(a, b, c, 12)) == pytest.approx((a, b, c), rel=1e-3)


def test_no_curve_nearby_or_far_fits_better() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        noisy = (np.array(_curve(0.7, 0.4, 0.9, 9)) + rng.normal(0, 0.05, 9)).clip(0, 1).tolist()
        a, b, c = fitted_growth(noisy)
        least = _squares(noisy, a, b, c)
        for _ in range(200):
            factors = np.exp(rng.normal(0, rng.choice([0.01, 0.1, 1]), 3))
            other = (a * factors[0], b * factors[1], min(max(c * factors[2], 0.21), 4.9))
            assert _squares(noisy, *other) > least - 1e-7


@pytest.mark.parametrize("epochs", [20, 100, 101, 700])
def test_a_long_course_is_fitted_by_a_hundred_of_its_epochs(
    monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    rng = np.random.default_rng(0)
    course = np.array(_curve(0.7, 0.04, 0.9, epochs)) + rng.normal(0, 0.01, epochs)
    points: list[int] = []
    expm1 = np.expm1

    def counted(exponents: np.ndarray) -> np.ndarray:
        points.append(exponents.shape[-1])
        return expm1(exponents)

    monkeypatch.setattr(early_learning.np, "expm1", counted)
    found = fitted_growth(course)
    assert set(points) == {min(epochs, 100)}
    monkeypatch.setattr(early_learning, "MOST_POINTS", 10**9)
    expected = fitted_growth(course)
    if epochs <= 100:
        assert found == expected
    else:
        assert found == pytest.approx(expected, rel=0.1)


def test_a_class_that_was_never_learned_needs_no_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_learning, "fitted_growth", None)
    assert not has_slowed([0.0] * 20)


def test_growth_has_slowed_when_a_tenth_of_the_first_slope_is_left() -> None:
    """With c = 1 the slope falls by exp(-b) an epoch, so b = 1/2 leaves a tenth after 4.6."""
    course = _curve(0.6, 0.5, 1, 12)
    slowed = [has_slowed(course[:epochs]) for epochs in range(1, 13)]
    assert slowed == [epochs - 1 > math.log(10) / 0.5 for epochs in range(1, 13)]


@pytest.mark.parametrize(
    "course",
    [
        [],
        [0.5, 0.5, 0.5],  # flat, but there are as many curves through three points as one likes
        [0.0] * 20,  # never learned
        [0.03 * epoch for epoch in range(1, 21)],  # still as steep as at first
    ],
)
def test_growth_has_not_slowed(course: list[float]) -> None:
    assert not has_slowed(course)


def test_a_label_that_was_known_from_the_start_has_slowed() -> None:
    assert has_slowed([0.9, 0.9, 0.9, 0.9])


def _drawn(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 4, 5, 6, generator=chance)
    labels = torch.randint(0, 5, (2, 5, 6), generator=chance)
    return logits, labels.masked_fill(labels == 4, 255)


def test_overlap_is_that_of_plain_loops() -> None:
    logits, labels = _drawn(0)
    predicted = logits.argmax(dim=1)
    both, either = [0] * 4, [0] * 4
    for guess, label in zip(predicted.flatten().tolist(), labels.flatten().tolist(), strict=True):
        for each in range(4):
            both[each] += guess == each == label
            either[each] += label != 255 and each in (guess, label)
    assert overlap_counts(predicted, labels, 4).tolist() == [both, either]


def test_corrected_labels_are_those_of_plain_loops() -> None:
    logits, labels = _drawn(1)
    possible = torch.tensor([[True, False, True, True], [False, True, False, True]])
    inside = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(2)) < 0.9
    given = (logits.clone(), labels.clone(), possible.clone(), inside.clone())
    found = corrected_labels(logits, logits.argmax(dim=1), labels, possible, inside)
    changed = opened = 0
    for b in range(2):
        for y in range(5):
            for x in range(6):
                powers = [math.exp(float(z)) for z in logits[b, :, y, x]]
                best = max(range(4), key=powers.__getitem__)
                is_sure = powers[best] / sum(powers) > 0.8
                expected = int(labels[b, y, x])
                if is_sure and possible[b, best] and inside[b, y, x]:
                    changed += best != expected
                    opened += expected == 255
                    expected = best
                assert int(found[b, y, x]) == expected
    assert changed > 5
    assert opened > 0
    for before, after in zip(given, (logits, labels, possible, inside), strict=True):
        assert torch.equal(before, after)


def test_corrected_labels_are_constants_to_the_network() -> None:
    logits, labels = _drawn(3)
    logits.requires_grad_()
    possible, inside = (torch.ones(shape, dtype=torch.bool) for shape in ((2, 4), (2, 5, 6)))
    found = corrected_labels(logits, logits.argmax(dim=1), labels, possible, inside)
    assert not found.requires_grad
