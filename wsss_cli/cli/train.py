"""``wsss train``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.train import BACKBONES, TrainConfig


@stage_command(TrainConfig, render.train)
def train(
    data: options.Data = TrainConfig.data,
    run: options.Run = TrainConfig.run,
    method: Annotated[
        str, Option(help=f"Attention system: {', '.join(METHODS)}.")
    ] = TrainConfig.method,
    backbone: Annotated[
        str, Option(help=f"Trunk of the network: {', '.join(BACKBONES)}.")
    ] = TrainConfig.backbone,
    weights: options.Weights = TrainConfig.weights,
    start: Annotated[
        Path | None,
        Option(
            help="Checkpoint of another training to go on from, with any method.",
            show_default="--weights",
        ),
    ] = TrainConfig.start,
    split: Annotated[
        str | None,
        Option(help="List of training images.", show_default="train_aug if there, else train"),
    ] = TrainConfig.split,
    iterations: Annotated[int, Option(help="Steps of the optimiser.")] = TrainConfig.iterations,
    batch_size: Annotated[int, Option(help="Images a step.")] = TrainConfig.batch_size,
    lr: Annotated[float, Option(help="Learning rate.")] = TrainConfig.lr,
    lr_steps: Annotated[
        list[int], Option(help="Iteration at which it is divided by ten (give several times).")
    ] = list(TrainConfig.lr_steps),  # noqa: B006 - Typer copies it
    weight_decay: Annotated[float, Option(help="Of weights.")] = TrainConfig.weight_decay,
    momentum: Annotated[float, Option(help="Of gradient descent.")] = TrainConfig.momentum,
    crop: Annotated[int, Option(help="Side of the square crops, in pixels.")] = TrainConfig.crop,
    frozen_blocks: options.FrozenBlocks = TrainConfig.frozen_blocks,
    head_channels: Annotated[
        int | None,
        Option(
            help="Channels of the heads' 3x3 convolutions (1024 in ACoL).",
            show_default="as many as the trunk has",
        ),
    ] = TrainConfig.head_channels,
    delta_high: Annotated[
        float, Option(help="SeeNet: prior above which a position is erased.")
    ] = TrainConfig.delta_high,
    delta_low: Annotated[
        float, Option(help="SeeNet: prior below which a position is background.")
    ] = TrainConfig.delta_low,
    delta_background: Annotated[
        float | None,
        Option(
            help="SeeNet: prior below which S_C must find nothing.",
            show_default="the middle of the two above",
        ),
    ] = TrainConfig.delta_background,
    sign_flip: Annotated[
        bool, Option(help="SeeNet: reverse the background's sign, or set it to zero.")
    ] = TrainConfig.sign_flip,
    background_branch: Annotated[
        bool, Option(help="SeeNet: train S_C to find nothing on the background.")
    ] = TrainConfig.background_branch,
    share_background_head: Annotated[
        bool, Option(help="SeeNet: let S_C use S_B's weights.")
    ] = TrainConfig.share_background_head,
    acol_threshold: Annotated[
        float, Option(help="ACoL: prior from which on a position is erased.")
    ] = TrainConfig.acol_threshold,
    gain_sigma: Annotated[
        float, Option(help="GAIN: attention at which a pixel is masked by half.")
    ] = TrainConfig.gain_sigma,
    gain_omega: Annotated[
        float, Option(help="GAIN: steepness of the mask there.")
    ] = TrainConfig.gain_omega,
    gain_alpha: Annotated[
        float, Option(help="GAIN: weight of the attention mining loss.")
    ] = TrainConfig.gain_alpha,
    erase: Annotated[
        Path | None,
        Option(
            help="Attention of the round before: erase what it found from the images.",
            show_default="whole images",
        ),
    ] = TrainConfig.erase,
    erase_threshold: Annotated[
        float, Option(help="Share of a map's maximum above which it is erased.")
    ] = TrainConfig.erase_threshold,
    held_out: Annotated[
        float | None,
        Option(
            help="Share of the training images to measure the mAP on instead of learning from "
            "them; 0 measures nothing.",
            show_default="the list val, else 0.1",
        ),
    ] = TrainConfig.held_out,
    checkpoint_every: options.CheckpointEvery = TrainConfig.checkpoint_every,
    snapshot_every: Annotated[
        int, Option(help="Iterations between snapshots of the network to keep; 0 keeps none.")
    ] = TrainConfig.snapshot_every,
    tensorboard: options.TensorBoard = TrainConfig.tensorboard,
) -> None:
    """Train an attention network on image-level labels.

    \b
    Examples:
      wsss train --data VOC2012
      wsss train --data VOC2012 --weights vgg16_features.pth --iterations 2000 --lr-steps 1500
      wsss train --data VOC2012 --method cam --run runs/cam
      wsss train --data VOC2012 --method acol --head-channels 1024 --run runs/acol
      wsss train --start runs/cam/train/checkpoint.pt --data VOC2012 --lr 3e-4 --iterations 500
      wsss train --data VOC2012 --method aepsl --erase runs/1/attend/attention.h5 --run runs/2

    Writes RUN/train: checkpoint.pt, while it runs metrics.jsonl and, with --snapshot-every N, the
    network at every N-th iteration as snapshots/000500.pt, which wsss attend --checkpoint reads.
    Tells at intervals and at the end the mAP on images that are not learnt from, which needs no
    masks; attend covers those images all the same.
    Ctrl-C or SIGTERM keeps the step it is in; the same command goes on from there. Where the loss
    became NaN, the same command with a lower --lr goes on from the last good state.
    """  # noqa: D301
