"""Settings of ``wsss segment``: a segmentation network trained on proxies."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.common import CommonConfig, check, choice
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS

SUPERVISIONS = ("proxy", "full")
MERGES = ("mean", "max")
# What only a training has: nothing of it changes what a given --checkpoint predicts.
OF_TRAINING = frozenset(
    {
        *("seed", "supervision", "train_split", "prohibitive"),
        *("iterations", "batch_size", "accumulate", "lr", "momentum", "weight_decay"),
        *("crop", "scale_low", "scale_high", "frozen_blocks"),
    }
)


@dataclass(frozen=True)
class SegmentConfig(CommonConfig):
    """Settings of the segmentation network.

    The solver is the one of the SeeNet authors' group.

    Attributes:
        proxy: Folder of label maps to learn from; None takes the run's.
        train_split: List of images to learn from, all of which must have a label map; None takes
            that of the run's training, else the data set's own for training.
        model: Network; None is the one that belongs to the training's backbone.
        weights: Initial weights: ``imagenet``, ``none`` or a file; None is what the training of
            the same backbone used, else ``imagenet`` where there is one.
        supervision: ``proxy``, or ``full`` for the true masks: the ceiling to compare with.
        prohibitive: Learn also from the network's own scores, weighted by the class scores of
            the attention network (AE-PSL).
        attention: Attention file with these class scores; None takes the run's.
        iterations: Steps of the optimiser.
        batch_size: Images that pass the network together.
        accumulate: Batches whose gradients make one step.
        lr: Learning rate at the start; it falls polynomially (power 0.9) to 0.
        momentum: Momentum of stochastic gradient descent.
        weight_decay: Weight decay; biases do not decay.
        crop: Side of the random square crops, in pixels.
        scale_low: Least random scale.
        scale_high: Largest random scale.
        frozen_blocks: Leading blocks of the trunk that keep their initial weights.
        checkpoint: Trained network to predict with; nothing is trained then.
        split: List of images to predict.
        scales: Factors of the photograph's sides to look at; None is those of 0.5, 0.75 and
            1 that lie in the range that the network was trained with
            (:func:`~wsss_cli.configs.scales.default_scales`).
        flip: Also look at the mirrored views.
        merge: How the logits of all views become one: ``mean``, or ``max`` as in DeepLab's and
            SeeNet's papers.
        crf: Dense CRF that refines the predictions, by the name of its settings; None is none.
        restrict_to_labels: Predict background and the image's own labels only, to learn from in a
            second round (DCSP); the images need annotations.
        probabilities: Also write the soft scores that the predictions are made from.
        submission: Archive of the predictions for VOC's evaluation server (.tar.gz); None is none.
        checkpoint_every: Iterations between checkpoints; there is one a minute, too.
        tensorboard: Also log for TensorBoard.
    """

    saves_memory: ClassVar[str] = (
        "for training lower --crop or --batch-size (--accumulate keeps the step what it is), for "
        "predicting the largest of --scales"
    )
    added: ClassVar[frozenset[str]] = frozenset({"train_split"})

    extras: ClassVar[frozenset[str]] = frozenset({"probabilities", "submission", "tensorboard"})

    proxy: Path | None = None
    train_split: str | None = None
    model: str | None = None
    weights: str | None = None
    supervision: str = "proxy"
    prohibitive: bool = False
    attention: Path | None = None
    iterations: int = 16000
    batch_size: int = 10
    accumulate: int = 1
    lr: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 0.0005
    crop: int = 321
    scale_low: float = 0.7
    scale_high: float = 1.3
    frozen_blocks: int = 0
    checkpoint: Path | None = None
    split: str = "val"
    scales: tuple[float, ...] | None = None
    flip: bool = True
    merge: str = "mean"
    crf: str | None = None
    restrict_to_labels: bool = False
    probabilities: bool = False
    submission: Path | None = None
    checkpoint_every: int = 200
    tensorboard: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model is not None:
            choice("model", self.model, tuple(SEGMENTATION_MODELS))
        choice("supervision", self.supervision, SUPERVISIONS)
        check(
            self.attention is None or self.prohibitive,
            "attention",
            "is read with --prohibitive only; pass that too, or leave --attention out",
        )
        for field in ("iterations", "batch_size", "accumulate", "checkpoint_every"):
            check(getattr(self, field) > 0, field, "must be above 0")
        check(self.crop >= 32, "crop", "must be 32 or more")
        check(self.lr > 0, "lr", "must be above 0")
        check(0 <= self.momentum < 1, "momentum", "must be in [0, 1)")
        check(self.weight_decay >= 0, "weight_decay", "must be 0 or more")
        check(0 < self.scale_low <= self.scale_high, "scale_low", "must be at most --scale-high")
        check(0 <= self.frozen_blocks <= 4, "frozen_blocks", "must be 0 to 4")
        if self.scales is not None:
            check(
                len(self.scales) > 0 and all(0 < scale <= 16 for scale in self.scales),
                "scales",
                "must be above 0 and at most 16",
            )
            check(len(set(self.scales)) == len(self.scales), "scales", "must be different numbers")
        choice("merge", self.merge, MERGES)
        check(
            self.submission is None or self.submission.name.endswith(".tar.gz"),
            "submission",
            f"must be named .tar.gz, not {self.submission}",
        )
        check(
            self.checkpoint is None or not self.tensorboard,
            "tensorboard",
            "is of a training, and with --checkpoint nothing is trained; leave it out",
        )
        if self.crf is not None:
            choice("crf", self.crf, tuple(PRESETS))

    def idle(self) -> frozenset[str]:
        """With a single view there is nothing to merge; a trained network is not trained."""
        alone = {"merge"} if len(self.scales or ()) == 1 and not self.flip else set()
        return frozenset(alone if self.checkpoint is None else {*alone, *OF_TRAINING})
