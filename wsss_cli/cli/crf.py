"""``wsss crf``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.crf import PRESETS, CrfConfig

_PRESETS_OWN = "the preset's"


@stage_command(CrfConfig, render.crf)
def crf(
    scores: Annotated[
        Path | None,
        Option(
            help="Soft maps: scores.h5, or a folder of ID.npy or ID.npz with (L, h, w) arrays.",
            show_default="RUN/segment/scores.h5",
        ),
    ] = CrfConfig.scores,
    logits: Annotated[
        bool, Option("--logits", help="The folder holds logits, not probabilities.")
    ] = CrfConfig.logits,
    preset: Annotated[
        str, Option(help=f"Settings of a published system: {', '.join(PRESETS)}.")
    ] = CrfConfig.preset,
    iterations: Annotated[
        int | None, Option(help="Mean-field updates.", show_default=_PRESETS_OWN)
    ] = CrfConfig.iterations,
    gaussian_weight: Annotated[
        float | None, Option(help="Weight of smoothness.", show_default=_PRESETS_OWN)
    ] = CrfConfig.gaussian_weight,
    gaussian_xy: Annotated[
        float | None, Option(help="Its reach in pixels.", show_default=_PRESETS_OWN)
    ] = CrfConfig.gaussian_xy,
    bilateral_weight: Annotated[
        float | None, Option(help="Weight of appearance.", show_default=_PRESETS_OWN)
    ] = CrfConfig.bilateral_weight,
    bilateral_xy: Annotated[
        float | None, Option(help="Its reach in pixels.", show_default=_PRESETS_OWN)
    ] = CrfConfig.bilateral_xy,
    bilateral_rgb: Annotated[
        float | None, Option(help="Its reach in grey levels of 255.", show_default=_PRESETS_OWN)
    ] = CrfConfig.bilateral_rgb,
    data: options.Data = CrfConfig.data,
    run: options.Run = CrfConfig.run,
) -> None:
    """Refine soft maps by the dense CRF: labels follow the edges of the photographs.

    \b
    Examples:
      wsss crf
      wsss crf --preset deeplab-v2 --bilateral-xy 49 --overwrite
      wsss crf --scores their_probabilities --data VOC2012 --run runs/theirs
      wsss crf --scores their_logits --logits --data VOC2012 --run runs/theirs
      wsss evaluate --what crf

    Writes RUN/crf/labels/ID.png, a label map for each image that has soft maps. Of each pixel a
    folder's probabilities are in [0, 1] and sum to 1; anything else is refused unless --logits says
    what it is. Background comes first, then the classes in the order of the data set. Maps smaller
    than the photograph are enlarged linearly; pickled files are never opened.
    """  # noqa: D301
