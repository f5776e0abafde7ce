"""Settings of ``wsss attend``: attention maps of a trained network."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.channels import check_channels
from wsss_cli.configs.common import HOW, CommonConfig, OverwriteConfig, PrecisionConfig
from wsss_cli.configs.presets import PRESETS
from wsss_cli.configs.saliency import SaliencyConfig
from wsss_cli.configs.scales import MOST_ASPECT, check_scales
from wsss_cli.configs.setting import Role, check, same_as, setting

# Whose image-level labels say which classes get a map: the data set's, or the network's own.
GIVEN, PREDICTED = "given", "predicted"

# Longer side of the grid on which colours are compared, in positions: a grid of features is coarser
# by far, and time grows with the square.
COLOUR_SIDE = 144


@dataclass(frozen=True)
class AttendConfig(OverwriteConfig, CommonConfig, PrecisionConfig):
    """Make an attention map for each image and each of its classes.

    Examples:
      wsss attend
      wsss attend --preset quick
      wsss attend --heatmaps
      wsss attend --scales 1 --scales 0.75 --scales 0.5
      wsss attend --model timm_export.onnx --data VOC2012 --run runs/timm
      wsss attend --run runs/val --checkpoint runs/default/train/checkpoint.pt \\
                  --data VOC2012 --split val
      wsss attend --run runs/photos --checkpoint runs/default/train/checkpoint.pt \\
                  --data photos --labels predicted

    Writes RUN/attend: attention.h5, with "ID/maps" (K, H, W) in [0, 1] and "ID/class_ids" (K,)
    for every image ID, stored in shards; with --heatmaps also pictures. With --map-scale the maps
    are smaller than their image. --model takes networks of other tools: images (B, 3, h, w) in,
    class scores (B, C, h, w) out, or features (B, K, h, w) and weights (C, K).
    """  # noqa: D301

    saves_memory: ClassVar[str] = "lower --batch-size, --size or the largest of --scales"

    preset: str | None = setting(
        None,
        "Settings that go together, wherever no other is given: quick redraws maps by prototypes "
        "and colours of each image; fine looks at four sizes of the uncut image, too.",
        role=Role.WORK,
        choices=tuple(PRESETS["attend"]),
        unset="the paper's",
    )
    checkpoint: Path | None = setting(
        None, "Trained attention network.", role=Role.INPUT, unset="RUN/train/checkpoint.pt"
    )
    model: Path | None = setting(
        None,
        "ONNX file of any network that scores classes, instead of a checkpoint; onnxruntime runs "
        "it.",
        role=Role.INPUT,
    )
    mean: tuple[float, ...] | None = same_as(
        SaliencyConfig,
        "mean",
        help="Mean that is subtracted from the pixels, in 0..1, of images for --model; one number, "
        "or three for RGB.",
    )
    deviation: tuple[float, ...] | None = same_as(SaliencyConfig, "deviation")
    split: str | None = setting(None, "List of images.", unset="the one trained on")
    labels: str = setting(
        GIVEN,
        "Classes that get a map: those that the data set gives an image, or those that the network "
        "predicts, at least the likeliest (images need no annotation then).",
        choices=(GIVEN, PREDICTED),
    )
    erase: Path | None = setting(
        None,
        "Attention file of the round before: erase what it shows and merge with it.",
        role=Role.INPUT,
        unset="that of the run's training",
    )
    size: int = setting(
        224,
        "Side of the square that images are resized to, in pixels; with --keep-aspect the shorter "
        "side.",
        at_least=32,
    )
    scales: tuple[float, ...] = setting(
        (1.0,),
        "Factor of --size to look at; the first one gives the class scores. Give it several times; "
        "DCSP takes 1, 0.75 and 0.5.",
        above=0,
        at_most=16,
    )
    keep_aspect: bool = setting(
        False,
        "Resize images so that their shorter side is --size, instead of to a square. Longer sides "
        f"become {MOST_ASPECT} times --size at most.",
    )
    flip: bool = setting(True, "Also look at the mirrored image.")
    merge: str | None = setting(
        None,
        "How the maps of all views become one: the largest value of any, each divided by its "
        "maximum, or their sum divided by its maximum.",
        choices=("max", "sum"),
        unset="that of the method",
        later=True,
    )
    prototypes: bool = setting(
        False,
        "Redraw maps by how much positions resemble, in this very image, what each map shows and "
        "what none shows.",
    )
    colour_steps: int | None = setting(
        None,
        "Average maps so many times over positions of similar colours, so that they follow the "
        "edges of the image.",
        at_least=1,
        unset="none",
        later=True,
    )
    map_scale: float | None = setting(
        None,
        "Sides of the maps as a share of the image's; smaller ones are enlarged where they are "
        "read. With 0.25 they take a sixteenth of the disk.",
        above=0,
        at_most=1,
        unset="1, as large as the image",
        later=True,
    )
    heatmaps: bool = setting(False, "Also draw each map over its image, as PNG.", role=Role.EXTRA)
    batch_size: int = setting(16, "Batch size.", above=0, group=HOW)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self.model is None or self.checkpoint is None,
            "model",
            "takes the place of --checkpoint; leave one out",
        )
        check_channels(mean=self.mean, deviation=self.deviation)
        for name in ("mean", "deviation"):
            given = getattr(self, name) is not None
            check(self.model is not None or not given, name, "is of networks for --model")
        check_scales(self.scales)
        least = min(self.sides())
        check(
            least >= 32, "scales", f"must leave 32 pixels of --size {self.size}; they leave {least}"
        )
        check(
            len(set(self.sides())) == len(self.sides()), "scales", "must give different sizes each"
        )

    def idle(self) -> frozenset[str]:
        """Images that share a batch change each other's rounding at most.

        That labels are given goes without saying, as in results older than the option.
        """
        said = {"labels"} if self.labels == GIVEN else set()
        said |= {name for name in ("keep_aspect", "prototypes") if not getattr(self, name)}
        return frozenset({"batch_size", *said})

    @property
    def source(self) -> str:
        """The setting that names the network's file."""
        return "checkpoint" if self.model is None else "model"

    def view_sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """(h, w) of the views of an image of the size (H, W), one for each scale."""
        if not self.keep_aspect:
            return [(side, side) for side in self.sides()]
        shorter = min(size)

        def kept(length: int, side: int) -> int:
            return min(max(side, round(length * side / shorter)), MOST_ASPECT * side)

        return [(kept(size[0], side), kept(size[1], side)) for side in self.sides()]

    def is_squeezed(self, size: tuple[int, int]) -> bool:
        """Whether an image of the size (H, W) is too long for its aspect to be kept."""
        return self.keep_aspect and max(size) > MOST_ASPECT * min(size)

    def map_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the maps of an image of the size (H, W), at least one pixel."""
        scale = self.map_scale or 1.0
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def colour_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) at which the colours of an image of the size (H, W) are compared."""
        smaller = min(1.0, COLOUR_SIDE / max(size))
        return max(1, round(size[0] * smaller)), max(1, round(size[1] * smaller))

    def sides(self) -> list[int]:
        """Side of the square at each scale, in pixels."""
        return [round(self.size * scale) for scale in self.scales]
