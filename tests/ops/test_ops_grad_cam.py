"""Grad-CAM against finite differences, and its identity with class activation maps."""

import itertools

import pytest
import torch
from torch import Tensor

from wsss_cli.ops.grad_cam import grad_cam

LABELS = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]])


def _features(seed: int = 0, channels: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, channels, 3, 2, generator=generator, dtype=torch.float64)


def _network(seed: int = 1, channels: int = 4) -> torch.nn.Module:
    """Smooth, and with a logit that does not fall apart into positions."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, 5, 3, padding=1),
        torch.nn.Softplus(),
        torch.nn.Flatten(),
        torch.nn.Linear(5 * 6, 3),
    ).double()


def _by_finite_differences(network: torch.nn.Module, image: Tensor, column: int) -> Tensor:
    """One image (K, h, w) and class, every derivative from two evaluations."""
    step = 1e-5
    channels, height, width = image.shape
    attention = torch.zeros(height, width, dtype=torch.float64)
    for k in range(channels):
        slopes = []
        for y, x in itertools.product(range(height), range(width)):
            sides = []
            for sign in (1, -1):
                moved = image.clone()
                moved[k, y, x] += sign * step
                with torch.no_grad():
                    sides.append(float(network(moved[None])[0, column]))
            slopes.append((sides[0] - sides[1]) / (2 * step))
        attention += sum(slopes) / len(slopes) * image[k]
    return attention.clamp(min=0)


def test_maps_of_all_pairs_are_those_of_finite_differences() -> None:
    network, features = _network(), _features().requires_grad_()
    maps = grad_cam(features, network(features), LABELS)
    expected = [
        _by_finite_differences(network, features[image].detach(), column)
        for image, column in LABELS.nonzero().tolist()
    ]
    assert maps.dtype == torch.float64
    assert torch.stack(expected).amax() > 0.01
    torch.testing.assert_close(maps, torch.stack(expected), atol=1e-8, rtol=1e-6)


def test_of_average_pooling_and_a_linear_layer_it_is_the_class_activation_map() -> None:
    features = _features().requires_grad_()
    weight = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    logits = features.mean(dim=(2, 3)) @ weight.T
    maps = grad_cam(features, logits, LABELS)
    for found, (image, column) in zip(maps, LABELS.nonzero().tolist(), strict=True):
        activation = sum(weight[column, k] * features[image, k].detach() for k in range(4))
        torch.testing.assert_close(found, activation.clamp(min=0) / (3 * 2))


def test_maps_can_be_differentiated_twice_and_only_when_asked() -> None:
    network, features = _network(channels=2), _features(channels=2).requires_grad_()

    def maps(values: Tensor) -> Tensor:
        return grad_cam(values, network(values), LABELS, differentiable=True)

    assert torch.autograd.gradcheck(maps, (features,))
    found = grad_cam(features, network(features), LABELS)
    assert not found.requires_grad
    assert torch.equal(found, maps(features).detach())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_maps_are_at_least_float32(dtype: torch.dtype) -> None:
    features = _features().to(dtype).requires_grad_()
    network = _network().to(dtype)
    assert grad_cam(features, network(features), LABELS).dtype == torch.float32


def test_without_any_class_there_is_no_map() -> None:
    features = _features().requires_grad_()
    maps = grad_cam(features, _network()(features), torch.zeros_like(LABELS))
    assert maps.shape == (0, 3, 2)


def test_the_graph_of_the_logits_is_kept() -> None:
    features = _features().requires_grad_()
    logits = _network()(features)
    grad_cam(features, logits, LABELS)
    logits.sum().backward()
    assert features.grad.abs().max() > 0
