"""DeepLab-LargeFOV: sizes, parameters counted by hand, padding, loss and learning rates."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from wsss_cli.models import deeplab_largefov
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV, segmentation_loss
from wsss_cli.stages.optimisation.solver import parameter_groups

VGG_WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
VGG_TRUNK = sum((9 * a + 1) * b for a, b in itertools.pairwise(VGG_WIDTHS))
TINY_TRUNK = (9 * 3 + 2) * 24 + (9 * 24 + 2) * 48 + (9 * 48 + 2) * 96 + (9 * 96 + 2) * 96
NAMES = ("deeplab-largefov-vgg16", "tiny")


@pytest.fixture(scope="module")
def networks() -> dict[str, DeepLabLargeFOV]:
    torch.manual_seed(0)
    return {name: deeplab_largefov.build(name, 4).eval() for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(64, 64), (65, 49), (33, 100), (41, 41), (7, 11), (40, 57)])
def test_logits_have_the_size_of_the_image(
    networks: dict[str, DeepLabLargeFOV], name: str, size: tuple[int, int]
) -> None:
    with torch.inference_mode():
        logits = networks[name](torch.zeros(1, 3, *size, dtype=torch.uint8))
    assert logits.shape == (1, 4, *size)
    assert logits.dtype == torch.float32


def test_parameters_are_those_of_the_definition(networks: dict[str, DeepLabLargeFOV]) -> None:
    counts = {n: sum(p.numel() for p in network.parameters()) for n, network in networks.items()}
    fc6, fc7, score = (9 * 512 + 1) * 1024, (1024 + 1) * 1024, (1024 + 1) * 4
    tiny = TINY_TRUNK + (9 * 96 + 1) * 96 + (96 + 1) * 96 + (96 + 1) * 4
    assert counts == {
        "deeplab-largefov-vgg16": VGG_TRUNK + fc6 + fc7 + score,
        "tiny": tiny,
    }
    # With the 21 labels of VOC, the 20.5 million that DeepLab's authors give.
    assert round((VGG_TRUNK + fc6 + fc7 + (1024 + 1) * 21) / 1e6, 1) == 20.5


def test_vgg16_keeps_output_stride_8_with_dilation_2_in_its_fifth_block(
    networks: dict[str, DeepLabLargeFOV],
) -> None:
    network = networks["deeplab-largefov-vgg16"]
    with torch.inference_mode():
        features = network.trunk(torch.zeros(1, 3, 65, 49))
        assert features.shape == (1, 512, 9, 7)
        assert network.smoothing(features).shape == (1, 512, 9, 7)
    convolutions = [layer for layer in network.trunk.features if isinstance(layer, nn.Conv2d)]
    both_ways = [(1, 1)] * 10 + [(2, 2)] * 3
    assert [layer.dilation for layer in convolutions] == both_ways
    assert [layer.padding for layer in convolutions] == both_ways
    pools = [layer for layer in network.trunk.features if isinstance(layer, nn.MaxPool2d)]
    assert [(pool.kernel_size, pool.stride, pool.padding) for pool in pools] == [
        (3, 2, 1),
        (3, 2, 1),
        (3, 2, 1),
        (3, 1, 1),
    ]
    fc6 = network.classifier.fc6
    assert (fc6.kernel_size, fc6.dilation, fc6.padding) == ((3, 3), (12, 12), (12, 12))


def test_blocks_of_vgg16_end_behind_its_poolings(networks: dict[str, DeepLabLargeFOV]) -> None:
    trunk = networks["deeplab-largefov-vgg16"].trunk
    layers = list(trunk.features)
    behind_poolings = [n + 1 for n, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    assert list(trunk.blocks) == [*behind_poolings, len(layers)]


def _wake(network: DeepLabLargeFOV) -> None:
    """Scores that differ from pixel to pixel."""
    for parameter in network.classifier.parameters():
        nn.init.normal_(parameter, std=0.2)


@pytest.mark.parametrize("name", NAMES)
def test_odd_image_is_extended_by_the_mean_colour(name: str) -> None:
    torch.manual_seed(0)
    network = deeplab_largefov.build(name, 4).eval()
    _wake(network)
    image = torch.rand(1, 3, 43, 50) * 255
    whole = (49, 57) if name != "tiny" else (48, 56)  # 8 n + 1, or 8 n
    canvas = network.trunk.mean.expand(1, 3, *whole).clone()
    canvas[:, :, :43, :50] = image
    with torch.inference_mode():
        logits, extended = network(image), network(canvas)
    assert logits.std() > 0
    torch.testing.assert_close(logits, extended[:, :, :43, :50])


@pytest.mark.parametrize("name", NAMES)
def test_image_of_whole_strides_is_scored_by_its_own_features_enlarged(name: str) -> None:
    torch.manual_seed(0)
    network = deeplab_largefov.build(name, 4).eval()
    _wake(network)
    aligned = name != "tiny"
    image = torch.rand(1, 3, 41, 49) * 255 if aligned else torch.rand(1, 3, 40, 48) * 255
    with torch.inference_mode():
        small = network.classifier(network.smoothing(network.trunk(image)))
        assert small.shape[-2:] == ((6, 7) if aligned else (5, 6))
        logits = network(image)
    expected = functional.interpolate(
        small, image.shape[-2:], mode="bilinear", align_corners=aligned
    )
    torch.testing.assert_close(logits, expected)
    if aligned:  # a feature sits exactly on every eighth pixel
        torch.testing.assert_close(logits[:, :, ::8, ::8], small)


def test_loss_is_the_mean_over_the_pixels_that_are_not_ignored() -> None:
    logits = torch.zeros(1, 2, 1, 3)
    logits[0, :, 0, 0] = torch.tensor([0.0, math.log(3)])
    label_map = torch.tensor([[[1, 255, 0]]])
    assert float(segmentation_loss(logits, label_map)) == pytest.approx(
        (-math.log(3 / 4) - math.log(1 / 2)) / 2
    )


def test_loss_of_ignored_pixels_alone_is_zero_with_a_zero_gradient() -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 3, 3), 255))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not logits.grad.any()


def test_weights_are_factors_of_the_pixels_losses() -> None:
    """One pixel after another; a weight does not change how many pixels the mean is of."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator)
    label_maps = torch.randint(0, 3, (2, 4, 5), generator=generator)
    label_maps[0, 1, 2:] = 255
    weights = torch.rand(2, 4, 5, generator=generator)
    total, count = 0.0, 0
    for image, y, x in np.ndindex(2, 4, 5):
        label = int(label_maps[image, y, x])
        if label == 255:
            continue
        exponentials = [math.exp(float(score)) for score in logits[image, :, y, x]]
        total -= float(weights[image, y, x]) * math.log(exponentials[label] / sum(exponentials))
        count += 1
    loss = segmentation_loss(logits, label_maps, weights)
    assert float(loss) == pytest.approx(total / count, rel=1e-5)
    plain = segmentation_loss(logits, label_maps)
    same = segmentation_loss(logits, label_maps, torch.ones(2, 4, 5))
    assert float(same) == pytest.approx(float(plain), rel=1e-6)


def test_learning_rates_and_decay_are_those_of_the_groups_solver() -> None:
    network = deeplab_largefov.build("tiny", 4)
    network.trunk.freeze(1)
    groups = parameter_groups(network.named_parameters(), 0.1, deeplab_largefov.lr_factor)
    found = {id(p): (g["lr_factor"], g["weight_decay"]) for g in groups for p in g["params"]}
    for name, parameter in network.named_parameters():
        if name.startswith(("trunk.features.0.", "trunk.features.1.")):
            assert id(parameter) not in found, name
            continue
        times = 10 if name.startswith("classifier.score") else 1
        expected = (2 * times, 0.0) if name.endswith("bias") else (times, 0.1)
        assert found[id(parameter)] == expected, name


@pytest.mark.parametrize("name", NAMES)
def test_frozen_blocks_get_no_gradient(name: str) -> None:
    network = deeplab_largefov.build(name, 3)
    network.trunk.freeze(2)
    network(torch.rand(1, 3, 17, 17) * 255).sum().backward()
    without = {n for n, p in network.named_parameters() if p.grad is None}
    assert without
    last = network.trunk.blocks[1]
    assert without == {
        f"trunk.features.{index}.{n}"
        for index in range(last)
        for n, _ in network.trunk.features[index].named_parameters()
    }


def test_fresh_networks_of_equal_seed_are_equal() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(5)
        states.append(deeplab_largefov.build("tiny", 4).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
