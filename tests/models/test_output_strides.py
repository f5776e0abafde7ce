"""Output strides of the trunks: what dilations make of the layers, against their definitions."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

from wsss_cli.configs.backbones import BACKBONES
from wsss_cli.models.trunks import Trunk, build_trunk

SLOW = {"resnet101"}
RESNETS = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
    for name in ("resnet50", "resnet101")
]


@pytest.mark.parametrize(
    ("name", "stride"),
    [(name, stride) for name, entry in BACKBONES.items() for stride in entry.output_strides],
)
def test_every_backbone_of_the_table_has_the_strides_that_it_names(name: str, stride: int) -> None:
    with torch.device("meta"):  # shapes alone
        trunk = build_trunk(name, stride)
        features = trunk(torch.empty(1, 3, 96, 160))
    assert trunk.stride == stride
    assert features.shape == (1, trunk.channels, 96 // stride, 160 // stride)


@pytest.mark.parametrize("name", BACKBONES)
def test_weights_of_one_output_stride_are_those_of_another(name: str) -> None:
    with torch.device("meta"):
        layers = [
            build_trunk(name, stride).state_dict() for stride in BACKBONES[name].output_strides
        ]
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in layers]
    assert all(each == shapes[0] for each in shapes)


def _vgg16_at_8(x: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """Conv1 to conv5 by their definition: the fourth pooling at stride 1, then dilation 2."""
    names = iter(sorted({int(name.split(".")[0]) for name in weights}))
    for block, number in enumerate((2, 2, 3, 3, 3)):
        dilation = 2 if block == 4 else 1
        for _ in range(number):
            index = next(names)
            weight, bias = weights[f"{index}.weight"], weights[f"{index}.bias"]
            x = functional.conv2d(x, weight, bias, padding=dilation, dilation=dilation).relu()
        if block < 3:
            x = functional.max_pool2d(x, 2)
        elif block == 3:
            padded = functional.pad(x, (1, 1, 1, 1), value=-torch.inf)
            x = padded.unfold(2, 3, 1).unfold(3, 3, 1).amax(dim=(4, 5))
    return x


def test_vgg16_at_8_keeps_the_resolution_of_conv4_and_dilates_conv5() -> None:
    torch.manual_seed(0)
    trunk = build_trunk("vgg16", 8).eval()
    image = torch.randint(0, 256, (1, 3, 72, 48), dtype=torch.uint8)
    with torch.inference_mode():
        features = trunk(image)
        expected = _vgg16_at_8((image - trunk.mean) / trunk.std, trunk.features.state_dict())
    assert features.shape == (1, 512, 9, 6)
    assert float(expected.std()) > 0
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-5)


def _quieten(trunk: Trunk) -> None:
    """Turn down the last scale of each block: without measured statistics, blocks add up."""
    for name, tensor in trunk.features.state_dict().items():
        if name.endswith("bn3.weight"):
            tensor /= 8
        elif name.endswith("running_mean"):
            tensor.normal_(std=0.1)


@pytest.mark.parametrize("name", RESNETS)
def test_dilated_resnet_looks_where_torchvisions_does_and_between(name: str) -> None:
    """At every second or fourth position the features are those of the undilated network."""
    torch.manual_seed(0)
    at_8, at_16 = (build_trunk(name, stride).eval() for stride in (8, 16))
    _quieten(at_8)
    at_16.load_state_dict(at_8.state_dict())
    undilated = getattr(models, name)().eval()
    missing, unexpected = undilated.load_state_dict(at_8.features.state_dict(), strict=False)
    assert not unexpected
    assert all(n.startswith("fc.") or n.endswith("num_batches_tracked") for n in missing)
    image = torch.randint(0, 256, (1, 3, 64, 128), dtype=torch.uint8)
    x = (image - at_8.mean) / at_8.std
    with torch.inference_mode():
        for layer, module in undilated.named_children():
            x = x if layer in ("avgpool", "fc") else module(x)
        fine, middle = at_8(image), at_16(image)
    assert fine.shape == (1, 2048, 8, 16)
    assert middle.shape == (1, 2048, 4, 8)
    assert x.shape == (1, 2048, 2, 4)
    assert float(x.std()) > 0.01
    torch.testing.assert_close(fine[:, :, ::4, ::4], x, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(middle[:, :, ::2, ::2], x, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(fine[:, :, ::2, ::2], middle, rtol=1e-3, atol=1e-4)


def test_normalisation_of_a_resnet_is_no_parameter() -> None:
    with torch.device("meta"):
        trunk = build_trunk("resnet50", 16)
    frozen = [module for module in trunk.modules() if isinstance(module, FrozenBatchNorm2d)]
    assert len(frozen) == 53
    names = {name for name, _ in trunk.named_parameters()}
    assert not any("bn" in name or "downsample.1" in name for name in names)
    assert len(names) == 53  # one convolution without bias for each
