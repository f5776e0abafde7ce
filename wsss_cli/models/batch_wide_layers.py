"""Layers that depend on the whole batch, where each rank holds a part of it.

With them a step of several processes is the step of one with the same batch, up to rounding: they
draw the numbers, or measure the statistics, of all images, and keep to the usual layers otherwise.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli import ranks


class Dropout(nn.Dropout):
    """Dropout that draws for the images of all ranks and keeps this rank's part.

    The ranks share a seed, so they draw the same; a rank by itself draws what it always did.
    """

    def forward(self, features: Tensor) -> Tensor:
        """As ``torch.nn.Dropout``, on (B, ...) of this rank."""
        if not self.training or ranks.world() == 1:
            return super().forward(features)
        counts = ranks.counted(len(features))
        start = sum(counts[: ranks.rank()])
        everyone = features.new_ones((sum(counts), *features.shape[1:]))
        if features.is_contiguous(memory_format=torch.channels_last):
            everyone = everyone.contiguous(memory_format=torch.channels_last)
        kept = functional.dropout(everyone, self.p)[start : start + len(features)]
        return features * kept


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation with the statistics of the images of all ranks."""

    def forward(self, features: Tensor) -> Tensor:
        """As ``torch.nn.BatchNorm2d``, on (B, K, H, W) of this rank."""
        if not self.training or ranks.world() == 1:
            return super().forward(features)
        wide = features.float()
        count = ranks.summed(wide.new_tensor(float(wide.numel() // wide.shape[1])))
        mean = _SumOverRanks.apply(wide.sum(dim=(0, 2, 3))) / count  # (K,)
        centred = wide - mean[:, None, None]
        variance = _SumOverRanks.apply(centred.square().sum(dim=(0, 2, 3))) / count
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        normal: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normal.to(features.dtype)


class _SumOverRanks(torch.autograd.Function):
    """The sum of a tensor over the ranks; every rank's loss depends on each one's tensor."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # noqa: ANN401
        """The sum."""
        del ctx
        return ranks.summed(tensor.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        """The gradients of all ranks' losses, summed."""
        del ctx
        return ranks.summed(gradient.clone())
