"""ACoL against a naive version written from the definition, on given features."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import acol
from wsss_cli.methods.acol import AcolNetwork
from wsss_cli.models import two_heads

CHANNELS, CLASSES = 6, 4
LABELS = torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]])


class _GivenFeatures(nn.Module):
    """A trunk whose images are the features."""

    channels, head_std = CHANNELS, None

    def forward(self, images: Tensor) -> Tensor:
        return images


def _network(**settings: object) -> AcolNetwork:
    torch.manual_seed(0)
    network = acol.build(_GivenFeatures(), CLASSES, TrainConfig(method="acol", **settings))
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.3)
    return network.eval()


def _features() -> Tensor:
    return torch.rand(3, CHANNELS, 5, 7, generator=torch.Generator().manual_seed(1)) * 2


def _scores(head: nn.Module, features: Tensor) -> Tensor:
    """One image's (C, h, w): conv 3x3 + ReLU, conv 3x3 + ReLU, conv 1x1."""
    first, second, last = [layer for layer in head.modules() if isinstance(layer, nn.Conv2d)]
    x = functional.conv2d(features[None], first.weight, first.bias, padding=1).clamp(min=0)
    x = functional.conv2d(x, second.weight, second.bias, padding=1).clamp(min=0)
    return functional.conv2d(x, last.weight, last.bias)[0]


def _erased(features: Tensor, scores: Tensor, present: list[int], threshold: float) -> Tensor:
    """One image's features without the positions that A has found."""
    positive = scores[present].clamp(min=0)
    low, high = float(positive.min()), float(positive.max())
    left = features.clone()
    if high == low:
        return left
    for y in range(features.shape[1]):
        for x in range(features.shape[2]):
            found = max((float(row[y, x]) - low) / (high - low) for row in positive)
            if found >= threshold:
                left[:, y, x] = 0
    return left


def _cross_entropy(scores: Tensor, targets: Tensor) -> float:
    probability = torch.sigmoid(scores.mean(dim=(1, 2)).double())
    return float(-torch.where(targets > 0, probability, 1 - probability).log().sum())


@pytest.mark.parametrize("threshold", [0.3, 0.6, 1.0])
def test_losses_equal_their_definition(threshold: float) -> None:
    network = _network(acol_threshold=threshold)
    expected = {"a": 0.0, "b": 0.0}
    with torch.no_grad():
        losses = network.losses(_features(), LABELS)
        for features, row in zip(_features(), LABELS, strict=True):
            scores = _scores(network.head_a, features)
            left = _erased(features, scores, row.nonzero()[:, 0].tolist(), threshold)
            assert 0 < int((left == 0).all(dim=0).sum()) < left[0].numel()
            expected["a"] += _cross_entropy(scores, row) / 3
            expected["b"] += _cross_entropy(_scores(network.head_b, left), row) / 3
    assert {name: float(loss) for name, loss in losses.items()} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("pairs_at_once", [2, 64])
def test_attention_equals_one_forward_per_present_class(
    monkeypatch: pytest.MonkeyPatch, pairs_at_once: int
) -> None:
    monkeypatch.setattr(two_heads, "PAIRS_AT_ONCE", pairs_at_once)
    network = _network()
    with torch.inference_mode():
        found = network.attention(_features(), LABELS)
        for maps, (image, column) in zip(found.maps, LABELS.nonzero().tolist(), strict=True):
            features = _features()[image]
            scores = _scores(network.head_a, features)
            left = _erased(features, scores, [column], 0.6)
            torch.testing.assert_close(maps[0], scores[column])
            torch.testing.assert_close(maps[1], _scores(network.head_b, left)[column])
    assert found.pairs.tolist() == LABELS.nonzero().tolist()
    assert (found.maps[:, 0].amax(dim=(1, 2)) > 0).sum() > 2


def test_position_exactly_at_the_threshold_is_erased() -> None:
    prior = torch.tensor([[[1.0, 0.6, 0.5999], [0.0, 0.61, 0.3]]])
    left = _network().erase(torch.full((1, 2, 2, 3), 5.0), prior)
    assert left[0, 1].tolist() == [[0, 0, 5], [5, 0, 5]]


def test_image_in_which_nothing_has_been_found_is_seen_whole() -> None:
    network = _network()
    with torch.no_grad():
        network.head_a.score.bias[3] = -1e4  # the second image's only class
        losses = network.losses(_features()[1:2], LABELS[1:2])
        whole = _scores(network.head_b, _features()[1])
    assert float(losses["b"]) == pytest.approx(_cross_entropy(whole, LABELS[1]), rel=1e-5)


def test_mask_is_not_differentiated_and_what_is_erased_gets_no_gradient() -> None:
    network, features = _network(), _features().requires_grad_()
    network.losses(features, LABELS)["b"].backward()
    assert all(parameter.grad is None for parameter in network.head_a.parameters())
    assert all(parameter.grad is not None for parameter in network.head_b.parameters())
    with torch.no_grad():
        for values, gradient, row in zip(features, features.grad, LABELS, strict=True):
            scores = _scores(network.head_a, values)
            left = _erased(values, scores, row.nonzero()[:, 0].tolist(), 0.6)
            gone = (left == 0).all(dim=0)
            assert not gradient[:, gone].any()
            assert gradient[:, ~gone].any()
