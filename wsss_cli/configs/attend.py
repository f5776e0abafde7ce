"""Settings of ``wsss attend``: attention maps of a trained network."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.common import CommonConfig, check, choice

# Whose image-level labels say which classes get a map: the data set's, or the network's own.
GIVEN, PREDICTED = "given", "predicted"


@dataclass(frozen=True)
class AttendConfig(CommonConfig):
    """Settings of the attention maps.

    Attributes:
        checkpoint: Trained attention network; None takes the run's.
        split: List of images; None is the one trained on.
        labels: Which classes of an image get a map: those that the data set gives it (``given``),
            or those that the network itself finds likelier than not, at least the surest one
            (``predicted``); images need no annotation then.
        erase: Attention file of the round before, to erase by and to merge with; None takes what
            the run's training erased by, and nothing where a checkpoint is given.
        size: Side of the square that images are resized to, in pixels (224 in the paper).
        scales: Factors of that side to look at; the largest value of all counts. DCSP takes 1,
            0.75 and 0.5. The class logits are those of the first one.
        flip: Also look at the mirrored image and keep the larger value.
        heatmaps: Also draw each map over its image, as PNG.
        batch_size: Images that pass the trunk together.
    """

    saves_memory: ClassVar[str] = "lower --batch-size, --size or the largest of --scales"

    extras: ClassVar[frozenset[str]] = frozenset({"heatmaps"})

    checkpoint: Path | None = None
    split: str | None = None
    labels: str = GIVEN
    erase: Path | None = None
    size: int = 224
    scales: tuple[float, ...] = (1.0,)
    flip: bool = True
    heatmaps: bool = False
    batch_size: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("labels", self.labels, (GIVEN, PREDICTED))
        check(self.size >= 32, "size", "must be 32 or more")
        check(
            len(self.scales) > 0 and all(0 < scale <= 16 for scale in self.scales),
            "scales",
            "must be above 0 and at most 16",
        )
        check(
            min(self.sides()) >= 32,
            "scales",
            f"must leave 32 pixels or more of --size {self.size}; they leave {min(self.sides())}",
        )
        check(
            len(set(self.sides())) == len(self.sides()), "scales", "must give different sizes each"
        )
        check(self.batch_size > 0, "batch_size", "must be above 0")

    def idle(self) -> frozenset[str]:
        """Nothing is random; images that share a batch change each other's rounding at most.

        That labels are given goes without saying, as in results older than the option.
        """
        said = {"labels"} if self.labels == GIVEN else set()
        return frozenset({"seed", "batch_size", *said})

    def sides(self) -> list[int]:
        """Side of the square at each scale, in pixels."""
        return [round(self.size * scale) for scale in self.scales]
