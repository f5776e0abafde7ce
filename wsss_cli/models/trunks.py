"""Trunks: the shared layers that turn photographs into features."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad
from torchvision.models import resnet, vgg
from torchvision.ops import FrozenBatchNorm2d

from wsss_cli.models.batch_wide_layers import BatchNorm2d

# Layers of VGG16 in torchvision's numbering: the poolings, and the convolutions of conv5.
VGG_POOLS = (4, 9, 16, 23)
_VGG_CONV5 = (24, 26, 28)

# RGB means of ImageNet in 0..255, as subtracted by the Oxford VGG models (no division).
OXFORD_MEAN = (123.68, 116.779, 103.939)


@dataclass(frozen=True)
class Preprocessing:
    """How RGB in 0..255 becomes a network's input: ``(pixel - mean) / std``."""

    mean: tuple[float, float, float] = OXFORD_MEAN
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


# torchvision trains on pixels in 0..1 divided by ImageNet's deviation.
TORCHVISION_PREPROCESSING = Preprocessing(
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255), std=(0.229 * 255, 0.224 * 255, 0.225 * 255)
)


class Trunk(nn.Module):
    """Preprocessing and feature layers.

    The preprocessing lives in buffers, so a checkpoint carries its own and loaders hand over
    plain 8-bit images.

    Attributes:
        channels: Channels of the features.
        stride: Pixels of the image per position of the features.
        head_std: What :class:`~wsss_cli.models.heads.ClassHead` on top starts from.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        features: nn.Sequential,
        blocks: tuple[int, ...],
        *,
        channels: int,
        stride: int,
        head_std: float | None = None,
    ) -> None:
        """Wrap feature layers.

        Args:
            features: Layers; the last one rectifies.
            blocks: Index one past the last layer of each block.
            channels: Channels of the last layer.
            stride: Total stride.
            head_std: Deviation of new layers on top; None scales it to the layer.
        """
        super().__init__()
        self.features = features
        self.blocks = blocks
        self.channels = channels
        self.stride = stride
        self.head_std = head_std
        self._frozen_layers = 0
        self.register_buffer("mean", torch.empty(3, 1, 1))
        self.register_buffer("std", torch.empty(3, 1, 1))
        self.set_preprocessing(Preprocessing())

    def set_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Set what the weights expect as input."""
        self.mean.copy_(torch.tensor(preprocessing.mean)[:, None, None])
        self.std.copy_(torch.tensor(preprocessing.std)[:, None, None])

    def freeze(self, num_blocks: int) -> None:
        """Keep the first blocks as they are: no gradient is computed for them.

        Nor through them, unless the images themselves need one (as the masked images of GAIN do).
        """
        self._frozen_layers = self.blocks[num_blocks - 1] if num_blocks else 0
        self.features[: self._frozen_layers].requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; frozen blocks stay as in evaluation, statistics included."""
        super().train(mode)
        self.features[: self._frozen_layers].eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in 0..255, uint8 or float, to (B, channels, h, w) features."""
        return self.features(self._preprocessed(images))  # type: ignore[no-any-return]

    def block_features(self, images: Tensor) -> list[Tensor]:
        """The output of every block, (B, K, h, w) each; the last one is that of :meth:`forward`."""
        outputs, x = [], self._preprocessed(images)
        for begin, end in pairwise((0, *self.blocks)):
            x = self.features[begin:end](x)
            outputs.append(x)
        return outputs

    def joined_blocks(self, images: Tensor, blocks: int) -> Tensor:
        """The outputs of the last blocks, each resized to the grid of the last one, (B, K, h, w).

        What :class:`PrecomputedFeatures` takes apart again.
        """
        if blocks == 1:
            return self(images)  # type: ignore[no-any-return]
        outputs = self.block_features(images)[-blocks:]
        grid = outputs[-1].shape[-2:]
        resized = (interpolate(x, grid, mode="bilinear", align_corners=False) for x in outputs)
        return torch.cat([*resized], dim=1)

    def block_channels(self) -> list[int]:
        """Channels of every block's output."""
        return [
            [m.out_channels for m in self.features[:end].modules() if isinstance(m, nn.Conv2d)][-1]
            for end in self.blocks
        ]

    def extended(self, images: Tensor, size: tuple[int, ...]) -> Tensor:
        """(B, 3, H, W) images, extended at the right and the bottom by the mean colour."""
        height, width = images.shape[-2:]
        if (height, width) == size:
            return images
        images = images.to(self.mean.dtype)
        margin = (0, size[1] - width, 0, size[0] - height)
        outside = pad(torch.zeros_like(images), margin, value=1.0)
        return pad(images, margin) + outside * self.mean

    def _preprocessed(self, images: Tensor) -> Tensor:
        x = (images.to(self.mean.dtype) - self.mean) / self.std
        return x.contiguous(memory_format=torch.channels_last)


class PrecomputedFeatures(nn.Module):
    """Stands in for a trunk where the features are there already, and passes them on.

    They are those of :meth:`Trunk.joined_blocks`.

    Attributes:
        channels: Channels of the last block's features.
        stride: Pixels of the image per position of the features.
        block_sizes: Channels of each block's features.
    """

    def __init__(self, trunk: Trunk, blocks: int = 1) -> None:
        """Say what the features are like, and of how many blocks they are."""
        super().__init__()
        self.channels = trunk.channels
        self.stride = trunk.stride
        self.block_sizes = trunk.block_channels()[-blocks:]

    def forward(self, features: Tensor) -> Tensor:
        """(B, K, h, w) features of all blocks to (B, channels, h, w) of the last one."""
        return features[:, -self.channels :]

    def block_features(self, features: Tensor) -> list[Tensor]:
        """The features of each block, the last one at the end."""
        return [*torch.split(features, self.block_sizes, dim=1)]


def vgg16_layers() -> Iterator[nn.Module]:
    """The layers conv1_1 .. relu5_3 of VGG16, numbered as in torchvision's ``features``.

    pool5 is left out, so the output stride is 16.
    """
    layers = list(vgg.make_layers(vgg.cfgs["D"]))
    return iter(layers[:-1])


def vgg16(output_stride: int = 16) -> Trunk:
    """VGG16 without pool5 and fully connected layers.

    At output stride 16 it is as SeeNet has it. At 8, as its followers have it, pool4 keeps the
    resolution and conv5 is dilated by 2.

    Args:
        output_stride: 16 or 8.
    """
    layers = list(vgg16_layers())
    if output_stride == 8:
        dilate_conv5(layers)
    return Trunk(
        nn.Sequential(*layers),
        blocks=(5, 10, 17, 24, 30),
        channels=512,
        stride=output_stride,
        head_std=0.01,
    )


def dilate_conv5(layers: list[nn.Module]) -> None:
    """Let pool4 of VGG16 keep the resolution, and dilate conv5 by 2 instead: output stride 8.

    Args:
        layers: Those of :func:`vgg16_layers`, changed in place.
    """
    layers[VGG_POOLS[-1]] = nn.MaxPool2d(3, stride=1, padding=1)
    for index in _VGG_CONV5:
        conv = layers[index]
        assert isinstance(conv, nn.Conv2d)
        conv.dilation = conv.padding = (2, 2)


def resnet50(output_stride: int = 8) -> Trunk:
    """ResNet-50 of torchvision's, its batch normalisation frozen."""
    return _resnet(resnet.resnet50, output_stride)


def resnet101(output_stride: int = 8) -> Trunk:
    """ResNet-101 of torchvision's, its batch normalisation frozen."""
    return _resnet(resnet.resnet101, output_stride)


def _resnet(build: Callable[..., nn.Module], output_stride: int) -> Trunk:
    """A ResNet of torchvision's, its batch normalisation frozen.

    The stride of the last stage, and for output stride 8 of the one before, is a dilation instead.
    Statistics and affine parameters of the normalisation are buffers, which no step moves: a batch
    of ten crops is too small to measure them, and the published systems keep ImageNet's. Every
    layer is odd and padded by half of itself, so feature i sits exactly on pixel 8 i (or 16 i), as
    in the VGG16 with padded poolings.

    Args:
        build: torchvision's function.
        output_stride: 16 or 8.
    """
    network = build(
        weights=None,
        replace_stride_with_dilation=[False, output_stride == 8, True],
        norm_layer=FrozenBatchNorm2d,
    )
    layers = OrderedDict(
        (name, layer) for name, layer in network.named_children() if name not in ("avgpool", "fc")
    )  # conv1 bn1 relu maxpool layer1 layer2 layer3 layer4
    trunk = Trunk(
        nn.Sequential(layers), blocks=(4, 5, 6, 7, 8), channels=2048, stride=output_stride
    )
    trunk.set_preprocessing(TORCHVISION_PREPROCESSING)
    return trunk


def tiny_layers() -> Iterator[nn.Module]:
    """Four convolutions with batch normalisation and three poolings: output stride 8."""
    widths = (3, 24, 48, 96, 96)
    for block, (before, after) in enumerate(pairwise(widths)):
        yield nn.Conv2d(before, after, 3, padding=1, bias=False)
        yield BatchNorm2d(after)
        yield nn.ReLU(inplace=True)
        if block < 3:
            yield nn.MaxPool2d(2)


def tiny(output_stride: int = 8) -> Trunk:
    """A trunk that learns from scratch in a minute on a CPU, for demos and tests."""
    trunk = Trunk(
        nn.Sequential(*tiny_layers()), blocks=(4, 8, 12, 15), channels=96, stride=output_stride
    )
    trunk.set_preprocessing(Preprocessing(mean=(127.5, 127.5, 127.5), std=(64.0, 64.0, 64.0)))
    return trunk


def build_trunk(name: str, output_stride: int | None = None) -> Trunk:
    """Build a trunk with fresh weights.

    Args:
        name: Name of a backbone.
        output_stride: One of those that the table of backbones has for it; None is the trunk's own
            default.
    """
    build: Callable[..., Trunk] = globals()[name]
    return build() if output_stride is None else build(output_stride)
