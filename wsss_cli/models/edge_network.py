"""A network that draws the edges of objects on the features of a trunk that does not learn.

Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations",
CVPR 2019 (IRNet), the boundary branch: each block's features pass a 1x1 convolution and a group
normalisation, are brought to a quarter of the image's sides and rectified; a last 1x1 convolution
makes one map of them all.

Different here: the trunk may be any of ours, VGG16 among them; the authors' is a ResNet-50.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wsss_cli.models.trunks import Trunk

STRIDE = 4
"""Pixels of the image per position of the edges."""

_CHANNELS = 32
_GROUPS = 4


class EdgeNetwork(nn.Module):
    """Edges of objects at a quarter of the image's sides."""

    def __init__(self, trunk: Trunk) -> None:
        """Put new layers on a trunk, which stays as it is."""
        super().__init__()
        self.trunk = trunk.requires_grad_(False)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, _CHANNELS, 1, bias=False), nn.GroupNorm(_GROUPS, _CHANNELS)
            )
            for channels in trunk.block_channels()
        )
        self.last = nn.Conv2d(_CHANNELS * len(self.branches), 1, 1)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the new layers."""
        super().train(mode)
        self.trunk.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in 0..255 to (B, ceil(H / 4), ceil(W / 4)) logits of an edge."""
        height, width = images.shape[-2:]
        # Of sides below its stride, a trunk's poolings would leave nothing.
        least = self.trunk.stride
        images = self.trunk.extended(images, (max(height, least), max(width, least)))
        with torch.no_grad():
            blocks = self.trunk.block_features(images)
        rows, columns = grid((height, width))
        return self.draw(blocks, grid(images.shape[-2:]))[:, :rows, :columns]

    def draw(self, blocks: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """(B, K, h', w') features of every block to (B, h, w) logits of an edge."""
        drawn = []
        for branch, features in zip(self.branches, blocks, strict=True):
            x = interpolate(branch(features), size=size, mode="bilinear", align_corners=False)
            drawn.append(x.relu())
        return self.last(torch.cat(drawn, 1))[:, 0]  # type: ignore[no-any-return]


def grid(size: Sequence[int]) -> tuple[int, int]:
    """(h, w) of the edges of images of the size (H, W)."""
    return -(-size[0] // STRIDE), -(-size[1] // STRIDE)
