"""The saliency loss of EPS against a version written position by position from the definition."""

import math

import pytest
import torch

from wsss_cli.ops.saliency_supervision import present_probabilities, saliency_loss


def _slow(scores: list, labels: list, saliency: list, tau: float, lam: float) -> float:
    """The definition, with plain numbers."""
    total, positions = 0.0, 0
    for of_image, present, salient in zip(scores, labels, saliency, strict=True):
        height, width, classes = len(of_image[0]), len(of_image[0][0]), len(present)
        probability = [[[0.0] * width for _ in range(height)] for _ in range(classes + 1)]
        for y in range(height):
            for x in range(width):
                powers = [math.exp(channel[y][x]) for channel in of_image]
                for c, power in enumerate(powers):
                    probability[c][y][x] = power / sum(powers)
        valid = []
        for c in range(classes):
            covered = salient_too = 0
            for y in range(height):
                for x in range(width):
                    if probability[c][y][x] >= 0.5:
                        covered += 1
                        salient_too += salient[y][x] >= 0.5
            valid.append(covered == 0 or salient_too / (covered + 1e-4) > tau)
        for y in range(height):
            for x in range(width):
                inside, outside = 0.0, probability[classes][y][x]
                for c in range(classes):
                    if present[c] and valid[c]:
                        inside += probability[c][y][x]
                    elif present[c]:
                        outside += probability[c][y][x]
                drawn = lam * inside + (1 - lam) * (1 - outside)
                total += (drawn - salient[y][x]) ** 2
                positions += 1
    return total / positions


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize(("tau", "lam"), [(0.4, 0.5), (0.9, 0.2), (0.0, 1.0)])
def test_loss_is_the_definition(classes: int, tau: float, lam: float) -> None:
    generator = torch.Generator().manual_seed(classes)
    scores = 4 * torch.randn(4, classes + 1, 5, 7, generator=generator, dtype=torch.float64)
    labels = (torch.rand(4, classes, generator=generator) < 0.6).double()
    labels[0] = 0  # an image of none of the classes
    saliency = torch.rand(4, 5, 7, generator=generator, dtype=torch.float64)
    expected = _slow(scores.tolist(), labels.tolist(), saliency.tolist(), tau, lam)
    assert saliency_loss(scores, labels, saliency, tau, lam).item() == pytest.approx(
        expected, rel=1e-5
    )


def _half(value: float) -> torch.Tensor:
    """Saliency whose left half has this value."""
    saliency = torch.zeros(1, 4, 4)
    saliency[:, :, :2] = value
    return saliency


def test_a_class_that_covers_nothing_yet_counts_as_salient() -> None:
    scores = torch.zeros(1, 3, 4, 4, requires_grad=True)  # thirds: nothing reaches a half
    saliency_loss(scores, torch.tensor([[1.0, 0.0]]), _half(1.0), 0.4, 0.5).backward()
    gradient = scores.grad
    assert gradient is not None
    assert (gradient[0, 0, :, :2] < 0).all()  # a step raises the present class where it is salient
    assert (gradient[0, 1, :, :2] >= 0).all()  # and never the absent one


def test_a_class_beside_the_saliency_is_background_and_stays_where_it_is() -> None:
    scores = torch.full((1, 2, 4, 4), -8.0)
    scores[0, 0, :, 2:] = 8.0  # the class is certain of the half that is not salient
    scores[0, 1, :, :2] = 8.0
    labels = torch.ones(1, 1)
    beside = saliency_loss(scores, labels, torch.zeros(1, 4, 4), 0.4, 0.5)
    assert beside.item() == pytest.approx(0, abs=1e-6)


def test_validity_has_no_gradient_and_the_precision_of_the_scores_does_not_matter() -> None:
    scores = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(3))
    labels, saliency = torch.ones(2, 3), torch.rand(2, 6, 6)
    loss = saliency_loss(scores.bfloat16(), labels, saliency, 0.4, 0.5)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        saliency_loss(scores.bfloat16().float(), labels, saliency, 0.4, 0.5).item()
    )


def test_probabilities_are_of_background_and_present_classes_alone() -> None:
    scores = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    found = present_probabilities(scores, labels)
    assert torch.equal(found[0, 1], torch.zeros(3, 3))
    chosen = scores[0, [0, 2, 3]].exp()
    torch.testing.assert_close(found[0, [0, 2, 3]], chosen / chosen.sum(dim=0))
    assert torch.equal(found[1, 3], torch.ones(3, 3))


def test_autocast_does_not_round_the_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 4 * torch.randn(2, 4, 6, 5, generator=generator)
    labels, saliency = (
        torch.tensor([[1, 0, 1], [0, 1, 1]]),
        torch.rand(2, 6, 5, generator=generator),
    )
    loss = saliency_loss(scores, labels, saliency, 0.4, 0.5)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(saliency_loss(scores, labels, saliency, 0.4, 0.5), loss)
