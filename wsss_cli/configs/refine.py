"""Settings of ``wsss refine``: attention that follows the outlines of objects."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.backbones import BACKBONES
from wsss_cli.configs.common import (
    HOW,
    CommonConfig,
    OverwriteConfig,
    PrecisionConfig,
    SeedConfig,
)
from wsss_cli.configs.setting import Role, check, same_as, setting
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import UsageError

_LEARNING, _WALKING = "Learning edges", "Walking up to edges"
_OF_EDGES = ("backbone", "iterations", "batch_size", "crop", "lr", "weight_decay", "radius")
_OF_WALKS = ("walk_radius", "beta", "steps")


@dataclass(frozen=True)
class RefineConfig(OverwriteConfig, CommonConfig, PrecisionConfig, SeedConfig):
    """Refine attention: spread it up to the edges of objects, or over regions.

    Examples:
      wsss proxy --rule irn && wsss refine --edges
      wsss refine --edges --proxy runs/oaa/proxy/labels --iterations 600
      wsss refine --checkpoint runs/default/refine/checkpoint.pt \\
                  --attention runs/val/attend/attention.h5 --data VOC2012 --run runs/val
      wsss refine --regions sam_masks --run runs/sam
      wsss proxy --attention runs/default/refine/attention.h5 --run runs/refined

    Writes RUN/refine: attention.h5, a file like that of wsss attend, stored in shards; with --edges
    also checkpoint.pt and, while it learns, metrics.jsonl.
    --edges learns from confident label maps where objects end (IRNet), then lets each map walk over
    the image up to there. --regions draws regions that are mostly in a map: DIR/ID.json (SAM's
    masks), a folder DIR/ID of pictures, one a region, or DIR/ID.png or ID.npy, a number a region.
    """  # noqa: D301

    saves_memory: ClassVar[str] = "lower --workers, --batch-size or --crop"

    edges: bool = setting(False, "Learn the edges of objects, and walk up to them.")
    regions: Path | None = setting(
        None, "Folder of regions of each image, from any tool.", role=Role.INPUT
    )
    checkpoint: Path | None = setting(None, "Edges learned before, to walk up to.", role=Role.INPUT)
    attention: Path | None = setting(
        None, "Attention file to refine.", role=Role.INPUT, unset="RUN/attend/attention.h5"
    )
    proxy: Path | None = setting(
        None,
        "Folder of label maps to learn edges from, 255 where a label is not sure.",
        role=Role.INPUT,
        unset="RUN/proxy/labels",
        group=_LEARNING,
    )
    backbone: str | None = setting(
        None,
        "Trunk, which does not learn.",
        choices=tuple(BACKBONES),
        unset="that of the run's training, else vgg16",
        group=_LEARNING,
    )
    weights: str | None = same_as(
        TrainConfig,
        "weights",
        unset="those of the training of the same backbone, else imagenet",
        instead=("checkpoint", "regions"),
        group=_LEARNING,
    )
    iterations: int = setting(300, "Steps of the optimiser.", above=0, group=_LEARNING)
    batch_size: int = setting(8, "Batch size.", above=0, group=_LEARNING)
    crop: int = setting(
        256, "Side of the random square crops, in pixels.", at_least=32, group=_LEARNING
    )
    lr: float = setting(
        0.1,
        "Learning rate at the start; it falls polynomially (power 0.9) to 0.",
        above=0,
        group=_LEARNING,
    )
    weight_decay: float = setting(
        0.0001, "Weight decay; biases do not decay.", at_least=0, group=_LEARNING
    )
    radius: int = setting(
        10,
        "Pairs of positions that are compared are nearer than this, in steps of 4 pixels.",
        at_least=2,
        at_most=32,
        group=_LEARNING,
    )
    walk_radius: int = setting(
        5,
        "A step of the walk is shorter than this, in steps of 4 pixels.",
        at_least=2,
        at_most=32,
        group=_WALKING,
    )
    beta: float = setting(
        10.0,
        "Power of the affinities; a higher one stops at weaker edges.",
        above=0,
        group=_WALKING,
    )
    steps: int = setting(256, "Steps of the walk.", at_least=1, group=_WALKING)
    checkpoint_every: int = same_as(TrainConfig, "checkpoint_every", group=HOW)

    def __post_init__(self) -> None:
        super().__post_init__()
        first, second = (*self._ways(), "", "")[:2]
        check(not second, first, f"is one way to refine and --{second} another; leave one out")
        check(self.edges or self.proxy is None, "proxy", "is what --edges learns from")

    def _ways(self) -> list[str]:
        return [name for name in ("edges", "regions", "checkpoint") if getattr(self, name)]

    def require_way(self) -> None:
        """Refuse a command that does not say how to refine.

        Raises:
            UsageError: It names every way.
        """
        if not self._ways():
            raise UsageError(
                "how to refine is not said; give --edges, --regions DIR or --checkpoint FILE"
            )

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """What belongs to another way of refining."""
        without = super().without_effect()
        ways = self._ways()
        if ways and not self.edges:
            words = (f"is of --edges, and with --{ways[0]} no edges are learned", "leave it out")
            without |= dict.fromkeys((*_OF_EDGES, "weights", "checkpoint_every"), words)
        if self.regions is not None:
            words = ("is of the walk up to edges, and with --regions there is none", "leave it out")
            without |= dict.fromkeys(_OF_WALKS, words)
            words = ("is of networks, and --regions runs none", "leave it out")
            without |= dict.fromkeys(("device", "amp"), words)
        return without

    def idle(self) -> frozenset[str]:
        """What belongs to another way of refining changes nothing; nor is a walk random."""
        said: set[str] = set()
        if not self.edges:
            said |= {"seed", *_OF_EDGES}
        if self.regions is not None:
            said |= set(_OF_WALKS)
        return frozenset(said)
