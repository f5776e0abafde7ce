"""What the stages expect of an attention system."""

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

from wsss_cli.ops.attention import BranchMaps

__all__ = ["AttentionNetwork", "BranchMaps"]


class AttentionNetwork(Protocol):
    """A network that learns from image-level labels where their objects are."""

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Scalar loss of every branch; training minimises their sum.

        Args:
            images: (B, 3, H, W) RGB in 0..255.
            labels: (B, C) multi-hot float.
        """
        ...

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Raw maps of the present classes."""
        ...

    # What every torch module has, as far as the stages need it.
    def train(self, mode: bool = True) -> nn.Module: ...  # noqa: D102
    def eval(self) -> nn.Module: ...  # noqa: D102
    def state_dict(self) -> dict[str, Tensor]: ...  # noqa: D102
    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...  # noqa: D102
