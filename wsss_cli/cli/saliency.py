"""``wsss saliency``."""

from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.saliency import SaliencyConfig


@stage_command(SaliencyConfig, render.saliency)
def saliency(
    model: Annotated[
        str | None,
        Option(
            help="ONNX file of a network like U2-Net, or unsupervised: no weights, weaker.",
            show_default=False,
        ),
    ] = SaliencyConfig.model,
    data: options.Data = SaliencyConfig.data,
    run: options.Run = SaliencyConfig.run,
    split: Annotated[
        str | None, Option(help="List of images.", show_default="the one trained on")
    ] = SaliencyConfig.split,
    size: Annotated[
        int,
        Option(help="Side of the square (unsupervised: longer side) that images are resized to."),
    ] = SaliencyConfig.size,
    passes: Annotated[
        int, Option(help="2: look again at the image with what was salient painted over (DCSP).")
    ] = SaliencyConfig.passes,
) -> None:
    """Make saliency maps with a given network, or without one.

    \b
    Examples:
      wsss saliency --model u2netp.onnx
      wsss saliency --model u2netp.onnx --data VOC2012 --split val --run runs/val
      wsss saliency --model u2netp.onnx --passes 2 && wsss proxy --rule dcsp
      wsss saliency --model unsupervised

    Writes RUN/saliency/maps/ID.png, where wsss proxy finds them, and with --passes 2 also
    RUN/saliency/second_maps/ID.png. Runs on the CPU. unsupervised is robust background detection
    (Zhu et al., CVPR 2014): it needs no file, and finds less than a network does.
    """  # noqa: D301
