"""Where one score looks: how far, and around which pixel, against the layers of the definition."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from wsss_cli.models import deeplab_largefov
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.models.trunks import Preprocessing

# (kernel, stride, dilation) of every layer that looks beside itself, from the papers.
CONV, POOL = (3, 1, 1), (3, 2, 1)
Layers = list[tuple[int, int, int]]
VGG16: Layers = [
    *(CONV, CONV, POOL),
    *(CONV, CONV, POOL),
    *(CONV, CONV, CONV, POOL),
    *(CONV, CONV, CONV, (3, 1, 1)),  # pool4 keeps the resolution
    *((3, 1, 2), (3, 1, 2), (3, 1, 2), (3, 1, 1)),  # dilated conv5, pool5
    (3, 1, 1),  # average pooling
    (3, 1, 12),  # fc6
]
TINY: Layers = [*(CONV, (2, 2, 1)) * 3, CONV, (3, 1, 3)]


def _resnet(third_stage: int) -> Layers:
    """The 3x3 convolutions of its bottlenecks; the first of a stage has the dilation before."""
    return [
        *((7, 2, 1), POOL),
        *[CONV] * 3,
        *((3, 2, 1), *[CONV] * 3),
        *(CONV, *[(3, 1, 2)] * (third_stage - 1)),
        *((3, 1, 2), *[(3, 1, 4)] * 2),
        (3, 1, 12),
    ]


def _receptive_field(layers: Layers) -> int:
    field, stride = 1, 1
    for kernel, step, dilation in layers:
        field += (kernel - 1) * dilation * stride
        stride *= step
    return field


@dataclass(frozen=True)
class Case:
    """Attributes: pixels that a score sees, by hand; how far feature 0 is from pixel 0."""

    model: str
    layers: Layers
    pixels: int
    first: float


CASES = (
    Case("deeplab-largefov-vgg16", VGG16, 435, 0.0),
    Case("deeplab-largefov-resnet50", _resnet(6), 619, 0.0),
    Case("deeplab-largefov-resnet101", _resnet(23), 1163, 0.0),
    Case("tiny", TINY, 86, 3.5),
)


def _transparent(model: str) -> DeepLabLargeFOV:
    """Every path from pixel to score open: positive weights, averages instead of maxima."""
    network = deeplab_largefov.build(model, 1).eval()
    network.trunk.set_preprocessing(Preprocessing((0.0,) * 3, (1.0,) * 3))
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.MaxPool2d):
                average = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
                setattr(parent, name, average)
            if isinstance(layer, nn.Conv2d):
                nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    return network


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.slow if "resnet101" in case.model else ())
        for case in CASES
    ],
    ids=lambda case: case.model,
)
def test_score_sees_the_pixels_of_the_definition_around_its_own(case: Case) -> None:
    assert _receptive_field(case.layers) == case.pixels
    network = _transparent(case.model)
    middle = case.pixels // 16 + 2
    corner = 1 if network.corner_aligned else 8  # pixels of an image with one feature
    length = 8 * 2 * middle + corner
    # One column of features is enough: every kernel is square.
    image = torch.ones(1, 3, length, corner, requires_grad=True)
    scores = network.classifier(network.smoothing(network.trunk(image)))  # (1, 1, h, 1)
    assert scores.shape == (1, 1, 2 * middle + 1, 1)
    scores[0, 0, middle, 0].backward()
    seen = image.grad[0].sum(dim=(0, 2)).nonzero().flatten()
    assert len(seen) == case.pixels
    assert (float(seen[0]) + float(seen[-1])) / 2 == 8 * middle + case.first
