"""``wsss predict``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from wsss_cli.cli import render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.configs.segment import MERGES


@stage_command(PredictConfig, render.predict)
def predict(
    checkpoint: Annotated[
        Path,
        Argument(
            metavar="CHECKPOINT",
            help="Trained network: checkpoint.pt of segment or train, or a run with one.",
        ),
    ],
    photos: Annotated[
        list[str],
        Argument(metavar="PHOTOS", help="Pictures, videos, folders or quoted patterns."),
    ],
    out: Annotated[Path, Option(help="Folder for what is made of them: new, or of this command.")],
    overlay: Annotated[
        bool, Option("--overlay", help="Also draw outlines and names on each picture.")
    ] = PredictConfig.overlay,
    crf: Annotated[
        str | None,
        Option(help=f"Refine label maps by a dense CRF with the settings of {', '.join(PRESETS)}."),
    ] = PredictConfig.crf,
    scales: Annotated[
        list[float] | None,
        Option(
            help="Factor of the picture's sides to look at (give several times).",
            show_default="as wsss segment or attend",
        ),
    ] = None,
    flip: Annotated[bool, Option(help="Also look at the mirrored views.")] = PredictConfig.flip,
    longest_side: Annotated[
        int | None,
        Option(
            help="Look at pictures with a longer side reduced to this many pixels; 0: never.",
            show_default="that of the training's pictures",
        ),
    ] = PredictConfig.longest_side,
    merge: Annotated[
        str | None,
        Option(
            help=f"How the logits of all views become one: {', '.join(MERGES)}.",
            show_default=MERGES[0],
        ),
    ] = PredictConfig.merge,
    size: Annotated[
        int | None,
        Option(
            help="Side of the square that pictures are resized to, for attention.",
            show_default=str(AttendConfig.size),
        ),
    ] = PredictConfig.size,
    probabilities: Annotated[
        bool, Option("--probabilities", help="Also write the numbers behind the maps, as HDF5.")
    ] = PredictConfig.probabilities,
) -> None:
    """Predict new photographs and videos with a trained network: no data set, no run.

    \b
    Examples:
      wsss predict runs/default/segment/checkpoint.pt IMG_1.jpg --out found
      wsss predict runs/default holiday --out found --overlay
      wsss predict runs/default 'holiday/**/*.jpg' --out found --crf irn --json
      wsss predict runs/default clip.mp4 --out found --scales 1 --no-flip
      wsss predict runs/default/train/checkpoint.pt holiday --out where --overlay

    Of a segmentation network: label maps OUT/NAME.png, palette PNG of the picture's size, 0
    background, then the network's classes; with --overlay OUT/overlays/NAME.jpg; with
    --probabilities OUT/scores.h5, as of wsss segment. Of an attention network (wsss train): the
    classes that it finds likelier than not, at least the surest, each with a grey map
    OUT/NAME/CLASS.png; with --overlay all in one picture; with --probabilities OUT/attention.h5. Of
    a video: OUT/NAME.mp4, its frames with the overlays, without sound.

    NAME is the picture's own without ending. A folder is searched with its subfolders, which are
    kept. Pictures are JPEG, PNG, WebP, BMP or TIFF, of any size, and are looked at upright;
    videos are MP4, MOV, AVI, MKV or WebM. What cannot be read is named, the rest is done, and the
    exit code is then 1. Run again, it does what is missing: more photographs join the others,
    changed ones are predicted again. OUT/records/NAME.json says what was found in each.
    """  # noqa: D301
