"""Trunks: geometry, preprocessing, freezing, and parameters counted by hand."""

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import PrecomputedFeatures, Preprocessing, Trunk, build_trunk

VGG_WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
VGG_PARAMETERS = sum((9 * before + 1) * after for before, after in itertools.pairwise(VGG_WIDTHS))
# Four 3x3 convolutions without bias, each with a scale and a shift per channel.
TINY_PARAMETERS = (9 * 3 + 2) * 24 + (9 * 24 + 2) * 48 + (9 * 48 + 2) * 96 + (9 * 96 + 2) * 96


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def vgg() -> Trunk:
    return build_trunk("vgg16").eval()


def test_vgg16_has_the_thirteen_convolutions_of_its_definition(vgg: Trunk) -> None:
    convolutions = [layer for layer in vgg.features if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == list(VGG_WIDTHS[1:])
    assert count(vgg) == VGG_PARAMETERS
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in vgg.features) == 4
    assert isinstance(vgg.features[-1], nn.ReLU)


def test_vgg16_maps_224_to_14(vgg: Trunk) -> None:
    with torch.inference_mode():
        features = vgg(torch.zeros(1, 3, 224, 224, dtype=torch.uint8))
    assert features.shape == (1, 512, 14, 14)
    assert (vgg.channels, vgg.stride) == (512, 16)
    assert features.min() >= 0


def test_vgg16_numbers_its_layers_as_torchvision_does(vgg: Trunk) -> None:
    names = [name for name in vgg.features.state_dict() if name.endswith("weight")]
    indices = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    assert names == [f"{index}.weight" for index in indices]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 96), (50, 70)])
def test_tiny_has_output_stride_8(height: int, width: int) -> None:
    tiny = build_trunk("tiny").eval()
    assert tiny(torch.zeros(2, 3, height, width)).shape == (2, 96, height // 8, width // 8)
    assert (tiny.channels, tiny.stride) == (96, 8)
    assert count(tiny) == TINY_PARAMETERS


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("vgg16", (123.68, 116.779, 103.939), (1, 1, 1)),
        ("resnet50", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        ("tiny", (127.5,) * 3, (64,) * 3),
    ],
)
def test_pixels_are_centred_and_scaled_by_channel(
    name: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    trunk = build_trunk(name).eval()
    image = torch.rand(1, 3, 32, 32) * 255
    channels = [(image[:, c] - mean[c]) / std[c] for c in range(3)]
    expected = trunk.features(torch.stack(channels, dim=1))
    torch.testing.assert_close(trunk(image), expected, rtol=1e-4, atol=1e-4)


def test_bytes_and_floats_of_the_same_pixels_give_the_same_features() -> None:
    trunk = build_trunk("tiny").eval()
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    assert torch.equal(trunk(image), trunk(image.float()))


def test_preprocessing_travels_with_the_state() -> None:
    source, target = build_trunk("tiny"), build_trunk("tiny")
    source.set_preprocessing(Preprocessing(mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0)))
    target.load_state_dict(source.state_dict())
    assert target.mean.flatten().tolist() == [1, 2, 3]
    assert target.std.flatten().tolist() == [4, 5, 6]


def _first_convolutions(trunk: Trunk, number: int) -> set[str]:
    """Names of the convolutions before the pooling that ends the block ``number``."""
    names, block = set(), 0
    for index, layer in enumerate(trunk.features):
        if block < number and isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            names |= {f"features.{index}.{name}" for name, _ in layer.named_parameters()}
        block += isinstance(layer, nn.MaxPool2d)
    return names


@pytest.mark.parametrize("name", ["tiny", "vgg16"])
@pytest.mark.parametrize("blocks", [0, 1, 2, 3])
def test_frozen_blocks_get_no_gradient_and_the_others_do(name: str, blocks: int) -> None:
    trunk = build_trunk(name)
    trunk.freeze(blocks)
    trunk(torch.rand(1, 3, 32, 32) * 255).sum().backward()
    without = {name for name, parameter in trunk.named_parameters() if parameter.grad is None}
    assert without == _first_convolutions(trunk, blocks)


def test_freezing_does_not_change_the_features() -> None:
    free, frozen = build_trunk("tiny").eval(), build_trunk("tiny").eval()
    frozen.load_state_dict(free.state_dict())
    frozen.freeze(2)
    image = torch.rand(1, 3, 32, 32) * 255
    assert torch.equal(free(image), frozen(image))


def _head() -> tuple[ClassHead, Tensor]:
    torch.manual_seed(0)
    return ClassHead(8, 5, None), torch.randn(3, 8, 6, 6)


def test_head_has_the_parameters_of_two_3x3_and_one_1x1_convolution() -> None:
    assert count(_head()[0]) == 2 * (9 * 8 + 1) * 8 + (8 + 1) * 5


def test_map_of_one_class_is_its_channel_of_all_maps() -> None:
    head, features = _head()
    head.eval()
    nn.init.normal_(head.score.bias)
    columns = torch.tensor([4, 0, 4])
    expected = head(features)[torch.arange(3), columns]
    torch.testing.assert_close(head.class_map(features, columns), expected)


def test_head_drops_features_in_training_only() -> None:
    head, features = _head()
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


def test_head_on_pretrained_features_starts_small_with_zero_biases() -> None:
    head = ClassHead(64, 20, 0.01)
    for name, parameter in head.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        else:
            assert float(parameter.detach().std()) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("name", ["tiny", "vgg16"])
@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_joined_blocks_are_taken_apart_again(name: str, blocks: int) -> None:
    trunk = build_trunk(name, 8).eval()
    images = torch.rand(2, 3, 48, 64) * 255
    with torch.inference_mode():
        joined, each = trunk.joined_blocks(images, blocks), trunk.block_features(images)[-blocks:]
    stand_in = PrecomputedFeatures(trunk, blocks)
    assert torch.equal(stand_in(joined), each[-1])
    found = stand_in.block_features(joined)
    assert len(found) == blocks
    for part, features in zip(found, each, strict=True):
        expected = functional.interpolate(features, each[-1].shape[-2:], mode="bilinear")
        torch.testing.assert_close(part, expected)
