"""Nothing that a network computes with is left behind when it moves to another device."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.network_file import build_network
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.pretrained import InitialWeights


def _loose(network: nn.Module) -> Iterator[str]:
    """Tensors that are members of a module, but neither its parameters nor its buffers."""
    for name, module in network.named_modules():
        for member, value in vars(module).items():
            held = value if isinstance(value, (list, tuple)) else [value]
            if any(isinstance(each, Tensor) for each in held):
                yield f"{name}.{member}"


def test_a_loose_tensor_is_found() -> None:
    network = nn.Sequential(nn.ReLU())
    network[0].mean = torch.zeros(3)  # type: ignore[assignment]
    assert list(_loose(network)) == ["0.mean"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", ["vgg16", "tiny"])
def test_attention_networks(method: str, backbone: str) -> None:
    with torch.device("meta"):
        config = TrainConfig(method=method, backbone=backbone)
        assert list(_loose(build_network(config, 3, InitialWeights()))) == []


@pytest.mark.parametrize("model", SEGMENTATION_MODELS)
def test_segmentation_networks(model: str) -> None:
    with torch.device("meta"):
        assert list(_loose(deeplab_largefov.build(model, 4))) == []
