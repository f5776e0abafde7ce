"""``wsss proxy``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.conversation import run_stage
from wsss_cli.configs.proxy import RULES, ProxyConfig


def proxy(
    saliency: Annotated[
        Path | None, Option(help="Folder of saliency maps, grey PNG by image id.")
    ] = ProxyConfig.saliency,
    data: options.Data = ProxyConfig.data,
    run: options.Run = ProxyConfig.run,
    attention: Annotated[
        Path | None,
        Option(
            help="Attention file, ours or another tool's.", show_default="RUN/attend/attention.h5"
        ),
    ] = ProxyConfig.attention,
    rule: Annotated[
        str, Option(help=f"How attention and saliency become labels: {', '.join(RULES)}.")
    ] = ProxyConfig.rule,
    w: Annotated[
        float, Option(help="Weight of attention against saliency; 1 is the harmonic mean.")
    ] = ProxyConfig.w,
    attention_floor: Annotated[
        float, Option(help="Least attention of a present class: salient pixels are then claimed.")
    ] = ProxyConfig.attention_floor,
    ignore_conflicts: Annotated[
        float | None, Option(help="Ignore object pixels that two classes claim above this.")
    ] = ProxyConfig.ignore_conflicts,
    ignore_salient: Annotated[
        float | None, Option(help="Ignore background pixels more salient than this.")
    ] = ProxyConfig.ignore_salient,
    device: options.Device = ProxyConfig.device,
    workers: options.Workers = ProxyConfig.workers,
    seed: options.Seed = ProxyConfig.seed,
    amp: options.Amp = ProxyConfig.amp,
    overwrite: options.Overwrite = ProxyConfig.overwrite,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Turn attention and saliency into proxy ground truth.

    \b
    Examples:
      wsss proxy --saliency saliency_maps
      wsss proxy --saliency saliency_maps --w 1 --ignore-conflicts 0.7
      wsss proxy --attention other_tool.h5 --saliency saliency_maps --run runs/other

    Writes RUN/proxy/labels/ID.png: palette PNG with 0 background, 1..C classes, 255 ignore.
    Every image needs a saliency map; the missing ones are listed, none is skipped.
    """  # noqa: D301
    run_stage("proxy", ProxyConfig, locals(), render.proxy)
