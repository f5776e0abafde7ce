"""Settings of ``wsss segment``: a segmentation network trained on proxies."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.common import CommonConfig, OverwriteConfig, PrecisionConfig, SeedConfig
from wsss_cli.configs.crf import PRESETS as CRF_PRESETS
from wsss_cli.configs.presets import PRESETS
from wsss_cli.configs.scales import CANDIDATE_SCALES, check_scales
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.configs.setting import Role, check, same_as, setting, settings_of
from wsss_cli.configs.train import NONE_LEARNS, TrainConfig

SUPERVISIONS = ("proxy", "full")
LABEL_CORRECTIONS = ("adele",)
MERGES = ("mean", "max")
_TRAINING, PREDICTION = "Training", "Prediction"
# Why some change nothing beside others, and what to do.
_OF_TRAINING = ("is of a training, and with --checkpoint nothing is trained", "leave it out")
_CANDIDATES = ", ".join(map(str, CANDIDATE_SCALES))


@dataclass(frozen=True)
class SegmentConfig(OverwriteConfig, CommonConfig, PrecisionConfig, SeedConfig):
    """Train a segmentation network on proxies, then predict.

    Examples:
      wsss segment
      wsss segment --preset quick
      wsss segment --batch-size 5 --accumulate 2
      wsss segment --supervision full --run runs/ceiling --data VOC2012
      wsss segment --checkpoint runs/default/segment/checkpoint.pt --data VOC2012 \\
                   --split train --restrict-to-labels --run runs/again
      wsss segment --checkpoint runs/default/segment/checkpoint.pt --data VOC2012 \\
                   --split test --crf deeplab-v2 --submission test.tar.gz --run runs/test
      wsss segment --checkpoint runs/default/segment/checkpoint.pt --data VOC2012 \\
                   --classifier runs/default/train/checkpoint.pt --run runs/weighed

    Writes RUN/segment: checkpoint.pt, metrics.jsonl and predictions/ID.png; with --probabilities
    also scores.h5, with "ID/scores" (L, h, w) for every image ID, stored in shards. With
    --submission also that archive, of any --split; the server takes all of test. Stopped, it
    continues when the same command is run again.
    The solver is the one of the SeeNet authors' group.
    """  # noqa: D301

    saves_memory: ClassVar[str] = (
        "for training lower --crop or --batch-size (--accumulate keeps the step what it is), for "
        "predicting the largest of --scales"
    )

    preset: str | None = setting(
        None,
        "Settings that go together, wherever no other is given: quick learns, in minutes on two "
        "cores, scores linear in what a frozen trunk sees of photographs of half their size.",
        role=Role.WORK,
        choices=tuple(PRESETS["segment"]),
        unset="the schedule of SeeNet's authors",
        group=_TRAINING,
    )
    model: str | None = setting(
        None,
        "Network.",
        choices=tuple(SEGMENTATION_MODELS),
        unset="that of the training's trunk",
    )
    weights: str | None = same_as(
        TrainConfig,
        "weights",
        unset="those of the training of the same backbone, else imagenet",
        instead=("checkpoint",),
    )
    checkpoint: Path | None = setting(
        None, "Trained segmentation network: only predict.", role=Role.INPUT
    )
    proxy: Path | None = setting(
        None,
        "Folder of label maps to learn from.",
        role=Role.INPUT,
        unset="RUN/proxy/labels",
        group=_TRAINING,
    )
    corrected: Path | None = setting(
        None,
        "Folder of label maps, as ID.png, that people have corrected; they take the place of the "
        "proxy labels of the same images.",
        role=Role.INPUT,
        group=_TRAINING,
    )
    pixel_weights: Path | None = setting(
        None,
        "Folder of grey ID.png: how much each pixel counts in the loss, 255 for a weight of 1; "
        "`wsss crf --uncertainty` writes some.",
        role=Role.INPUT,
        unset="1 for every pixel",
        group=_TRAINING,
    )
    label_correction: str | None = setting(
        None,
        "Correct the labels while learning from them: adele puts what the network predicts with "
        "confidence in their place, class by class, once it agrees with them hardly better from "
        "one pass over the images to the next.",
        choices=LABEL_CORRECTIONS,
        unset="none",
        later=True,
        group=_TRAINING,
    )
    train_split: str | None = setting(
        None,
        "List of images to learn from, all of which must have a label map.",
        unset="that of the run's training",
        later=True,
        group=_TRAINING,
    )
    supervision: str = setting(
        "proxy",
        "Labels to learn from; full are the true masks, the ceiling to compare with.",
        choices=SUPERVISIONS,
        group=_TRAINING,
    )
    prohibitive: bool = setting(
        False,
        "Learn also from its own scores, weighted by the attention network's (AE-PSL).",
        group=_TRAINING,
    )
    attention: Path | None = setting(
        None,
        "Attention file with the class scores of --prohibitive.",
        role=Role.INPUT,
        unset="RUN/attend/attention.h5",
        group=_TRAINING,
    )
    iterations: int = setting(16000, "Steps of the optimiser.", above=0, group=_TRAINING)
    batch_size: int = setting(10, "Batch size.", above=0, group=_TRAINING)
    accumulate: int = setting(1, "Batches whose gradients make one step.", above=0, group=_TRAINING)
    lr: float = setting(
        0.001,
        "Learning rate at the start; it falls polynomially (power 0.9) to 0.",
        above=0,
        group=_TRAINING,
    )
    momentum: float = same_as(TrainConfig, "momentum", group=_TRAINING)
    weight_decay: float = setting(
        0.0005, "Weight decay; biases do not decay.", at_least=0, group=_TRAINING
    )
    crop: int = setting(
        321, "Side of the random square crops, in pixels.", at_least=32, group=_TRAINING
    )
    scale_low: float = setting(
        0.7, "Smallest random scale of the training.", above=0, group=_TRAINING
    )
    scale_high: float = setting(
        1.3, "Largest random scale of the training.", above=0, group=_TRAINING
    )
    frozen_blocks: int = same_as(TrainConfig, "frozen_blocks", group=_TRAINING)
    heads_only: bool = setting(
        False,
        "Learn fc6, fc7 and the score layer alone: one random view of each image passes the trunk "
        "once, and they learn from these features.",
        group=_TRAINING,
    )
    head_channels: int | None = setting(
        None,
        "Channels of fc6 and fc7; 0 leaves both out, so that scores are linear in the features.",
        at_least=0,
        unset="1024, 96 of tiny",
        later=True,
        group=_TRAINING,
    )
    tracker: str | None = same_as(TrainConfig, "tracker")
    split: str = setting("val", "List of images to predict.", group=PREDICTION)
    scales: tuple[float, ...] | None = setting(
        None,
        "Factor of the photograph's sides to look at. Give it several times.",
        above=0,
        at_most=16,
        unset=f"those of {_CANDIDATES} from --scale-low to --scale-high of the training",
        group=PREDICTION,
    )
    flip: bool = setting(True, "Also look at the mirrored views.", group=PREDICTION)
    merge: str = setting(
        "mean", "How the logits of all views become one.", choices=MERGES, group=PREDICTION
    )
    crf: str | None = setting(
        None,
        "Refine the predictions by a dense CRF with the settings of a published system.",
        choices=tuple(CRF_PRESETS),
        unset="none",
        group=PREDICTION,
    )
    restrict_to_labels: bool = setting(
        False,
        "Predict background and the image's own labels only, to learn from in a second round "
        "(DCSP); the images need annotations.",
        group=PREDICTION,
    )
    classifier: Path | None = setting(
        None,
        "Trained attention network (checkpoint.pt of wsss train): how likely it finds a class in "
        "the photograph weighs the class at all pixels.",
        role=Role.INPUT,
        unset="none",
        group=PREDICTION,
    )
    probabilities: bool = setting(
        False, "Also write the soft scores, as HDF5.", role=Role.EXTRA, group=PREDICTION
    )
    submission: Path | None = setting(
        None,
        "Also pack the predictions for VOC's evaluation server, as .tar.gz.",
        role=Role.EXTRA,
        unset="none",
        group=PREDICTION,
    )
    checkpoint_every: int = same_as(TrainConfig, "checkpoint_every")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self.attention is None or self.prohibitive,
            "attention",
            "is read with --prohibitive only; pass that too, or leave --attention out",
        )
        check(
            self.corrected is None or (self.supervision == "proxy" and self.checkpoint is None),
            "corrected",
            "is mixed with proxy labels to learn from; leave it out with --supervision full and "
            "with --checkpoint",
        )
        check(
            not self.heads_only or self.weights != "none",
            "heads_only",
            "learns from what a pretrained trunk sees, and --weights is none",
            "give weights, or leave --heads-only out",
        )
        for name in ("pixel_weights", "tracker"):
            trained = getattr(self, name) is None or self.checkpoint is None
            check(trained, name, *_OF_TRAINING)
        check(
            self.scale_low <= self.scale_high,
            "scale_low",
            f"must be at most --scale-high; they are {self.scale_low} and {self.scale_high}",
        )
        check(
            self.classifier is None or not self.restrict_to_labels,
            "classifier",
            "says which classes a photograph may show, and --restrict-to-labels knows them; leave "
            "one of them out",
        )
        if self.scales is not None:
            check_scales(self.scales)
        check(
            self.submission is None or self.submission.name.endswith(".tar.gz"),
            "submission",
            f"must be named .tar.gz, not {self.submission}",
        )

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """What says how to train where nothing is trained; what is learned from otherwise."""
        without = super().without_effect()
        if self.supervision == "full":
            without["proxy"] = (
                "is not learned from with --supervision full, which takes the true masks",
                "leave one of them out",
            )
        if self.heads_only:
            without["frozen_blocks"] = NONE_LEARNS
        if self.checkpoint is not None:
            names = (*_training_names(), "weights", "tracker", "checkpoint_every")
            without |= dict.fromkeys(names, _OF_TRAINING)
        return without

    def idle(self) -> frozenset[str]:
        """With a single view there is nothing to merge; a trained network is not trained."""
        single = {"merge"} if len(self.scales or ()) == 1 and not self.flip else set()
        single |= {"frozen_blocks"} if self.heads_only else {"heads_only"}
        if self.checkpoint is None:
            return frozenset(single)
        return frozenset({"seed", *_training_names(), *single})


def _training_names() -> list[str]:
    """The settings under the heading of the training."""
    return [field.name for field, about in settings_of(SegmentConfig) if about.group == _TRAINING]
