"""The online label by hand and by slow loops; it is a constant to the network."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from wsss_cli.models.deeplab_largefov import segmentation_loss
from wsss_cli.ops.prohibitive import label_confidence, prohibitive_labels


def _logits(seed: int, *shape: int) -> torch.Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_confidence_is_one_for_background_and_zero_for_absent_classes() -> None:
    logits = np.array([0, 5, math.log(3), -math.log(4)], np.float32)
    found = label_confidence(logits, [4, 1, 3])
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([1, 1 / 2, 0, 3 / 4, 1 / 5])


def test_doubted_class_gives_way_by_hand() -> None:
    """Probabilities 1/8, 5/8, 2/8 times 1, 1/10, 1/3: 6/48, 3/48, 4/48."""
    f = [Fraction(1, 8), Fraction(5, 8), Fraction(2, 8)]
    logits = torch.tensor([math.log(p) for p in f])[None, :, None, None]
    inside = torch.ones(1, 1, 1, dtype=torch.bool)
    for v, label in (
        ((1, 1, 1), 1),
        ((1, 0.1, 1 / 3), 0),
        ((1, 0.1, 0.6), 2),  # 3/20 against 1/8
        ((1, 0, 0.4), 0),  # 1/10 against 1/8
        ((1, 0.21, 0), 1),  # 21/160 against 20/160
    ):
        assert prohibitive_labels(logits, torch.tensor([v]), inside).tolist() == [[[label]]]


def test_labels_are_those_of_plain_loops() -> None:
    logits = _logits(0, 2, 4, 3, 5)
    confidence = torch.tensor([[1, 0.3, 0, 0.9], [1, 0, 0.8, 0]])
    inside = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(1)) < 0.8
    found = prohibitive_labels(logits, confidence, inside)
    assert found.dtype == torch.int64
    changed = 0
    for b in range(2):
        for y in range(3):
            for x in range(5):
                scores = logits[b, :, y, x].tolist()
                total = sum(math.exp(s) for s in scores)
                weighted = [
                    v * math.exp(s) / total
                    for v, s in zip(confidence[b].tolist(), scores, strict=True)
                ]
                best = weighted.index(max(weighted))
                assert int(found[b, y, x]) == (best if bool(inside[b, y, x]) else 255)
                changed += best != scores.index(max(scores))
    assert changed > 5


def test_full_confidence_is_the_plain_argmax_and_absent_classes_never_win() -> None:
    logits = _logits(2, 2, 4, 6, 6)
    inside = torch.ones(2, 6, 6, dtype=torch.bool)
    plain = prohibitive_labels(logits, torch.ones(2, 4), inside)
    assert torch.equal(plain, logits.argmax(dim=1))
    # The lowest probabilities must not lose to an absent class either, whose product is 0.
    held = prohibitive_labels(logits * 20, torch.tensor([[1.0, 0, 1e-3, 0]] * 2), inside)
    assert set(held.unique().tolist()) == {0, 2}


def test_gradient_is_that_of_the_cross_entropy_with_a_constant_label() -> None:
    logits = _logits(3, 1, 3, 4, 4).requires_grad_()
    confidence = torch.tensor([[1.0, 0.6, 0.2]])
    inside = torch.ones(1, 4, 4, dtype=torch.bool)
    labels = prohibitive_labels(logits, confidence, inside)
    assert not labels.requires_grad
    segmentation_loss(logits, labels).backward()
    chosen = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2)
    expected = (logits.detach().softmax(dim=1) - chosen) / 16
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, expected)
