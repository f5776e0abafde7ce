"""What the stages expect of an attention system."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from wsss_cli.ops.attention import BranchMaps

__all__ = ["CLASSIFICATION_LOSS", "AttentionNetwork", "BranchMaps", "Branches"]

CLASSIFICATION_LOSS = "a"
"""The loss, in every method, of telling the classes of a whole image: that of S_A."""


@dataclass(frozen=True)
class Branches:
    """What each branch sees and says of the classes present in a batch: for looking, not learning.

    A method whose branches are more than the maps that it fuses has a function
    ``branches(network, images, labels) -> Branches`` in its module; of the others, the maps of
    ``attention`` are all there is to see.

    Attributes:
        pairs: (P, 2) int64, image index and class column of each present class, in that order.
        maps: Raw score maps (P, h, w) of the branches that are fused, by the branch's name.
        prior: (P, h, w) attention prior in [0, 1]; None where the method has none.
        zones: (P, h, w) 0 in the attention, +1 in the potential, -1 in the background zone.
        background: (P, h, w) raw scores given the features of the background alone, by the head
            that has, or would have, to be silent there.
    """

    pairs: Tensor
    maps: Mapping[str, Tensor]
    prior: Tensor | None = None
    zones: Tensor | None = None
    background: Tensor | None = None


class AttentionNetwork(Protocol):
    """A network that learns from image-level labels where their objects are."""

    def losses(self, images: Tensor, labels: Tensor, *saliency: Tensor) -> dict[str, Tensor]:
        """Scalar loss of every branch, a mean over the images; training minimises their sum.

        Args:
            images: (B, 3, H, W) RGB in 0..255.
            labels: (B, C) multi-hot float.
            *saliency: (B, H, W) in [0, 1], for methods that learn from it; the others take none.
        """
        ...

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Raw maps of the present classes."""
        ...

    # Those whose maps are of a fixed graph have class_maps(images, labels) too, for `wsss
    # export-network`: logits (B, C) and raw maps (B, C, N, h, w) of all classes.

    # What every torch module has, as far as the stages need it.
    training: bool

    def train(self, mode: bool = True) -> nn.Module: ...  # noqa: D102
    def eval(self) -> nn.Module: ...  # noqa: D102
    def state_dict(self) -> dict[str, Tensor]: ...  # noqa: D102
    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...  # noqa: D102
