"""Scores on a grid against interpolation written pixel by pixel."""

import math

import numpy as np
import pytest
import torch

from wsss_cli.ops import score_grid
from wsss_cli.ops.score_grid import (
    best_labels,
    interpolate_at,
    label_probabilities,
    log_probabilities,
)


def _scores(seed: int = 0, shape: tuple[int, ...] = (4, 3, 5)) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3


def _slow(scores: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """Softmax of linearly interpolated scores, the grid's corners on the corners of the image."""
    labels, h, w = scores.shape
    values = scores.tolist()
    found = np.zeros((labels, *size))
    for y in range(size[0]):
        for x in range(size[1]):
            v = y * (h - 1) / max(1, size[0] - 1)
            u = x * (w - 1) / max(1, size[1] - 1)
            i, j = min(int(v), max(0, h - 2)), min(int(u), max(0, w - 2))
            below, right = min(i + 1, h - 1), min(j + 1, w - 1)
            logits = []
            for one in values:
                if one[0][0] == -math.inf:
                    logits.append(-math.inf)
                    continue
                top = one[i][j] * (1 - (u - j)) + one[i][right] * (u - j)
                bottom = one[below][j] * (1 - (u - j)) + one[below][right] * (u - j)
                logits.append(top * (1 - (v - i)) + bottom * (v - i))
            shares = [math.exp(one) for one in logits]
            found[:, y, x] = [one / sum(shares) for one in shares]
    return found


@pytest.mark.parametrize("size", [(17, 24), (3, 5), (1, 1), (2, 9), (30, 4)])
@pytest.mark.parametrize("shape", [(4, 3, 5), (2, 1, 1), (3, 1, 4)])
def test_probabilities_are_the_softmax_of_interpolated_scores(
    size: tuple[int, int], shape: tuple[int, ...]
) -> None:
    scores = _scores(shape=shape)
    found = label_probabilities(scores, size)
    assert found.dtype == torch.float32
    assert np.allclose(found, _slow(scores, size), atol=1e-5)


def test_impossible_label_has_no_probability_and_spoils_none() -> None:
    scores = _scores()
    scores[[1, 2]] = -torch.inf
    found = label_probabilities(scores, (9, 16))
    assert np.allclose(found, _slow(scores, (9, 16)), atol=1e-5)
    assert (found[[1, 2]] == 0).all()
    assert set(best_labels(scores, (9, 16)).unique().tolist()) == {0, 3}


@pytest.mark.parametrize("band", [1, 200, 2**24])
def test_best_label_is_the_most_probable_one_in_bands_of_any_height(
    band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = _scores(1, (5, 6, 7))
    expected = _slow(scores, (31, 40)).argmax(axis=0)
    monkeypatch.setattr(score_grid, "_BAND", band)
    found = best_labels(scores, (31, 40))
    assert found.dtype == torch.uint8
    assert np.array_equal(found, expected)
    assert np.array_equal(label_probabilities(scores, (31, 40)).argmax(dim=0), expected)


def test_constant_at_each_sample_changes_nothing() -> None:
    scores = _scores()
    shifted = scores + 5 * _scores(1, (1, 3, 5))
    expected = label_probabilities(scores, (20, 30))
    assert torch.allclose(label_probabilities(shifted, (20, 30)), expected, atol=1e-5)


def test_stored_scores_keep_the_probabilities_and_stay_finite() -> None:
    logits = _scores(2)
    stored = log_probabilities(logits)
    assert stored.dtype == torch.float16
    expected = torch.from_numpy(_slow(logits, (12, 20))).float()
    assert torch.allclose(label_probabilities(stored, (12, 20)), expected, atol=3e-3)
    extreme = log_probabilities(torch.tensor([1e6, -1e6, 0.0])[:, None, None])
    assert extreme.flatten().tolist() == [0, -65504, -65504]


def test_stored_scores_of_possible_labels_are_those_of_a_network_without_the_others() -> None:
    logits, possible = _scores(3), torch.tensor([True, False, True, True])
    stored = log_probabilities(logits, possible)
    assert torch.equal(stored[possible], log_probabilities(logits[possible]))
    assert (stored[1] == -torch.inf).all()


@pytest.mark.parametrize("dim", [-1, -2])
def test_values_between_samples_by_hand(dim: int) -> None:
    values = torch.tensor([[0.0, 8.0, 4.0]]) if dim == -1 else torch.tensor([[0.0], [8.0], [4.0]])
    positions = torch.tensor([-1.0, 0.0, 0.25, 1.0, 1.5, 2.0, 7.0], dtype=torch.float64)
    found = interpolate_at(values, positions, dim).flatten()
    assert found.tolist() == [0, 0, 2, 8, 6, 4, 4]
