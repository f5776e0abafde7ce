"""What of a checkpoint is exported: a module of pixels, its inputs and its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsss_cli.artifacts.checkpoint import checkpoint_kind
from wsss_cli.errors import WsssError
from wsss_cli.methods.network_file import CHECKPOINT_KIND, load_network
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.ops.attention import fuse_on_grid
from wsss_cli.stages.segment.network_file import read_network

# Sides that no stride divides, so that the padding becomes part of the graph.
_EXAMPLE_SIZE = (83, 122)


@dataclass(frozen=True)
class NetworkGraph:
    """A network as others run it.

    Attributes:
        kind: ``segmentation`` or ``attention``.
        model: Name of the segmentation network, or the method and trunk of attention.
        class_names: Without background.
        module: Takes the inputs in their order and returns the outputs.
        inputs: An example of each input by name; ``images`` is first.
        outputs: Names of the outputs.
    """

    kind: str
    model: str
    class_names: Sequence[str]
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]


def graph_of(checkpoint: Path) -> NetworkGraph:
    """The graph of a network of ``wsss segment`` or ``wsss train``.

    Raises:
        WsssError: It is no such checkpoint, or one of a method whose maps are no fixed graph.
    """
    kind = checkpoint_kind(checkpoint)
    if kind not in (CHECKPOINT_KIND, "segmentation"):
        raise WsssError(
            f"{checkpoint} is a checkpoint for {kind}, which cannot be exported; give one of "
            "`wsss segment` or `wsss train`"
        )
    if kind != CHECKPOINT_KIND:
        read = read_network(checkpoint)
        segmentation = _Segmentation(read.network.eval())
        images = {"images": torch.zeros(1, 3, *_EXAMPLE_SIZE)}
        outputs = ("logits", "labels")
        return NetworkGraph(
            "segmentation", read.model, read.class_names, segmentation, images, outputs
        )
    network, trained_with, class_names = load_network(checkpoint)
    if not hasattr(network, "class_maps"):
        raise WsssError(
            f"{checkpoint} is of the method {trained_with.method}, whose maps are no fixed graph; "
            "export a network of cam, aepsl, acol, eps or seenet, or that of `wsss segment`"
        )
    return NetworkGraph(
        "attention",
        f"{trained_with.method}, {trained_with.backbone}",
        class_names,
        _Attention(network),
        {
            "images": torch.zeros(1, 3, *_EXAMPLE_SIZE),
            "labels": torch.ones(1, len(class_names)),
        },
        ("logits", "maps"),
    )


class _Segmentation(nn.Module):
    """A segmentation network that also tells the best label of each pixel."""

    def __init__(self, network: DeepLabLargeFOV) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(1, 3, H, W) RGB in 0..255 to (1, L, H, W) logits and (1, H, W) labels."""
        logits = self.network(images)
        return logits, logits.argmax(dim=1)


class _Attention(nn.Module):
    """An attention network that draws the classes that it is told."""

    def __init__(self, network: Any) -> None:  # noqa: ANN401 - of a method that has class_maps
        super().__init__()
        self.network = network.eval()

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(1, 3, H, W) RGB in 0..255 and (1, C) labels to (1, C) logits and (1, C, h, w) maps."""
        logits, maps = self.network.class_maps(images, labels)
        drawn = fuse_on_grid(maps[0])  # (C, h, w)
        return logits, drawn[None] * labels[:, :, None, None]
