"""``wsss saliency``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.saliency import SaliencyConfig


@stage_command(SaliencyConfig, render.saliency)
def saliency(
    model: Annotated[
        Path | None, Option(help="ONNX file of a saliency network like U2-Net.", show_default=False)
    ] = None,
    data: options.Data = SaliencyConfig.data,
    run: options.Run = SaliencyConfig.run,
    split: Annotated[
        str | None, Option(help="List of images.", show_default="the one trained on")
    ] = SaliencyConfig.split,
    size: Annotated[
        int, Option(help="Side of the square that images are resized to, in pixels.")
    ] = SaliencyConfig.size,
    passes: Annotated[
        int, Option(help="2: look again at the image with what was salient painted over (DCSP).")
    ] = SaliencyConfig.passes,
) -> None:
    """Make saliency maps with a given network.

    \b
    Examples:
      wsss saliency --model u2netp.onnx
      wsss saliency --model u2netp.onnx --data VOC2012 --split val --run runs/val
      wsss saliency --model u2netp.onnx --passes 2 && wsss proxy --rule dcsp

    Writes RUN/saliency/maps/ID.png, where wsss proxy finds them, and with --passes 2 also
    RUN/saliency/second_maps/ID.png. Runs on the CPU.
    """  # noqa: D301
