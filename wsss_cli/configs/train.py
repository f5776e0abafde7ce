"""Settings of ``wsss train``: the attention network."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.backbones import BACKBONES, weights_of
from wsss_cli.configs.common import (
    HOW,
    CommonConfig,
    OverwriteConfig,
    PrecisionConfig,
    SeedConfig,
)
from wsss_cli.configs.methods import METHODS, MethodOptions
from wsss_cli.configs.presets import PRESETS
from wsss_cli.configs.schedule import polynomial_share
from wsss_cli.configs.setting import Role, any_of, check, setting

SCHEDULE = "Training schedule"
TRACKERS = ("tensorboard", "mlflow", "wandb")
"""Where a training may log to as well: also the names of the packages and of our extras."""
# Values that the settings have where they are not given.
_IMPLIED = {
    "loss_reduction": "sum",
    "lr_policy": "step",
    "warmup": 0,
    "head_lr_factor": 1.0,
    "colour_jitter": 0.0,
    "scale_low": 1.0,
    "scale_high": 1.0,
    "heads_only": False,
}
_OF_RANDOM_VIEWS = ("scale_low", "scale_high", "colour_jitter")
# Why some change nothing beside others, and what to do.
_BY_STEPS = ("belongs to --lr-policy step, not to poly", "leave one of them out")
_OF_BACKGROUND = ("is of S_C, which --no-background-branch leaves out", "give one of them")
# Why --frozen-blocks changes nothing with --heads-only, and what to do.
NONE_LEARNS = (
    "keeps blocks from learning, and with --heads-only none of them learns",
    "leave one of them out",
)


@dataclass(frozen=True)
class TrainConfig(MethodOptions, OverwriteConfig, CommonConfig, PrecisionConfig, SeedConfig):
    r"""Train an attention network on image-level labels.

    Examples:
      wsss train --data VOC2012
      wsss train --data VOC2012 --weights vgg16_features.pth --iterations 2000 --lr-steps 1500
      wsss train --data VOC2012 --method eps --saliency saliency_maps --preset fine
      wsss train --data photos --method eps --preset quick
      wsss train --saliency runs/default/attend/attention.h5 --data photos --method eps \
                 --preset quick --run runs/2
      wsss train --data VOC2012 --method cam --run runs/cam
      wsss train --data VOC2012 --method acol --head-channels 1024 --run runs/acol
      wsss train --start runs/cam/train/checkpoint.pt --data VOC2012 --lr 3e-4 --iterations 500
      wsss train --data VOC2012 --method aepsl --erase runs/1/attend/attention.h5 --run runs/2

    Writes RUN/train: checkpoint.pt, while it runs metrics.jsonl and, with --snapshot-every N, the
    network at every N-th iteration as snapshots/000500.pt, which wsss attend --checkpoint reads.
    Tells at intervals and at the end the mAP on images that are not learned from, which needs no
    masks; attend covers those images all the same.
    Ctrl-C or SIGTERM keeps the step it is in; the same command goes on from there. Where the loss
    became NaN, the same command with a lower --lr goes on from the last good state. The numbers
    are those of the SeeNet paper (section 4.1) where it gives them.
    """

    saves_memory: ClassVar[str] = "lower --batch-size or --crop"

    method: str = setting("seenet", "Attention system.", choices=tuple(METHODS))
    preset: str | None = setting(
        None,
        "Settings that go together, wherever no other is given: quick learns linear heads in "
        "minutes on two cores, of cam unless --method says another; fine draws the best maps.",
        role=Role.WORK,
        choices=tuple(PRESETS["train"]),
        unset="the paper's",
    )
    backbone: str = setting("vgg16", "Trunk of the network.", choices=tuple(BACKBONES))
    output_stride: int | None = setting(
        None,
        "Pixels of the image per position of the trunk's features; 8 draws finer maps and takes "
        "longer.",
        unset="16; 8 for tiny",
        later=True,
    )
    weights: str | None = setting(
        None,
        "Initial weights of the trunk: imagenet, none or a file of tensors.",
        role=Role.INPUT,
        words=("imagenet", "none"),
        variable="WSSS_WEIGHTS",
        instead=("start",),
        unset="imagenet; none for tiny",
    )
    start: Path | None = setting(
        None,
        "Checkpoint of another training to go on from, of any method: its trunk and its heads; a "
        "head that it lacks starts from its S_A.",
        role=Role.INPUT,
        unset="--weights",
    )
    split: str | None = setting(
        None, "List of training images.", unset="train_aug if there, else train"
    )
    held_out: float | None = setting(
        None,
        "Share of the training images to measure the mAP on instead of learning from them; 0 "
        "measures nothing.",
        at_least=0,
        at_most=0.5,
        unset="the list val, else 0.1",
    )
    snapshot_every: int = setting(
        0,
        "Iterations between snapshots of the network to keep; 0 keeps none.",
        role=Role.EXTRA,
        at_least=0,
    )
    tracker: str | None = setting(
        None,
        "Also log to TensorBoard (in the folder tensorboard), MLflow or Weights & Biases.",
        role=Role.EXTRA,
        choices=TRACKERS,
        unset="none",
    )
    iterations: int = setting(25000, "Steps of the optimiser.", above=0, group=SCHEDULE)
    batch_size: int = setting(16, "Batch size.", above=0, group=SCHEDULE)
    loss_reduction: str | None = setting(
        None,
        "Sum or mean of the classification loss over the classes; with the mean, a learning rate "
        "as many times larger makes the same step.",
        choices=("sum", "mean"),
        unset="sum",
        later=True,
        group=SCHEDULE,
    )
    lr: float = setting(
        0.001, "Learning rate of weights; biases learn twice as fast.", above=0, group=SCHEDULE
    )
    lr_steps: tuple[int, ...] = setting(
        (15000,),
        "Iteration at which the learning rate is divided by ten. Give it several times.",
        group=SCHEDULE,
    )
    lr_policy: str | None = setting(
        None,
        "How the learning rate falls: divided by ten at --lr-steps, or polynomially (power 0.9) "
        "to 0.",
        choices=("step", "poly"),
        unset="step",
        later=True,
        group=SCHEDULE,
    )
    warmup: int | None = setting(
        None,
        "Iterations in which the learning rate rises to its value; a preset's are at most a tenth "
        "of --iterations.",
        at_least=0,
        unset="0",
        later=True,
        group=SCHEDULE,
    )
    head_lr_factor: float | None = setting(
        None,
        "Learning rate of the heads, which are new, as a factor of the trunk's.",
        above=0,
        unset="1",
        later=True,
        group=SCHEDULE,
    )
    clip_norm: float | None = setting(
        None,
        "Largest norm of the gradient; a larger one is scaled down.",
        above=0,
        unset="no limit",
        later=True,
        group=SCHEDULE,
    )
    weight_decay: float = setting(
        0.0002, "Weight decay; biases do not decay.", at_least=0, group=SCHEDULE
    )
    momentum: float = setting(
        0.9,
        "Momentum of stochastic gradient descent.",
        at_least=0,
        below=1,
        group=SCHEDULE,
    )
    crop: int = setting(
        224, "Side of the random square crops, in pixels.", at_least=32, group=SCHEDULE
    )
    scale_low: float | None = setting(
        None,
        "Smallest random scale: the shorter side is 8/7 of --crop times it, at least --crop.",
        above=0,
        at_most=16,
        unset="1",
        later=True,
        group=SCHEDULE,
    )
    scale_high: float | None = setting(
        None,
        "Largest random scale.",
        above=0,
        at_most=16,
        unset="1",
        later=True,
        group=SCHEDULE,
    )
    colour_jitter: float | None = setting(
        None,
        "Random change of brightness, contrast and saturation, as a share of each.",
        at_least=0,
        at_most=1,
        unset="0",
        later=True,
        group=SCHEDULE,
    )
    frozen_blocks: int = setting(
        0,
        "Leading blocks of the trunk that keep their initial weights; 2 save a third of the time.",
        at_least=0,
        at_most=4,
        group=SCHEDULE,
    )
    heads_only: bool = setting(
        False,
        "Learn the heads alone: every image, resized to a square of --crop, passes the trunk once, "
        "and heads learn from these features and their mirror images.",
        group=SCHEDULE,
    )
    head_channels: int | None = setting(
        None,
        "Channels of the heads' 3x3 convolutions (1024 in ACoL); 0 leaves them out, so that heads "
        "are linear.",
        at_least=0,
        unset="as many as the trunk has, at most 512",
    )
    erase: Path | None = setting(
        None,
        "Attention file of the round before: erase from the images what it shows.",
        role=Role.INPUT,
        unset="whole images",
        group="Erasing in rounds",
    )
    erase_threshold: float = setting(
        0.8,  # AE-PSL's, from memory of the paper
        "Share of a map's maximum above which it is erased.",
        at_least=0,
        at_most=1,
        group="Erasing in rounds",
    )
    checkpoint_every: int = setting(
        200,
        "Iterations between checkpoints; there is one a minute, too.",
        role=Role.WORK,
        above=0,
        group=HOW,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self.start is None or self.weights is None,
            "weights",
            "are the trunk's at the start, and --start brings its own; leave one of them out",
        )
        strides = BACKBONES[self.backbone].output_strides
        check(
            self.output_stride is None or self.output_stride in strides,
            "output_stride",
            f"of {self.backbone} can be {any_of([str(stride) for stride in strides])}, not "
            f"{self.output_stride}",
        )
        low, high = self.scales
        check(low <= high, "scale_low", f"must be at most --scale-high; they are {low} and {high}")
        check(all(a < b for a, b in pairwise((0, *self.lr_steps))), "lr_steps", "must be ascending")
        by_steps = self.lr_policy != "poly" or self.lr_steps == TrainConfig.lr_steps
        check(by_steps, "lr_steps", *_BY_STEPS)
        check(
            not self.heads_only or METHODS[self.method].from_features,
            "heads_only",
            f"is not for {self.method}, which needs more of an image than the trunk's features",
            "choose another --method or leave it out",
        )
        for name in _OF_RANDOM_VIEWS:
            check(
                not self.heads_only or getattr(self, name) is None,
                name,
                "changes the views of an image, and with --heads-only there is one",
                "leave one of them out",
            )
        check(
            self.delta_low < self.delta_high,
            "delta_low",
            f"must be below --delta-high; they are {self.delta_low} and {self.delta_high}",
        )
        background = self.delta_background is None or self.background_branch
        check(background, "delta_background", *_OF_BACKGROUND)

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """What belongs to another method, to erasing or to a trunk that learns."""
        without = super().without_effect()
        if self.erase is None:
            without["erase_threshold"] = (
                "says how much of --erase FILE is erased, and no file is given",
                "give one, or leave --erase-threshold out",
            )
        if self.heads_only:
            without["frozen_blocks"] = NONE_LEARNS
        if self.lr_policy == "poly":
            without["lr_steps"] = _BY_STEPS
        if not METHODS[self.method].hidden_layers:
            without["head_channels"] = (
                f"is the width of hidden layers, and the heads of {self.method} have none",
                "leave it out or choose another --method",
            )
        if not self.background_branch and self.method == "seenet":
            without["share_background_head"] = _OF_BACKGROUND
        return without

    def check_command(self) -> None:
        """Refuse a warmup without an end, and heads alone on a trunk that has learned nothing."""
        check(
            not self.warmup or self.warmup < self.iterations,
            "warmup",
            f"must be below --iterations; they are {self.warmup} and {self.iterations}",
        )
        if not self.heads_only or self.start is not None:
            return
        untrained = (
            f"{self.backbone} is none without --weights FILE"
            if self.weights is None
            else "--weights is none"
        )
        check(
            weights_of(self.weights, self.backbone) != "none",
            "heads_only",
            f"learns from what a pretrained trunk sees, and {untrained}",
            "give --weights or --start, or leave --heads-only out",
        )

    @property
    def scales(self) -> tuple[float, float]:
        """Range of the random scale."""
        return self.scale_low or 1.0, self.scale_high or 1.0

    def learning_rate(self, iteration: int) -> float:
        """Learning rate of weights in an iteration, counted from 0."""
        if self.lr_policy == "poly":
            share = polynomial_share(iteration, self.iterations)
        else:
            share = 0.1 ** bisect_right(self.lr_steps, iteration)
        if self.warmup and iteration < self.warmup:
            share *= (iteration + 1) / self.warmup
        return self.lr * float(share)

    @property
    def reduction(self) -> str:
        """Reduction of the classification loss over the classes."""
        return self.loss_reduction or "sum"

    @property
    def stride(self) -> int:
        """Output stride of the trunk."""
        return self.output_stride or BACKBONES[self.backbone].output_strides[0]

    def idle(self) -> frozenset[str]:
        """The settings that change nothing, or that say what goes without saying."""
        erasing = {"erase_threshold"} if self.erase is None else set()
        measuring = set() if self.held_out else {"held_out"}
        steps = {"lr_steps"} if self.lr_policy == "poly" else set()
        strides = BACKBONES[self.backbone].output_strides
        implied = {**_IMPLIED, "output_stride": strides[0]}
        unsaid = {name for name, value in implied.items() if getattr(self, name) == value}
        frozen = {"frozen_blocks"} if self.heads_only else set()
        # None stays in the fingerprint, where results have it that were made before.
        linear = not METHODS[self.method].hidden_layers and self.head_channels is not None
        width = {"head_channels"} if linear else set()
        return frozenset({*erasing, *measuring, *steps, *frozen, *width, *unsaid})
