"""Settings of ``wsss predict``: a trained network and new photographs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import WorkConfig, check, choice
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.segment import MERGES


@dataclass(frozen=True)
class PredictConfig(WorkConfig):
    """Settings of the prediction of new photographs.

    Attributes:
        checkpoint: Trained network of ``wsss segment`` or ``wsss train``, or a run with one.
        photos: Pictures, videos, folders or patterns.
        out: Folder for what is made of them.
        overlay: Also draw what was found on each picture.
        probabilities: Also write the numbers behind: soft scores, or attention maps.
        scales: Factors to look at; None is the default of ``wsss segment`` or ``wsss attend``.
        flip: Also look at the mirrored views.
        longest_side: Pixels of the longer side beyond which a picture is looked at reduced; 0 never
            reduces; None is the largest that the network was trained with.
        merge: How the logits of all views become one.
        crf: Dense CRF that refines label maps, by the name of its settings; None is none.
        size: Side of the square that pictures are resized to for attention.
    """

    saves_memory: ClassVar[str] = "lower --longest-side, the largest of --scales or --workers"

    checkpoint: Path = field(kw_only=True)
    photos: tuple[str, ...] = field(kw_only=True)
    out: Path = field(kw_only=True)
    overlay: bool = False
    probabilities: bool = False
    scales: tuple[float, ...] | None = None
    flip: bool = True
    longest_side: int | None = None
    merge: str | None = None
    crf: str | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scales is not None:
            check(
                len(self.scales) > 0 and all(0 < scale <= 16 for scale in self.scales),
                "scales",
                "must be above 0 and at most 16",
            )
            check(len(set(self.scales)) == len(self.scales), "scales", "must be different numbers")
        check(
            self.longest_side is None or self.longest_side == 0 or self.longest_side >= 32,
            "longest_side",
            "must be 32 or more, or 0 to reduce nothing",
        )
        if self.merge is not None:
            choice("merge", self.merge, MERGES)
        if self.crf is not None:
            choice("crf", self.crf, tuple(PRESETS))
        check(self.size is None or self.size >= 32, "size", "must be 32 or more")

    def attention(self) -> AttendConfig:
        """The settings of attention maps that these are; checks the sizes of its views."""
        size = AttendConfig.size if self.size is None else self.size
        return AttendConfig(size=size, scales=self.scales or AttendConfig.scales, flip=self.flip)
