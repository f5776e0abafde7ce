"""SeeNet's proxy labels against exact fractions, pixel by pixel."""

from fractions import Fraction

import pytest
import torch

from wsss_cli.ops import proxy_labels


def _scores(attention: list[float], saliency: float, w: float) -> list[Fraction]:
    """Q_0, then Q of each class, exactly, with the limit 0 where an input is 0."""
    d = Fraction(saliency)
    weight = Fraction(w)
    scores = [1 - d]
    for value in attention:
        a = Fraction(value)
        scores.append((weight + 1) / (weight / a + 1 / d) if a and d else Fraction(0))
    return scores


def _label(attention: list[float], class_ids: list[int], saliency: float, w: float) -> int:
    scores = _scores(attention, saliency, w)
    return [0, *class_ids][scores.index(max(scores))]


def _labels_of_pixels(
    pixels: list[tuple[list[float], float]], class_ids: list[int], w: float
) -> list[int]:
    """The package's label of each (attention per class, saliency), as an image of one row."""
    attention = torch.tensor([a for a, _ in pixels]).T.unsqueeze(1)
    saliency = torch.tensor([[d for _, d in pixels]])
    label = proxy_labels.seenet_proxy(attention, torch.tensor(class_ids), saliency, w)
    assert label.shape == (1, len(pixels))
    return [int(value) for value in label[0]]


def _random_case(seed: int, classes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    attention = torch.rand(classes, 8, 11, generator=generator)
    saliency = torch.rand(8, 11, generator=generator)
    attention[torch.rand(attention.shape, generator=generator) < 0.15] = 0
    saliency[torch.rand(saliency.shape, generator=generator) < 0.15] = 0
    return attention, torch.randperm(20, generator=generator)[:classes] + 1, saliency


@pytest.mark.parametrize("w", [0.2, 1, 5, 200])
@pytest.mark.parametrize("classes", [1, 2, 4])
def test_labels_equal_the_exact_argmax(classes: int, w: float) -> None:
    attention, class_ids, saliency = _random_case(classes, classes)
    label = proxy_labels.seenet_proxy(attention, class_ids, saliency, w)
    assert label.shape == saliency.shape
    compared = 0
    for y in range(8):
        for x in range(11):
            values, d = attention[:, y, x].tolist(), float(saliency[y, x])
            best, second = sorted(_scores(values, d, w), reverse=True)[:2]
            if best - second > Fraction(1, 10**5):  # Rounding must not decide.
                assert int(label[y, x]) == _label(values, class_ids.tolist(), d, w)
                compared += 1
    assert compared > 70


def test_harmonic_mean_is_compared_with_the_missing_saliency() -> None:
    # w = 1, Q = 2AD / (A + D): .5 against .4; .48 against .4; .3 against .4 (A = .2, D = .6).
    pixels = [([3 / 7], 0.6), ([0.4], 0.6), ([0.2], 0.6)]
    assert _labels_of_pixels(pixels, [9], 1) == [9, 9, 0]


def test_a_large_w_follows_the_attention_alone() -> None:
    # w = 200 at A = .25, D = .7: 201 / (800 + 1.43) = .2508 < .3; harmonic: .368 > .3.
    pixels = [([0.25], 0.7)]
    assert _labels_of_pixels(pixels, [3], 200) == [0]
    assert _labels_of_pixels(pixels, [3], 1) == [3]


def test_a_small_w_follows_the_saliency_alone() -> None:
    # w = .01 at A = .125, D = .75: 1.01 / (.08 + 1.333) = .715 > .25; harmonic: .214 < .25.
    pixels = [([0.125], 0.75)]
    assert _labels_of_pixels(pixels, [3], 0.01) == [3]
    assert _labels_of_pixels(pixels, [3], 1) == [0]


@pytest.mark.parametrize("w", [0.2, 1, 5, 200])
def test_label_flips_where_the_mean_crosses_the_missing_saliency(w: float) -> None:
    # Q_c = 1 - D solved for A: A = w / ((w + 1) / (1 - D) - 1 / D).
    for d in (0.375, 0.5, 0.625, 0.75):
        border = w / ((w + 1) / (1 - d) - 1 / d)
        if 0 < border < 0.99:
            pixels = [([border * (1 - 1e-4)], d), ([border * (1 + 1e-4)], d)]
            assert _labels_of_pixels(pixels, [8], w) == [0, 8]


def test_zero_attention_or_zero_saliency_means_no_foreground() -> None:
    pixels = [([0.0, 0.0], 1.0), ([1.0, 1.0], 0.0), ([0.0, 0.0], 0.0), ([0.0, 0.001], 1.0)]
    assert _labels_of_pixels(pixels, [4, 6], 1) == [0, 0, 0, 6]


def test_ties_go_to_background_first() -> None:
    # Q_c = .5 = 1 - D whatever w is, since A = D; next to it, a hair more attention wins.
    for w in (1, 3):
        assert _labels_of_pixels([([0.5], 0.5), ([0.5625], 0.5)], [2], w) == [0, 2]


@pytest.mark.parametrize("class_ids", [[7, 3, 12], [3, 12, 7], [12, 7, 3]])
def test_ties_between_classes_go_to_the_first_in_order(class_ids: list[int]) -> None:
    pixels = [([0.8, 0.8, 0.8], 0.9), ([0.1, 0.8, 0.8], 0.9), ([0.8, 0.1, 0.8], 0.9)]
    expected = [class_ids[0], class_ids[1], class_ids[0]]
    assert _labels_of_pixels(pixels, class_ids, 1) == expected


def test_labels_are_uint8_and_among_background_and_the_given_classes() -> None:
    attention, class_ids, saliency = _random_case(5, 3)
    label = proxy_labels.seenet_proxy(attention, class_ids, saliency, 1)
    assert label.dtype == torch.uint8
    assert set(label.unique().tolist()) == {0, *class_ids.tolist()}


def test_class_order_does_not_matter_without_ties() -> None:
    attention, class_ids, saliency = _random_case(6, 4)
    attention = attention + 1e-3 * torch.arange(1, 5).reshape(4, 1, 1) * (attention > 0)
    attention = attention / attention.max()
    label = proxy_labels.seenet_proxy(attention, class_ids, saliency, 1)
    flipped = proxy_labels.seenet_proxy(attention.flip(0), class_ids.flip(0), saliency, 1)
    assert torch.equal(label, flipped)


def test_each_pixel_is_labelled_on_its_own() -> None:
    attention, class_ids, saliency = _random_case(7, 3)
    label = proxy_labels.seenet_proxy(attention, class_ids, saliency, 1)
    mirrored = proxy_labels.seenet_proxy(attention.flip(2), class_ids, saliency.flip(1), 1)
    assert torch.equal(mirrored, label.flip(1))
    corner = proxy_labels.seenet_proxy(attention[:, 2:5, 3:9], class_ids, saliency[2:5, 3:9], 1)
    assert torch.equal(corner, label[2:5, 3:9])


def test_without_saliency_all_is_background_and_with_full_saliency_the_attention_decides() -> None:
    attention = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(8)) + 0.001
    attention = attention / attention.max()
    class_ids = torch.tensor([5, 2])
    none = proxy_labels.seenet_proxy(attention, class_ids, torch.zeros(5, 6), 1)
    full = proxy_labels.seenet_proxy(attention, class_ids, torch.ones(5, 6), 1)
    assert not none.any()
    assert torch.equal(full.long(), torch.where(attention[0] > attention[1], 5, 2))


def test_an_image_without_a_present_class_is_all_background() -> None:
    no_ids = torch.zeros(0, dtype=torch.int64)
    label = proxy_labels.seenet_proxy(torch.zeros(0, 3, 4), no_ids, torch.ones(3, 4), 1)
    assert torch.equal(label, torch.zeros(3, 4, dtype=torch.uint8))


def test_inputs_are_left_unchanged() -> None:
    attention, class_ids, saliency = _random_case(9, 3)
    before = [tensor.clone() for tensor in (attention, class_ids, saliency)]
    proxy_labels.seenet_proxy(attention, class_ids, saliency, 1)
    assert all(map(torch.equal, before, (attention, class_ids, saliency)))
