"""Settings of ``wsss evaluate``: the scores."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, check, choice
from wsss_cli.configs.results import BY_INTEREST

PREDICTED_IGNORE = ("false-negative", "background", "excluded")


@dataclass(frozen=True)
class EvaluateConfig(CommonConfig):
    """Settings of the evaluation.

    Attributes:
        what: What is scored.
        pred: Folder of predicted label maps; None takes the run's.
        gt: Folder of true label maps; None takes the data set's.
        attention: Attention file; None takes the run's. The baselines of label maps take the
            classifier's logits from it.
        predicted_ignore: What a predicted 255 counts as where the truth is a label: a
            ``false-negative`` of that label, ``background``, or ``excluded`` from the score,
            which flatters it.
        split: List of images to be scored, all of which must be there; None takes all that are.
        boundaries: Also score label maps near contours: boundary IoU and the trimap curve.
        localisation: Also score attention as boxes and pixels: MaxBoxAccV2 and PxAP.
        difficulty: Also tell of each image what makes it difficult: how many regions a class has,
            and how much of their colours objects share with the background.
        against: Another run, folder of label maps or attention file, to be scored on the same
            images and compared with.
        threshold_from: Run on another split whose best threshold is also applied to the attention.
        baselines: Also score label maps that need no learning, on the same images.
        saliency: Saliency maps for the baselines; None takes those the run's proxies used.
        fail_under: Least mIoU, a fraction of 1, below which the command fails; None never fails.
    """

    what: str = "prediction"
    pred: Path | None = None
    gt: Path | None = None
    attention: Path | None = None
    predicted_ignore: str = "false-negative"
    split: str | None = None
    boundaries: bool = False
    localisation: bool = False
    difficulty: bool = False
    against: Path | None = None
    threshold_from: Path | None = None
    baselines: bool = False
    saliency: Path | None = None
    fail_under: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("what", self.what, BY_INTEREST)
        choice("predicted_ignore", self.predicted_ignore, PREDICTED_IGNORE)
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
