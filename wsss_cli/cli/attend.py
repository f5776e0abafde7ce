"""``wsss attend``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.attend import AttendConfig


@stage_command(AttendConfig, render.attend)
def attend(
    data: options.Data = AttendConfig.data,
    run: options.Run = AttendConfig.run,
    checkpoint: Annotated[
        Path | None,
        Option(help="Trained attention network.", show_default="RUN/train/checkpoint.pt"),
    ] = AttendConfig.checkpoint,
    split: Annotated[
        str | None, Option(help="List of images.", show_default="the one trained on")
    ] = AttendConfig.split,
    labels: Annotated[
        str,
        Option(help="Which classes get a map: given, or predicted by the network (no annotation)."),
    ] = AttendConfig.labels,
    erase: Annotated[
        Path | None,
        Option(
            help="Attention of the round before: erase what it found and merge with it.",
            show_default="that of the run's training",
        ),
    ] = AttendConfig.erase,
    size: Annotated[
        int, Option(help="Side of the square that images are resized to, in pixels.")
    ] = AttendConfig.size,
    scales: Annotated[
        list[float],
        Option(help="Factor of --size to look at; the largest value counts (give several times)."),
    ] = list(AttendConfig.scales),  # noqa: B006 - Typer copies it
    flip: Annotated[
        bool, Option(help="Also look at the mirrored image and keep the larger value.")
    ] = AttendConfig.flip,
    heatmaps: Annotated[
        bool, Option("--heatmaps", help="Also draw each map over its image, as PNG.")
    ] = AttendConfig.heatmaps,
    batch_size: Annotated[
        int, Option(help="Images that pass the network together.")
    ] = AttendConfig.batch_size,
) -> None:
    """Make an attention map for each image and each of its classes.

    \b
    Examples:
      wsss attend --flip
      wsss attend --heatmaps
      wsss attend --scales 1 --scales 0.75 --scales 0.5
      wsss attend --run runs/val --checkpoint runs/default/train/checkpoint.pt \\
                  --data VOC2012 --split val
      wsss attend --run runs/photos --checkpoint runs/default/train/checkpoint.pt \\
                  --data photos --labels predicted

    Writes RUN/attend: attention.h5, with "ID/maps" (K, H, W) in [0, 1] and "ID/class_ids" (K,)
    for every image ID, stored in shards; with --heatmaps also pictures.
    """  # noqa: D301
