"""Average precision under the precision envelope against exact fractions."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from wsss_cli.metrics import classification


def _average_precision_by_fractions(scores: list[float], targets: list[bool]) -> Fraction:
    """Every positive counts the best precision at its recall or any higher one."""
    total = sum(targets)
    points: list[tuple[Fraction, Fraction]] = []
    for cut in scores:
        kept = [t for s, t in zip(scores, targets, strict=True) if s >= cut]
        points.append((Fraction(sum(kept), total), Fraction(sum(kept), len(kept))))
    area = Fraction(0)
    for number in range(1, total + 1):
        recall = Fraction(number, total)
        area += max(precision for r, precision in points if r >= recall) / total
    return area


def _ranked(targets: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores that put the targets in this order, best first."""
    return torch.linspace(1, -1, len(targets)), torch.tensor(targets, dtype=torch.bool)


def _random_case(seed: int, samples: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores without ties, shuffled, and labels with a positive in every class."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.stack([torch.randperm(samples, generator=generator) for _ in range(classes)])
    labels = torch.rand(samples, classes, generator=generator) < 0.3
    labels[0] = True
    return order.T.float() / samples - 0.5, labels


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        # Precisions at the positives 1, 2/3, 3/4; the envelope raises 2/3 to 3/4.
        pytest.param([1, 0, 1, 1, 0], (1 + 3 / 4 + 3 / 4) / 3, id="dip"),
        # 1/2, 2/3, 3/4: all raised to 3/4.
        pytest.param([0, 1, 1, 1], 3 / 4, id="rising"),
        # 1, 2/4: nothing to raise.
        pytest.param([1, 0, 0, 1], 3 / 4, id="falling"),
        # 1/3, 2/4, 3/7: the first raised to 1/2.
        pytest.param([0, 0, 1, 1, 0, 0, 1], (1 / 2 + 1 / 2 + 3 / 7) / 3, id="late"),
        pytest.param([1], 1.0, id="one-sample"),
        pytest.param([0, 0, 0, 1], 1 / 4, id="last-of-four"),
    ],
)
def test_average_precision_of_a_hand_ranked_list(targets: list[int], expected: float) -> None:
    value = classification.average_precision(*_ranked(targets))
    assert isinstance(value, float)
    assert value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("samples", [2, 5, 12, 60])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_average_precision_equals_the_exact_fractions(seed: int, samples: int) -> None:
    scores, labels = _random_case(seed, samples, 1)
    expected = _average_precision_by_fractions(scores[:, 0].tolist(), labels[:, 0].tolist())
    value = classification.average_precision(scores[:, 0], labels[:, 0])
    assert value == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(("positives", "negatives"), [(1, 9), (4, 4), (7, 2)])
def test_perfect_ranking_scores_one_and_reversed_ranking_the_prevalence(
    positives: int, negatives: int
) -> None:
    best = _ranked([1] * positives + [0] * negatives)
    worst = _ranked([0] * negatives + [1] * positives)
    assert classification.average_precision(*best) == pytest.approx(1, abs=1e-6)
    prevalence = positives / (positives + negatives)
    assert classification.average_precision(*worst) == pytest.approx(prevalence, abs=1e-6)


def test_average_precision_without_positives_is_nan_and_without_negatives_one() -> None:
    scores = torch.tensor([0.1, 0.9, 0.5])
    none = torch.zeros(3, dtype=torch.bool)
    assert math.isnan(classification.average_precision(scores, none))
    assert classification.average_precision(scores, ~none) == pytest.approx(1, abs=1e-6)


def test_average_precision_does_not_depend_on_the_order_of_samples() -> None:
    scores, labels = _random_case(3, 40, 1)
    expected = classification.average_precision(scores[:, 0], labels[:, 0])
    order = torch.randperm(40, generator=torch.Generator().manual_seed(4))
    value = classification.average_precision(scores[order, 0], labels[order, 0])
    assert value == pytest.approx(expected, abs=1e-9)


def test_average_precision_depends_on_the_ranking_alone() -> None:
    scores, labels = _random_case(5, 40, 1)
    expected = classification.average_precision(scores[:, 0], labels[:, 0])
    for transformed in (scores.double().sigmoid(), 1000 * scores - 7, scores.double().exp()):
        value = classification.average_precision(transformed[:, 0], labels[:, 0])
        assert value == pytest.approx(expected, abs=1e-9)
    assert classification.average_precision(-scores[:, 0], labels[:, 0]) != pytest.approx(expected)


def test_ties_between_samples_of_the_same_kind_change_nothing() -> None:
    targets = torch.tensor([1, 1, 0, 0, 1, 1, 1, 0], dtype=torch.bool)
    apart = torch.tensor([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    tied = torch.tensor([8.0, 8.0, 6.0, 6.0, 4.0, 4.0, 4.0, 1.0])
    expected = (1 + 1 + 3 * 5 / 7) / 5
    for scores in (apart, tied):
        value = classification.average_precision(scores, targets)
        assert value == pytest.approx(expected, abs=1e-6)


def test_lower_ranked_negatives_cost_nothing_and_higher_ranked_ones_do() -> None:
    scores, targets = _ranked([1, 0, 1, 0, 1])
    expected = classification.average_precision(scores, targets)
    more = torch.cat([targets, torch.zeros(3, dtype=torch.bool)])
    low = classification.average_precision(torch.cat([scores, torch.tensor([-5.0, -6, -7])]), more)
    high = classification.average_precision(torch.cat([scores, torch.tensor([5.0, 6, 7])]), more)
    assert low == pytest.approx(expected, abs=1e-9)
    assert high < expected - 0.1


def test_mean_average_precision_is_the_mean_over_columns() -> None:
    scores, labels = _random_case(6, 30, 5)
    exact = [
        _average_precision_by_fractions(scores[:, c].tolist(), labels[:, c].tolist())
        for c in range(5)
    ]
    value = float(classification.mean_average_precision(scores, labels))
    assert value == pytest.approx(float(sum(exact) / 5), abs=1e-6)
    order = [3, 0, 4, 2, 1]
    permuted = float(classification.mean_average_precision(scores[:, order], labels[:, order]))
    assert permuted == pytest.approx(value, abs=1e-9)


def test_mean_average_precision_leaves_out_classes_without_positives() -> None:
    scores = torch.tensor([[0.9, 0.3, 0.2], [0.5, 0.2, 0.8], [0.1, 0.1, 0.6], [0.3, 0.0, 0.4]])
    labels = torch.tensor([[0, 0, 0], [1, 0, 1], [0, 0, 0], [0, 0, 1]], dtype=torch.bool)
    # Class 0: one positive ranked second; class 2: positives ranked first and third.
    expected = (1 / 2 + (1 + 2 / 3) / 2) / 2
    value = float(classification.mean_average_precision(scores, labels))
    assert value == pytest.approx(expected, abs=1e-6)


def test_guessing_is_the_mean_over_all_rankings_of_few_images() -> None:
    """Two of four images: the six places of the positives, each ranking as likely as any other."""
    exact = [
        float(_average_precision_by_fractions([4, 3, 2, 1], [n in place for n in range(4)]))
        for place in itertools.combinations(range(4), 2)
    ]
    guess = classification.guessing(np.array([[True], [True], [False], [False]]))
    assert guess.mean == pytest.approx(np.mean(exact), abs=0.04)
    assert guess.mean < guess.bound <= 1


def test_guessing_approaches_the_share_of_positives() -> None:
    labels = np.zeros((500, 2), np.bool_)
    labels[:100, 0] = labels[:50, 1] = True
    guess = classification.guessing(labels)
    assert guess.mean == pytest.approx(0.15, abs=0.03)
    assert guess.mean < guess.bound < guess.mean + 0.05


def test_guessing_is_the_same_each_time_and_undefined_without_a_class() -> None:
    labels = np.eye(6, 3, dtype=np.bool_)
    assert classification.guessing(labels) == classification.guessing(labels)
    assert math.isnan(classification.guessing(np.zeros((4, 2), np.bool_)).mean)
