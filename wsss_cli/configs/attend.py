"""Settings of ``wsss attend``: attention maps of a trained network."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, check


@dataclass(frozen=True)
class AttendConfig(CommonConfig):
    """Settings of the attention maps.

    Attributes:
        checkpoint: Trained attention network; None takes the run's.
        split: List of images; None is the one trained on.
        size: Side of the square that images are resized to, in pixels (224 in the paper).
        flip: Also look at the mirrored image and keep the larger value.
        heatmaps: Also draw each map over its image, as PNG.
        batch_size: Images that pass the trunk together.
    """

    checkpoint: Path | None = None
    split: str | None = None
    size: int = 224
    flip: bool = True
    heatmaps: bool = False
    batch_size: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.size >= 32, "size", "must be 32 or more")
        check(self.batch_size > 0, "batch_size", "must be above 0")
