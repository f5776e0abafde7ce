"""Settings of ``wsss evaluate``: the scores."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, check, choice

# What can be scored, and the stage that makes it.
SCORED_STAGE = {"prediction": "segment", "proxy": "proxy", "crf": "crf", "attention": "attend"}
SUBJECTS = tuple(SCORED_STAGE)
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
        baselines: Also score label maps that need no learning, on the same images.
        saliency: Saliency maps for the baselines; None takes those the run's proxies used.
    """

    what: str = "prediction"
    pred: Path | None = None
    gt: Path | None = None
    attention: Path | None = None
    predicted_ignore: str = "false-negative"
    baselines: bool = False
    saliency: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("what", self.what, SUBJECTS)
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
