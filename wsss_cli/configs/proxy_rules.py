"""The proxy rules by name, and their own options. Importing this imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.setting import Config, Role, setting, settings_of


@dataclass(frozen=True)
class Rule:
    """One way from attention to labels: ``NAME_proxy`` in ``wsss_cli/ops/proxy_labels/NAME.py``.

    It is called with ``attention``, ``class_ids`` and those options of the rule that its
    parameters name.

    Attributes:
        title: What it does, in a few words.
        paper: Where it is from.
        sees_image: Whether it needs the photograph, as the argument ``photograph``.
        revises: Rule whose labels it changes by a network's prediction. Such a rule is called with
            the label map, the prediction, the saliency and the class ids instead.
        leaves_mask: Whether strong attention, or a prediction, labels pixels that are hardly
            salient, below 0.15; None for a rule without saliency.
        ignores: Whether it leaves doubtful pixels out as 255 without being asked to.
    """

    title: str
    paper: str
    sees_image: bool = False
    revises: str = ""
    leaves_mask: bool | None = None
    ignores: bool = False


RULES = {
    "seenet": Rule(
        "weighted harmonic mean against missing saliency",
        "Hou et al., NeurIPS 2018",
        leaves_mask=True,
    ),
    "beyond": Rule(
        "as seenet, and strong attention beyond the saliency; for redrawn attention of eps",
        "ours",
        leaves_mask=True,
    ),
    "dcsp": Rule(
        "harmonic mean against a constant",
        "Chaudhry et al., BMVC 2017",
        leaves_mask=False,
    ),
    "oaa": Rule(
        "attention against missing saliency, doubt ignored",
        "Jiang et al., ICCV 2019",
        leaves_mask=True,
        ignores=True,
    ),
    "nsrom": Rule(
        "as oaa, and background ignored that a second attention claims",
        "Yao et al., CVPR 2021",
        leaves_mask=True,
        ignores=True,
    ),
    "masked": Rule(
        "labels of nsrom merged with --prediction, ignored far from objects, for a second round",
        "Yao et al., CVPR 2021",
        revises="nsrom",
        leaves_mask=True,
        ignores=True,
    ),
    "drs": Rule(
        "attention inside the saliency's mask, doubt ignored",
        "Kim et al., AAAI 2021",
        leaves_mask=False,
        ignores=True,
    ),
    "irn": Rule(
        "high and low threshold refined by a CRF, no saliency, doubt ignored",
        "Ahn et al., CVPR 2019",
        sees_image=True,
        ignores=True,
    ),
    "threshold": Rule(
        "attention against a constant, no saliency",
        "as seeds are cut out of CAM",
    ),
}


GREY_MAPS = ("saliency", "second_saliency")
"""Options that name folders of grey maps, which rules take under the same names."""


@dataclass(frozen=True)
class RuleOptions(Config):
    """Options of ``wsss proxy`` that belong to some of the rules.

    Where two rules share one and None is the default, each has a default of its own.
    """

    chosen_by: ClassVar[str] = "rule"

    saliency: Path | None = setting(
        None,
        "Folder of saliency maps, grey pictures by image id; for the rules that use saliency.",
        role=Role.INPUT,
        of=("seenet", "beyond", "dcsp", "oaa", "nsrom", "masked", "drs"),
        needed=True,
        group="",
        unset="RUN/saliency/maps",
    )
    w: float = setting(
        200.0,
        "Weight of attention against saliency in the harmonic mean; 1 is the plain one.",
        of=("seenet", "beyond"),
        above=0,
    )
    # The paper's rule is 0: there, a pixel without attention is background however salient it is,
    # which costs more than the attention gains (docs/results-diary.md).
    attention_floor: float = setting(
        0.1,
        "Least attention of a present class, so that salient pixels are claimed.",
        of=("seenet", "beyond"),
        at_least=0,
        at_most=1,
    )
    attention_cut: float | None = setting(
        None,
        "Attention below this counts as zero; with the rule beyond, only where saliency is low.",
        of=("beyond", "oaa", "drs"),
        at_least=0,
        at_most=1,
        unset="beyond 0.5, oaa 0.3, drs 0.2",
    )
    background_score: float | None = setting(
        None,
        "Constant score of the background.",
        of=("dcsp", "threshold"),
        at_least=0,
        at_most=1,
        unset="dcsp 0.4, threshold 0.3",
    )
    ignore_conflicts: float | None = setting(
        None,
        "Ignore object pixels where the attention of two classes exceeds this.",
        of=("seenet", "dcsp", "threshold"),
        at_least=0,
        at_most=1,
    )
    ignore_salient: float | None = setting(
        None,
        "Ignore background pixels that are more salient than this.",
        of=("seenet",),
        at_least=0,
        at_most=1,
    )
    potential_attention: Path | None = setting(
        None,
        "Attention file of another or an earlier network, of the same images and classes.",
        role=Role.INPUT,
        of=("nsrom", "masked"),
        unset="--attention",
    )
    prediction: Path | None = setting(
        None,
        "Folder of label maps that a first network predicts for the images, as ID.png.",
        role=Role.INPUT,
        of=("masked",),
        needed=True,
    )
    second_saliency: Path | None = setting(
        None,
        "Saliency maps of the images with their salient part (0.7 or more) painted over.",
        role=Role.INPUT,
        of=("dcsp",),
        unset="RUN/saliency/second_maps if there",
    )


def options_of(rule: str) -> list[str]:
    """Names of the options that belong to a rule, but for its maps."""
    return [
        field.name
        for field, about in settings_of(RuleOptions)
        if rule in about.of and about.role is Role.RESULT
    ]


def maps_of(rule: str, *, needed: bool = False) -> list[str]:
    """Names of the options for the folders of grey maps that a rule takes.

    Args:
        rule: Name of the rule.
        needed: Only of those that it cannot do without.
    """
    return [
        field.name
        for field, about in settings_of(RuleOptions)
        if field.name in GREY_MAPS and rule in about.of and (about.needed or not needed)
    ]
