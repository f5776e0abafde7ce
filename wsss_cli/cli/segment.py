"""``wsss segment``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.scales import CANDIDATE_SCALES
from wsss_cli.configs.segment import MERGES, SUPERVISIONS, SegmentConfig
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS


@stage_command(SegmentConfig, render.segment)
def segment(
    data: options.Data = SegmentConfig.data,
    run: options.Run = SegmentConfig.run,
    proxy: Annotated[
        Path | None,
        Option(help="Folder of label maps to learn from.", show_default="RUN/proxy/labels"),
    ] = SegmentConfig.proxy,
    train_split: Annotated[
        str | None,
        Option(help="List of images to learn from.", show_default="that of the run's training"),
    ] = SegmentConfig.train_split,
    model: Annotated[
        str | None,
        Option(
            help=f"Network: {', '.join(SEGMENTATION_MODELS)}.",
            show_default="that of the training's trunk",
        ),
    ] = SegmentConfig.model,
    weights: options.Weights = SegmentConfig.weights,
    supervision: Annotated[
        str, Option(help=f"Labels to learn from: {', '.join(SUPERVISIONS)} (the true masks).")
    ] = SegmentConfig.supervision,
    prohibitive: Annotated[
        bool,
        Option(help="Learn also from its own scores, weighted by the attention network's."),
    ] = SegmentConfig.prohibitive,
    attention: Annotated[
        Path | None,
        Option(
            help="Attention file with the class scores of --prohibitive.",
            show_default="RUN/attend/attention.h5",
        ),
    ] = SegmentConfig.attention,
    iterations: Annotated[int, Option(help="Steps of the optimiser.")] = SegmentConfig.iterations,
    batch_size: Annotated[
        int, Option(help="Images that pass the network together.")
    ] = SegmentConfig.batch_size,
    accumulate: Annotated[
        int, Option(help="Batches whose gradients make one step.")
    ] = SegmentConfig.accumulate,
    lr: Annotated[
        float, Option(help="Learning rate at the start; it falls to 0.")
    ] = SegmentConfig.lr,
    momentum: Annotated[float, Option(help="Of gradient descent.")] = SegmentConfig.momentum,
    weight_decay: Annotated[float, Option(help="Of weights.")] = SegmentConfig.weight_decay,
    crop: Annotated[int, Option(help="Side of the square crops, in pixels.")] = SegmentConfig.crop,
    scale_low: Annotated[
        float, Option(help="Smallest random scale of the training.")
    ] = SegmentConfig.scale_low,
    scale_high: Annotated[
        float, Option(help="Largest random scale of the training.")
    ] = SegmentConfig.scale_high,
    frozen_blocks: options.FrozenBlocks = SegmentConfig.frozen_blocks,
    checkpoint: Annotated[
        Path | None, Option(help="Trained segmentation network: only predict.")
    ] = SegmentConfig.checkpoint,
    split: Annotated[str, Option(help="List of images to predict.")] = SegmentConfig.split,
    scales: Annotated[
        list[float] | None,
        Option(
            help="Factor of the photograph's sides to look at (give several times).",
            show_default=f"those of {', '.join(map(str, CANDIDATE_SCALES))} that the network was "
            "trained with, from --scale-low to --scale-high",
        ),
    ] = None,
    flip: Annotated[bool, Option(help="Also look at the mirrored views.")] = SegmentConfig.flip,
    merge: Annotated[
        str, Option(help=f"How the logits of all views become one: {', '.join(MERGES)}.")
    ] = SegmentConfig.merge,
    crf: Annotated[
        str | None,
        Option(
            help=f"Refine the predictions by a dense CRF with the settings of {', '.join(PRESETS)}."
        ),
    ] = SegmentConfig.crf,
    restrict_to_labels: Annotated[
        bool, Option(help="Predict background and the image's own labels only.")
    ] = SegmentConfig.restrict_to_labels,
    probabilities: Annotated[
        bool, Option("--probabilities", help="Also write the soft scores, as HDF5.")
    ] = SegmentConfig.probabilities,
    submission: Annotated[
        Path | None,
        Option(help="Also pack the predictions for VOC's evaluation server, as .tar.gz."),
    ] = SegmentConfig.submission,
    checkpoint_every: options.CheckpointEvery = SegmentConfig.checkpoint_every,
    tensorboard: options.TensorBoard = SegmentConfig.tensorboard,
) -> None:
    """Train a segmentation network on proxies, then predict.

    \b
    Examples:
      wsss segment
      wsss segment --batch-size 5 --accumulate 2
      wsss segment --supervision full --run runs/ceiling --data VOC2012
      wsss segment --checkpoint runs/default/segment/checkpoint.pt --data VOC2012 \\
                   --split train --restrict-to-labels --run runs/again
      wsss segment --checkpoint runs/default/segment/checkpoint.pt --data VOC2012 \\
                   --split test --crf deeplab-v2 --submission test.tar.gz --run runs/test

    Writes RUN/segment: checkpoint.pt, metrics.jsonl and predictions/ID.png; with --probabilities
    also scores.h5, with "ID/scores" (L, h, w) for every image ID, stored in shards. With
    --submission also that archive, of any --split; the server takes all of test. Stopped, it
    continues when the same command is run again.
    """  # noqa: D301
