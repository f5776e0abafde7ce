"""``wsss proxy``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli import options, render
from wsss_cli.cli.stage_command import stage_command
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import RULES, rules_with

_RULES = "; ".join(f"{name}: {rule.title} ({rule.paper})" for name, rule in RULES.items())


def _of(option: str, text: str) -> str:
    """Help that opens with the rules the option belongs to."""
    return f"{', '.join(rules_with(option))}: {text}"


@stage_command(ProxyConfig, render.proxy)
def proxy(
    saliency: Annotated[
        Path | None,
        Option(
            help=_of("saliency", "folder of saliency maps, grey by image id."),
            show_default="RUN/saliency/maps",
        ),
    ] = ProxyConfig.saliency,
    second_saliency: Annotated[
        Path | None,
        Option(
            help=_of(
                "second_saliency",
                "the same of the images with the salient part (0.7 or more) painted over.",
            ),
            show_default="RUN/saliency/second_maps if there",
        ),
    ] = ProxyConfig.second_saliency,
    data: options.Data = ProxyConfig.data,
    run: options.Run = ProxyConfig.run,
    attention: Annotated[
        Path | None,
        Option(
            help="Attention file, ours or another tool's.", show_default="RUN/attend/attention.h5"
        ),
    ] = ProxyConfig.attention,
    rule: Annotated[str, Option(help=f"How labels are made. {_RULES}.")] = ProxyConfig.rule,
    w: Annotated[
        float,
        Option(help=_of("w", "weight of attention against saliency; 1 is the harmonic mean.")),
    ] = ProxyConfig.w,
    attention_floor: Annotated[
        float,
        Option(
            help=_of(
                "attention_floor",
                "least attention of a present class: salient pixels are then claimed.",
            )
        ),
    ] = ProxyConfig.attention_floor,
    attention_cut: Annotated[
        float | None,
        Option(
            help=_of("attention_cut", "attention below this counts as none."),
            show_default="oaa 0.3, drs 0.2",
        ),
    ] = ProxyConfig.attention_cut,
    background_score: Annotated[
        float | None,
        Option(
            help=_of("background_score", "constant score of the background."),
            show_default="dcsp 0.4, threshold 0.3",
        ),
    ] = ProxyConfig.background_score,
    ignore_conflicts: Annotated[
        float | None,
        Option(
            help=_of("ignore_conflicts", "ignore object pixels that two classes claim above this.")
        ),
    ] = ProxyConfig.ignore_conflicts,
    ignore_salient: Annotated[
        float | None,
        Option(help=_of("ignore_salient", "ignore background pixels more salient than this.")),
    ] = ProxyConfig.ignore_salient,
    crf: Annotated[
        str | None,
        Option(
            help="Dense CRF that snaps the labels to the edges of the photographs: "
            f"{', '.join(PRESETS)}.",
            show_default="none",
        ),
    ] = ProxyConfig.crf,
) -> None:
    """Turn attention and saliency into proxy ground truth.

    \b
    Examples:
      wsss proxy --saliency saliency_maps
      wsss proxy --saliency saliency_maps --w 1 --ignore-conflicts 0.7
      wsss proxy --saliency saliency_maps --rule oaa --run runs/oaa
      wsss proxy --rule threshold --background-score 0.4 --run runs/plain
      wsss proxy --rule threshold --crf dcsp --run runs/snapped
      wsss proxy --attention other_tool.h5 --saliency saliency_maps --run runs/other

    Writes RUN/proxy/labels/ID.png: palette PNG with 0 background, 1..C classes, 255 ignore.
    An option that belongs to some of the rules is refused with the others. Every image needs its
    saliency map; the missing ones are listed, none is skipped.
    """  # noqa: D301
