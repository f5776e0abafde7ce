"""The ``wsss`` command."""

from typing import Annotated

import typer

from wsss_cli import __version__
from wsss_cli.cli.check import check
from wsss_cli.cli.compare import compare
from wsss_cli.cli.config_command import stage_command
from wsss_cli.cli.data import data
from wsss_cli.cli.demo import demo
from wsss_cli.cli.doctor import doctor
from wsss_cli.cli.export import export
from wsss_cli.cli.export_network import export_network
from wsss_cli.cli.map_import import import_maps
from wsss_cli.cli.report import report
from wsss_cli.cli.show import show
from wsss_cli.cli.terminal import escape_what_cannot_be_shown
from wsss_cli.cli.wrapping import Command, Group
from wsss_cli.configs.stages import CHAIN

app = typer.Typer(
    name="wsss",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"wsss {__version__}")
        raise typer.Exit


@app.callback()
def wsss(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Pixel masks from image-level labels: weakly supervised semantic segmentation.

    Examples:
      wsss doctor                            what this machine has, and what will be slow
      wsss demo                              draw a small data set and run everything on it
      wsss data check photos                 what is in a data set, and what is wrong with it
      wsss train --data VOC2012              learn where objects are, from labels alone
      wsss attend                            attention maps of the training images
      wsss saliency --model u2netp.onnx      saliency maps, unless there are any
      wsss proxy --saliency saliency_maps    proxy ground truth
      wsss segment                           train a segmentation network on it, predict
      wsss predict runs/default photos --out found    new photographs, overlays, videos
      wsss import their_maps --data VOC2012 -o attention.h5    another tool's maps
      wsss crf --preset irn                  snap soft predictions to the edges of the images
      wsss evaluate                          the scores
      wsss export LABELS --to coco -o masks.json      label maps for other tools
      wsss report                            scores, curves and pictures as one page
      wsss compare methods.toml              several settings and seeds in one table

    Every stage keeps what it makes in the run (--run, by default runs/default) and finds there
    what it needs; run again, it continues where it was stopped.
    """
    del version
    escape_what_cannot_be_shown()


for _command in (
    *map(stage_command, CHAIN),
    show,
    report,
    check,
    export,
    export_network,
    compare,
    demo,
    doctor,
):
    app.command(cls=Command)(_command)
app.command("import", cls=Command)(import_maps)
app.add_typer(data, name="data")
