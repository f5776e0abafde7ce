"""Settings of ``wsss predict``: a trained network and new photographs."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import OverwriteConfig, PrecisionConfig, WorkConfig
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.presets import PRESETS as STAGE_PRESETS
from wsss_cli.configs.scales import check_scales
from wsss_cli.configs.segment import MERGES
from wsss_cli.configs.setting import REQUIRED, Role, check, same_as, setting


@dataclass(frozen=True)
class PredictConfig(OverwriteConfig, WorkConfig, PrecisionConfig):
    """Predict new photographs and videos with a trained network: no data set, no run.

    Examples:
      wsss predict runs/default/segment/checkpoint.pt IMG_1.jpg --out found
      wsss predict runs/default holiday --out found --overlay
      wsss predict runs/default 'holiday/**/*.jpg' --out found --crf irn --json
      wsss predict runs/default holiday --out found --classifier runs/default/train/checkpoint.pt
      wsss predict runs/default clip.mp4 --out found --scales 1 --no-flip
      wsss predict runs/default/train/checkpoint.pt holiday --out where --overlay

    Of a segmentation network: label maps OUT/NAME.png, palette PNG of the picture's size, 0
    background, then the network's classes; with --overlay OUT/overlays/NAME.jpg; with
    --probabilities OUT/scores.h5, as of wsss segment. Of an attention network (wsss train): the
    classes that it finds likelier than not, at least the surest, each with a grey map
    OUT/NAME/CLASS.png; with --overlay all in one picture; with --probabilities OUT/attention.h5. Of
    a video: OUT/NAME.mp4, its frames with the overlays, without sound.

    NAME is the picture's own without ending. A folder is searched with its subfolders, which are
    kept. Pictures are JPEG, PNG, WebP, BMP or TIFF, of any size, and are looked at upright;
    videos are MP4, MOV, AVI, MKV or WebM. What cannot be read is named, the rest is done, and the
    exit code is then 1. Run again, it does what is missing: more photographs join the others,
    changed ones are predicted again. OUT/records/NAME.json says what was found in each.
    """

    saves_memory: ClassVar[str] = "lower --longest-side, the largest of --scales or --workers"

    checkpoint: Path = setting(
        REQUIRED,
        "Trained network: checkpoint.pt of segment or train, or a run with one.",
        role=Role.INPUT,
        argument="CHECKPOINT",
    )
    photos: tuple[str, ...] = setting(
        REQUIRED, "Pictures, videos, folders or quoted patterns.", argument="PHOTOS"
    )
    out: Path = setting(REQUIRED, "Folder for what is made of them: new, or of this command.")
    overwrite: bool = same_as(
        OverwriteConfig,
        "overwrite",
        help="Replace what other settings or another network left in --out.",
    )
    overlay: bool = setting(False, "Also draw outlines and names on each picture.")
    probabilities: bool = setting(
        False, "Also write the numbers behind the maps, as HDF5.", role=Role.EXTRA
    )
    scales: tuple[float, ...] | None = setting(
        None,
        "Factor of the picture's sides to look at. Give it several times.",
        above=0,
        at_most=16,
        unset="as wsss segment or attend",
    )
    flip: bool = setting(True, "Also look at the mirrored views.")
    longest_side: int | None = setting(
        None,
        "Look at pictures with a longer side reduced to this many pixels; 0: never.",
        unset="that of the training's pictures",
    )
    merge: str | None = setting(
        None, "How the logits of all views become one.", choices=MERGES, unset=MERGES[0]
    )
    crf: str | None = setting(
        None,
        "Refine label maps by a dense CRF with the settings of a published system.",
        choices=tuple(PRESETS),
        unset="none",
    )
    classifier: Path | None = setting(
        None,
        "Trained attention network (checkpoint.pt of wsss train): how likely it finds a class in "
        "the picture weighs the class at all pixels of its label map.",
        role=Role.INPUT,
        unset="none",
    )
    size: int | None = setting(
        None,
        "Side of the square that pictures are resized to, for attention, in pixels.",
        at_least=32,
        unset=str(AttendConfig.size),
    )
    redraw: bool = setting(
        False,
        "Redraw attention by prototypes and colours of each picture, as attend --preset quick.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scales is not None:
            check_scales(self.scales)
        side = self.longest_side
        check(
            side is None or side == 0 or side >= 32,
            "longest_side",
            f"must be 32 or more, or 0 to reduce nothing, not {side}",
        )

    def attention(self) -> AttendConfig:
        """The settings of attention maps that these are; checks the sizes of its views."""
        size = AttendConfig.size if self.size is None else self.size
        redrawn = STAGE_PRESETS["attend"]["quick"] if self.redraw else {}
        scales = self.scales or AttendConfig.scales
        return AttendConfig(size=size, scales=scales, flip=self.flip, **redrawn)
