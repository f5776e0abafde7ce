"""Settings of ``wsss evaluate``: the scores."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, SeedConfig
from wsss_cli.configs.results import BY_INTEREST
from wsss_cli.configs.setting import Role, check, setting

PREDICTED_IGNORE = ("false-negative", "background", "excluded")
_ALSO = "More scores"


@dataclass(frozen=True)
class EvaluateConfig(CommonConfig, SeedConfig):
    """Score predictions, proxies or attention against true masks.

    Examples:
      wsss evaluate
      wsss evaluate --what proxy --baselines
      wsss evaluate --what attention --threshold-from runs/train --json
      wsss evaluate --boundaries --against runs/other
      wsss evaluate --pred predictions --gt VOC2012/SegmentationClass
      wsss evaluate --json --fail-under 0.4

    The mIoU is the data set's: the mean over classes of TP / (TP + FP + FN), counted over all
    pixels of all images whose truth is not 255; of attention at its best threshold. The text has
    per cent, the JSON fractions. Writes RUN/evaluate/WHAT.json.
    """

    what: str = setting("prediction", "What is scored.", choices=BY_INTEREST)
    pred: Path | None = setting(
        None, "Folder of label maps, PNG by image id.", role=Role.INPUT, unset="the run's"
    )
    gt: Path | None = setting(
        None, "Folder of true label maps.", role=Role.INPUT, unset="the data set's"
    )
    attention: Path | None = setting(
        None,
        "Attention file, ours or another tool's; its class scores choose the labels that baselines "
        "paint.",
        role=Role.INPUT,
        unset="RUN/attend/attention.h5",
    )
    predicted_ignore: str = setting(
        "false-negative",
        "What a predicted 255 counts as where the truth is a label; excluded flatters the score.",
        choices=PREDICTED_IGNORE,
    )
    split: str | None = setting(
        None, "List of images to score; all must be there.", unset="all that are there"
    )
    fail_under: float | None = setting(
        None,
        "Least mIoU, as a fraction (0.4): below it the exit code is 1.",
        unset="no limit",
    )
    against: Path | None = setting(
        None,
        "Another run, folder of label maps or attention file to compare with, image by image.",
        role=Role.INPUT,
        group=_ALSO,
    )
    threshold_from: Path | None = setting(
        None,
        "Run on another split: attention is also scored at the threshold that is best there.",
        role=Role.INPUT,
        group=_ALSO,
    )
    boundaries: bool = setting(
        False, "Also report the boundary IoU and the mIoU by distance to a contour.", group=_ALSO
    )
    localisation: bool = setting(
        False, "Also report MaxBoxAccV2 and PxAP of attention.", group=_ALSO
    )
    difficulty: bool = setting(
        False,
        "Also report what makes each image difficult, in the JSON: how many regions a class has, "
        "and which colours it shares with the background. This looks at the photographs.",
        group=_ALSO,
    )
    baselines: bool = setting(False, "Also score baselines that need no training.", group=_ALSO)
    saliency: Path | None = setting(
        None,
        "Saliency maps for the baselines.",
        role=Role.INPUT,
        unset="those of RUN/proxy",
        group=_ALSO,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self.pred is None or self.what != "attention",
            "pred",
            "is a folder of label maps; give attention maps with --attention FILE",
        )
        check(
            self.attention is None or self.what == "attention" or self.baselines,
            "attention",
            "is scored with --what attention, or tells --baselines the labels",
        )
        check(
            not (self.boundaries and self.what == "attention"),
            "boundaries",
            "is of label maps; attention has contours only where it is thresholded",
        )
        check(
            not self.localisation or self.what == "attention",
            "localisation",
            "is for --what attention; label maps have no threshold",
        )
        least = self.fail_under
        meant = (
            f"; for {least:g} per cent give {least / 100:g}" if least and 1 < least <= 100 else ""
        )
        check(
            least is None or 0 <= least <= 1,
            "fail_under",
            f"is a fraction from 0 to 1, as the JSON has scores, not {least}{meant}",
        )
        check(
            self.threshold_from is None or self.what == "attention",
            "threshold_from",
            "is for --what attention; label maps have no threshold",
        )

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """What is of label maps where attention is scored, and of baselines without any."""
        without = super().without_effect()
        if self.what == "attention":
            without["predicted_ignore"] = (
                "is of label maps; attention has no 255 that could count as something",
                "leave it out",
            )
        if not self.baselines:
            without["saliency"] = (
                "makes baselines, which only --baselines scores",
                "give that too, or leave --saliency out",
            )
        return without
