"""Attention prior, erasing masks and conditional ReLU against loops and hand-computed cases."""

import itertools

import pytest
import torch

from wsss_cli.ops import erasing


def _prior_by_loops(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """One image, class and position at a time, in Python floats."""
    batch, classes, height, width = scores.shape
    prior = torch.zeros(batch, height, width, dtype=torch.float64)
    for b in range(batch):
        present = [c for c in range(classes) if float(labels[b, c]) > 0]
        positions = list(itertools.product(range(height), range(width)))
        value = {(c, p): max(float(scores[b, c, *p]), 0.0) for c in present for p in positions}
        if not value or max(value.values()) == min(value.values()):
            continue
        low, high = min(value.values()), max(value.values())
        for p in positions:
            prior[b, *p] = max((value[c, p] - low) / (high - low) for c in present)
    return prior


def _masks_by_loops(
    prior: torch.Tensor, high: float, low: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The ternary and the background mask, read pixel by pixel from their definitions."""
    ternary = torch.ones(prior.shape, dtype=torch.float64)
    background = torch.zeros(prior.shape, dtype=torch.float64)
    for b, image in enumerate(prior.tolist()):
        if not any(value != 0 for row in image for value in row):
            continue
        for y, row in enumerate(image):
            for x, value in enumerate(row):
                ternary[b, y, x] = 0.0 if value > high else -1.0 if value < low else 1.0
                background[b, y, x] = 1.0 if value < (high + low) / 2 else 0.0
    return ternary, background


def _random_scores(seed: int, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(5, 4, 3, 6, generator=generator) + shift
    labels = torch.rand(5, 4, generator=generator) < 0.5
    labels[:, 1] |= ~labels.any(dim=1)
    return scores, labels


def _close(actual: torch.Tensor, expected: torch.Tensor, atol: float = 1e-6) -> None:
    torch.testing.assert_close(actual.double(), expected.double(), atol=atol, rtol=0)


def test_prior_uses_one_minimum_and_one_maximum_over_present_classes_only() -> None:
    scores = torch.tensor([[[[2.0, 4.0]], [[10.0, 3.0]], [[-5.0, 100.0]]], [[[-1.0, 2.0]]] * 3])
    labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    # Image 0: present values 2, 4, 10, 3, so 2 -> 0 and 10 -> 1; image 1: 0, 2 after the relu.
    expected = torch.tensor([[[1.0, 0.25]], [[0.0, 1.0]]])
    _close(erasing.attention_prior(scores, labels), expected)


@pytest.mark.parametrize("shift", [-2.0, 0.0, 20.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_prior_equals_the_loop_version(seed: int, shift: float) -> None:
    scores, labels = _random_scores(seed, shift)
    prior = erasing.attention_prior(scores, labels)
    assert prior.shape == (5, 3, 6)
    _close(prior, _prior_by_loops(scores, labels))
    assert float(prior.min()) >= 0
    assert float(prior.max()) <= 1


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        pytest.param([[-3.0, -1.0], [-2.0, -4.0]], [1, 1], id="nothing-positive"),
        pytest.param([[0.0, -1.0], [5.0, 1.0]], [1, 0], id="only-an-absent-class-is-positive"),
        pytest.param([[2.0, 2.0], [2.0, 2.0]], [1, 1], id="constant-positive"),
        pytest.param([[2.0, 2.0], [0.0, 7.0]], [1, 0], id="present-class-constant"),
        pytest.param([[1.0, 2.0], [3.0, 4.0]], [0, 0], id="no-present-class"),
    ],
)
def test_prior_is_zero_without_nan_when_empty_and_leaves_the_neighbours_alone(
    scores: list[list[float]], labels: list[int]
) -> None:
    empty = torch.tensor(scores).reshape(1, 2, 1, 2)
    full = torch.tensor([[0.0, 4.0], [1.0, 0.0]]).reshape(1, 2, 1, 2)
    targets = torch.tensor([[1, 1], labels, [1, 1]], dtype=torch.bool)
    prior = erasing.attention_prior(torch.cat([full, empty, full]), targets)
    _close(prior, torch.tensor([[[0.25, 1.0]], [[0.0, 0.0]], [[0.25, 1.0]]]))


def test_prior_takes_bool_and_float_labels_alike() -> None:
    scores, labels = _random_scores(2)
    prior = erasing.attention_prior(scores, labels)
    assert torch.equal(prior, erasing.attention_prior(scores, labels.float()))


@pytest.mark.parametrize("scale", [0.01, 1000.0])
def test_prior_does_not_change_when_scores_are_scaled(scale: float) -> None:
    scores, labels = _random_scores(3)
    prior = erasing.attention_prior(scores * scale, labels)
    _close(prior, erasing.attention_prior(scores, labels), 1e-5)


def test_prior_ignores_what_absent_classes_score() -> None:
    scores, labels = _random_scores(4)
    changed = torch.where(labels[:, :, None, None], scores, 50 - 7 * scores)
    expected = erasing.attention_prior(scores, labels)
    _close(erasing.attention_prior(changed, labels), expected)


def test_prior_follows_permuted_positions_classes_and_images() -> None:
    scores, labels = _random_scores(5, 4.0)
    expected = erasing.attention_prior(scores, labels)
    _close(erasing.attention_prior(scores.flip(3), labels), expected.flip(2))
    _close(erasing.attention_prior(scores.flip(1), labels.flip(1)), expected)
    _close(erasing.attention_prior(scores.flip(0), labels.flip(0)), expected.flip(0))


def test_prior_is_detached_and_leaves_scores_unchanged() -> None:
    scores, labels = _random_scores(6)
    before = scores.clone()
    prior = erasing.attention_prior(scores.requires_grad_(), labels)
    assert not prior.requires_grad
    assert torch.equal(scores.detach(), before)


def test_ternary_mask_erases_above_high_reverses_below_low_and_keeps_equality() -> None:
    prior = torch.tensor([[[1.0, 0.76, 0.75, 0.5], [0.25, 0.24, 0.0, 0.3]]])
    expected = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [1.0, -1.0, -1.0, 1.0]]])
    mask = erasing.ternary_mask(prior, 0.75, 0.25)
    assert mask.is_floating_point()
    _close(mask, expected, 0)


def test_background_mask_is_one_strictly_below_the_threshold() -> None:
    prior = torch.tensor([[[1.0, 0.51, 0.5, 0.49, 0.25, 0.0]]])
    mask = erasing.background_mask(prior, 0.5)
    assert mask.is_floating_point()
    _close(mask, torch.tensor([[[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]]), 0)


def test_an_empty_prior_has_no_zones_whatever_its_neighbours_have() -> None:
    prior = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 1.0]]])
    ternary = erasing.ternary_mask(prior, 0.75, 0.25)
    _close(ternary, torch.tensor([[[0.0, -1.0]], [[1.0, 1.0]], [[-1.0, 0.0]]]), 0)
    background = erasing.background_mask(prior, 0.5)
    _close(background, torch.tensor([[[0.0, 1.0]], [[0.0, 0.0]], [[1.0, 0.0]]]), 0)


@pytest.mark.parametrize(("high", "low"), [(0.7, 0.05), (0.8, 0.0), (0.6, 0.6)])
def test_masks_equal_the_loop_version_and_keep_the_prior(high: float, low: float) -> None:
    prior = torch.rand(4, 9, 7, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    prior[2] = 0
    before = prior.clone()
    ternary, background = _masks_by_loops(prior, high, low)
    _close(erasing.ternary_mask(prior, high, low), ternary, 0)
    _close(erasing.background_mask(prior, (high + low) / 2), background, 0)
    assert torch.equal(prior, before)


def test_conditional_relu_clips_before_it_applies_the_mask() -> None:
    features = torch.tensor([[[[2.0, -3.0, 4.0, -5.0, 6.0]], [[-1.0, 1.0, -1.0, 1.0, -1.0]]]])
    mask = torch.tensor([[[-1.0, -1.0, 0.0, 1.0, 1.0]]])
    expected = torch.tensor([[[[-2.0, 0.0, 0.0, 0.0, 6.0]], [[0.0, -1.0, 0.0, 1.0, 0.0]]]])
    _close(erasing.conditional_relu(features, mask), expected, 0)


def test_conditional_relu_uses_each_images_own_mask_for_all_its_channels() -> None:
    mask = torch.tensor([[[1.0, -1.0, 0.0]], [[0.0, 1.0, -1.0]]])
    out = erasing.conditional_relu(torch.full((2, 2, 1, 3), 2.0), mask)
    for b, k in itertools.product(range(2), range(2)):
        _close(out[b, k], 2 * mask[b], 0)


def test_conditional_relu_gradient_is_the_upstream_times_mask_where_positive() -> None:
    features = torch.tensor([[[[2.0, 3.0, 4.0, -1.0, 0.0]]]], requires_grad=True)
    out = erasing.conditional_relu(features, torch.tensor([[[-1.0, 0.0, 1.0, -1.0, -1.0]]]))
    out.backward(torch.tensor([[[[5.0, 7.0, 11.0, 13.0, 17.0]]]]))
    assert features.grad is not None
    _close(features.grad, torch.tensor([[[[-5.0, 0.0, 11.0, 0.0, 0.0]]]]), 0)


def test_conditional_relu_passes_gradcheck_in_float64() -> None:
    generator = torch.Generator().manual_seed(8)
    sign = torch.randint(0, 2, (2, 3, 4, 5), generator=generator).double() * 2 - 1
    features = sign * (0.1 + torch.rand(sign.shape, generator=generator, dtype=torch.float64))
    mask = torch.randint(-1, 2, (2, 4, 5), generator=generator).double()
    assert torch.autograd.gradcheck(
        lambda values: erasing.conditional_relu(values, mask), features.requires_grad_()
    )
