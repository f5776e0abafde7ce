"""Settings of ``wsss train``: the attention network."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.common import CommonConfig, check, choice
from wsss_cli.configs.methods import METHODS

BACKBONES = ("vgg16", "tiny")


@dataclass(frozen=True)
class TrainConfig(CommonConfig):
    """Settings of the attention network's training.

    The numbers are those of the SeeNet paper (section 4.1) where it gives them.

    Attributes:
        method: Attention system, a name of the table of methods.
        backbone: Trunk of the network.
        weights: Initial weights of the trunk: ``imagenet``, ``none`` or a file; None is
            ``imagenet`` for vgg16 and ``none`` for tiny.
        start: Checkpoint of another training to go on from: its trunk and its heads; a head that
            it has not starts from its S_A.
        split: List of training images; None is ``train_aug`` where it exists, else ``train``.
        iterations: Steps of the optimiser.
        batch_size: Images a step.
        lr: Learning rate of weights; biases learn twice as fast.
        lr_steps: Iterations at which the learning rate is divided by ten.
        weight_decay: Weight decay; biases do not decay.
        momentum: Momentum of stochastic gradient descent.
        crop: Side of the random square crops, in pixels.
        frozen_blocks: Leading blocks of the trunk that keep their initial weights.
        head_channels: Channels of the heads' 3x3 convolutions (1024 in ACoL); None is as many as
            the trunk has, as in SeeNet.
        delta_high: Prior above which SeeNet erases a position.
        delta_low: Prior below which a position is background to SeeNet.
        delta_background: Prior below which S_C must find nothing; None is the middle of the two
            above, as in the paper.
        sign_flip: Reverse the background's sign; otherwise set it to zero.
        background_branch: Train S_C, which must find nothing on the background.
        share_background_head: Let S_C use S_B's weights, as the released model suggests.
        acol_threshold: Prior from which on ACoL erases a position.
        gain_sigma: Attention, of its maximum, at which GAIN masks a pixel by half.
        gain_omega: Steepness of GAIN's mask around ``gain_sigma``.
        gain_alpha: Weight of GAIN's attention mining loss.
        erase: Attention file of the round before; what it found is erased from the images.
        erase_threshold: Share of a map's maximum above which it is erased; 0.8 is AE-PSL's, from
            memory of the paper.
        checkpoint_every: Iterations between checkpoints; there is one a minute, too.
        held_out: Share of the training list that is not learnt from, to measure the mAP on; None
            measures on the list ``val`` where it has labels, else holds out a tenth of 50 images or
            more; 0 measures nothing.
        snapshot_every: Iterations between snapshots of the network that are kept; 0 keeps none.
        tensorboard: Also log for TensorBoard.
    """

    saves_memory: ClassVar[str] = "lower --batch-size or --crop"
    added: ClassVar[frozenset[str]] = frozenset({"delta_background"})

    extras: ClassVar[frozenset[str]] = frozenset({"snapshot_every", "tensorboard"})

    method: str = "seenet"
    backbone: str = "vgg16"
    weights: str | None = None
    start: Path | None = None
    split: str | None = None
    iterations: int = 25000
    batch_size: int = 16
    lr: float = 0.001
    lr_steps: tuple[int, ...] = (15000,)
    weight_decay: float = 0.0002
    momentum: float = 0.9
    crop: int = 224
    frozen_blocks: int = 0
    head_channels: int | None = None
    delta_high: float = 0.7
    delta_low: float = 0.05
    delta_background: float | None = None
    sign_flip: bool = True
    background_branch: bool = True
    share_background_head: bool = True
    acol_threshold: float = 0.6
    gain_sigma: float = 0.5
    gain_omega: float = 10.0
    gain_alpha: float = 1.0
    erase: Path | None = None
    erase_threshold: float = 0.8
    held_out: float | None = None
    checkpoint_every: int = 200
    snapshot_every: int = 0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("method", self.method, tuple(METHODS))
        choice("backbone", self.backbone, BACKBONES)
        check(
            self.start is None or self.weights is None,
            "weights",
            "are the trunk's at the start, and --start brings its own; leave one of them out",
        )
        for name, owner in self._of_other_methods().items():
            check(
                getattr(self, name) == getattr(TrainConfig, name),
                name,
                f"belongs to the method {owner}, not to {self.method}; leave it out or choose "
                "another --method",
            )
        for field in ("iterations", "batch_size", "checkpoint_every"):
            check(getattr(self, field) > 0, field, "must be above 0")
        held_out = self.held_out
        check(held_out is None or 0 <= held_out <= 0.5, "held_out", "must be between 0 and 0.5")
        check(self.snapshot_every >= 0, "snapshot_every", "must be 0 or more")
        check(self.crop >= 32, "crop", "must be 32 or more")
        check(self.lr > 0, "lr", "must be above 0")
        check(self.weight_decay >= 0, "weight_decay", "must be 0 or more")
        check(0 <= self.momentum < 1, "momentum", "must be in [0, 1)")
        check(0 <= self.frozen_blocks <= 4, "frozen_blocks", "must be 0 to 4")
        check(all(a < b for a, b in pairwise((0, *self.lr_steps))), "lr_steps", "must be ascending")
        check(0 <= self.erase_threshold <= 1, "erase_threshold", "must be in [0, 1]")
        check(
            0 <= self.delta_low < self.delta_high <= 1,
            "delta_low",
            f"must be below --delta-high, both in [0, 1]; they are {self.delta_low} and "
            f"{self.delta_high}",
        )
        background = self.delta_background
        check(
            background is None or 0 < background <= 1,
            "delta_background",
            "must be above 0 and at most 1",
        )
        check(
            background is None or self.background_branch,
            "delta_background",
            "is of S_C, which --no-background-branch leaves out; give one of them",
        )
        channels = self.head_channels
        check(channels is None or channels > 0, "head_channels", "must be above 0")
        # At 0 even an image in which nothing has been found would be erased as a whole.
        check(0 < self.acol_threshold <= 1, "acol_threshold", "must be above 0 and at most 1")
        check(0 <= self.gain_sigma <= 1, "gain_sigma", "must be in [0, 1]")
        check(self.gain_omega > 0, "gain_omega", "must be above 0")
        check(self.gain_alpha >= 0, "gain_alpha", "must be 0 or more")

    def idle(self) -> frozenset[str]:
        """The settings of other methods, of erasing and of holding out where there is none."""
        erasing = {"erase_threshold"} if self.erase is None else set()
        measuring = set() if self.held_out else {"held_out"}
        return frozenset({*self._of_other_methods(), *erasing, *measuring})

    def _of_other_methods(self) -> dict[str, str]:
        """Settings that another method owns, with its name."""
        others = {name: method for name, method in METHODS.items() if name != self.method}
        return {option: name for name, method in others.items() for option in method.options}
