"""``wsss evaluate``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.evaluate import PREDICTED_IGNORE, EvaluateConfig
from wsss_cli.configs.results import BY_INTEREST


@stage_command(EvaluateConfig, render.evaluate)
def evaluate(
    run: options.Run = EvaluateConfig.run,
    what: Annotated[
        str, Option(help=f"What is scored: {', '.join(BY_INTEREST)}.")
    ] = EvaluateConfig.what,
    pred: Annotated[
        Path | None, Option(help="Folder of label maps, PNG by image id.", show_default="the run's")
    ] = EvaluateConfig.pred,
    gt: Annotated[
        Path | None,
        Option(help="Folder of true label maps.", show_default="the data set's"),
    ] = EvaluateConfig.gt,
    attention: Annotated[
        Path | None,
        Option(
            help="Attention file, ours or another tool's; its logits name the baselines' labels.",
            show_default="RUN/attend/attention.h5",
        ),
    ] = EvaluateConfig.attention,
    predicted_ignore: Annotated[
        str, Option(help=f"What a predicted 255 counts as: {', '.join(PREDICTED_IGNORE)}.")
    ] = EvaluateConfig.predicted_ignore,
    split: Annotated[
        str | None,
        Option(help="List of images that must all be there.", show_default="all that are"),
    ] = EvaluateConfig.split,
    boundaries: Annotated[
        bool, Option("--boundaries", help="Also boundary IoU and mIoU by distance to a contour.")
    ] = EvaluateConfig.boundaries,
    localisation: Annotated[
        bool, Option("--localisation", help="Also MaxBoxAccV2 and PxAP of attention.")
    ] = EvaluateConfig.localisation,
    difficulty: Annotated[
        bool,
        Option(
            "--difficulty",
            help="Also, of each image in the JSON: regions of a class, colours shared with the "
            "background. Looks at the photographs.",
        ),
    ] = EvaluateConfig.difficulty,
    against: Annotated[
        Path | None,
        Option(help="Another run, folder or attention file to compare with, image by image."),
    ] = EvaluateConfig.against,
    threshold_from: Annotated[
        Path | None,
        Option(help="Run on another split whose best threshold is applied to attention, too."),
    ] = EvaluateConfig.threshold_from,
    baselines: Annotated[
        bool, Option("--baselines", help="Also score label maps that need no learning.")
    ] = EvaluateConfig.baselines,
    saliency: Annotated[
        Path | None,
        Option(help="Saliency maps for the baselines.", show_default="those of RUN/proxy"),
    ] = EvaluateConfig.saliency,
    fail_under: Annotated[
        float | None,
        Option(
            help="Least mIoU, as a fraction (0.4): below it the exit code is 1.",
            show_default="no limit",
        ),
    ] = EvaluateConfig.fail_under,
    data: options.Data = EvaluateConfig.data,
) -> None:
    """Score predictions, proxies or attention against true masks.

    \b
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
    """  # noqa: D301
