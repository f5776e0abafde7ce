"""Settings of ``wsss saliency``: saliency maps from a given network."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, check


@dataclass(frozen=True)
class SaliencyConfig(CommonConfig):
    """Settings of the saliency maps.

    Attributes:
        model: ONNX file of a network with U2-Net's interface (``models/saliency_network.py``);
            it must be given.
        split: List of images; None is the one trained on.
        size: Side of the square that images are resized to, in pixels (320 in U2-Net).
        passes: 2 looks a second time, at the image with what was salient painted over (DCSP).
    """

    model: Path | None = None
    split: str | None = None
    size: int = 320
    passes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.size >= 32, "size", "must be 32 or more")
        check(self.passes in (1, 2), "passes", "must be 1 or 2")

    def idle(self) -> frozenset[str]:
        """Nothing is random; the network counts by the content of its file."""
        return frozenset({"seed", "model"})
