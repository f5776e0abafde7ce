"""How fast the device convolves at its best: what a network's multiplications take at least.

A network is measured against the fastest of the convolutions that it is made of, in the same
precision and memory format. No whole network reaches that rate: its first layers have few channels,
and what lies between convolutions moves memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from ratios import in_turn
from stage_runs import Watch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from wsss_cli.device import autocast

AT_BEST = "its network's multiplications at the rate of the device's best convolution"
"""Beside what a stage is measured by :meth:`Convolution.seconds_for`."""

# VGG16's, one of each resolution: channels (the same before and after) and side at 224.
_LAYERS = ((64, 224), (128, 112), (256, 56), (512, 28), (512, 14))
_BATCH = 16
# Convolutions in a row: one by itself, on a GPU, takes hardly longer than asking for it.
_IN_A_ROW = 8
_ROUNDS = 5


def flops_of(way: Callable[[], object]) -> int:
    """Floating point operations of a way's products, two for each multiplication."""
    with FlopCounterMode(display=False) as counter:
        way()
    return int(counter.get_total_flops())


@dataclass(frozen=True)
class Convolution:
    """A convolution, 3 x 3 on a batch of its layer, a few times over.

    Attributes:
        images: (B, K, h, w), channels last.
        weights: (K, K, 3, 3), channels last.
        precision: ``bfloat16`` or ``float32``.
    """

    images: Tensor
    weights: Tensor
    precision: str

    def __call__(self) -> None:
        """Convolve."""
        with torch.inference_mode(), autocast(self.images.device, self.precision):
            for _ in range(_IN_A_ROW):
                functional.conv2d(self.images, self.weights, padding=1)

    @property
    def flops(self) -> int:
        """Floating point operations, two for each multiplication."""
        positions = self.images.numel() // self.images.shape[1]
        return 2 * positions * self.weights.numel() * _IN_A_ROW

    def seconds_for(self, flops: int, seconds: Sequence[float]) -> float:
        """How long so many operations take at this rate, by the times of calls."""
        return median(seconds) * flops / self.flops


def fastest_convolution(device: torch.device, precision: str) -> Convolution:
    """The one with the most operations a second, of those that VGG16 is made of."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    convolutions = {}
    for channels, side in _LAYERS:
        images = torch.randn(_BATCH, channels, side, side, device=device, dtype=dtype)
        weights = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype)
        convolutions[f"{channels} at {side}"] = Convolution(
            images.contiguous(memory_format=torch.channels_last),
            weights.contiguous(memory_format=torch.channels_last),
            precision,
        )
    watch = Watch("convolving")
    ways = {name: watch.timed(convolution) for name, convolution in convolutions.items()}
    seconds = in_turn(ways, _ROUNDS, clock=watch)
    return convolutions[
        max(seconds, key=lambda name: convolutions[name].flops / min(seconds[name]))
    ]
