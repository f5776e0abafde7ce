"""The attention systems by name, and their own options. Importing this imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.setting import Config, Role, setting, settings_of


@dataclass(frozen=True)
class Method:
    """One attention system: ``wsss_cli/methods/NAME.py`` builds it.

    Attributes:
        title: What it is called.
        paper: Where it is from.
        here: What differs from the paper; the module's docstring has it at length.
        losses: What each of its losses measures, by the name under which it is logged.
        merge: How ``wsss attend`` merges the maps of several views of an image by default.
        hidden_layers: Whether its heads have hidden convolutions, whose width is a setting.
        feature_blocks: How many of the trunk's last blocks its losses need the features of; 0 where
            they need more of an image than that.
    """

    title: str
    paper: str
    here: str
    losses: Mapping[str, str]
    merge: str = "max"
    hidden_layers: bool = True
    feature_blocks: int = 1

    @property
    def from_features(self) -> bool:
        """Whether its heads can learn from features that were computed before."""
        return self.feature_blocks > 0


_CLASSES = "classification"
_AFTER_ERASING = "classification after erasing (S_B)"


METHODS = {
    "cam": Method(
        "Class activation mapping",
        "Zhou et al., CVPR 2016",
        "the head is that of SeeNet's S_A, so that the two differ in the erasing alone",
        {"a": _CLASSES},
    ),
    "aepsl": Method(
        "Adversarial erasing and prohibitive segmentation learning",
        "Wei et al., CVPR 2017",
        "the classifier is that of cam; a round is train --erase and attend, and what is found is "
        "painted with ImageNet's mean colour, not the training set's",
        {"a": _CLASSES},
    ),
    "acol": Method(
        "Adversarial complementary learning",
        "Zhang et al., CVPR 2018",
        "sigmoid losses, as an image has several classes; heads of SeeNet's size "
        "(--head-channels 1024 is the paper's); no 3x3 average pooling before them",
        {"a": _CLASSES, "b": _AFTER_ERASING},
    ),
    "gain": Method(
        "Guided attention inference network",
        "Li et al., CVPR 2018",
        "the head is that of SeeNet's S_A; sigma, omega and alpha are options, since "
        "implementations disagree",
        {"a": _CLASSES, "mining": "scores left when the attention is masked"},
        feature_blocks=0,
    ),
    "eps": Method(
        "Explicit pseudo-pixel supervision",
        "Lee et al., CVPR 2021",
        "two 3x3 convolutions before the 1x1, as in cam; a class that covers no position yet "
        "counts as salient",
        {"a": _CLASSES, "saliency": "saliency that the maps do not draw"},
        merge="sum",
    ),
    "sipe": Method(
        "Self-supervised image-specific prototype exploration",
        "Chen et al., CVPR 2022",
        "the four stages are the last four blocks of any trunk; a class is drawn where it is more "
        "like its own prototype than like the background's",
        {"a": _CLASSES, "prototypes": "difference of activation and prototypes"},
        merge="sum",
        hidden_layers=False,
        feature_blocks=4,
    ),
    "seenet": Method(
        "Self-Erasing Network",
        "Hou et al., NeurIPS 2018",
        "where S_A has found nothing yet, nothing is erased and S_C is left out; whether S_C "
        "shares S_B's head is an option",
        {
            "a": "classification (S_A)",
            "b": _AFTER_ERASING,
            "c": "classes found on the background (S_C)",
        },
    ),
}


@dataclass(frozen=True)
class MethodOptions(Config):
    """Options of ``wsss train`` that belong to some of the methods."""

    chosen_by: ClassVar[str] = "method"

    saliency: Path | None = setting(
        None,
        "Saliency to learn from: a folder of grey pictures by image id, or the attention file of "
        "another network, whose strongest class is what is salient (0.3 counts as 0.5); eps needs "
        "one.",
        role=Role.INPUT,
        of=("eps",),
        group="",
        unset="RUN/saliency/maps",
    )
    eps_tau: float = setting(
        0.4,
        "Share of a class's map that must lie on salient pixels for the class to count as "
        "foreground.",
        of=("eps",),
        at_least=0,
        below=1,
    )
    eps_lambda: float = setting(
        0.5,
        "Weight of the foreground's map in the saliency that the network predicts; what the "
        "background's map leaves has the rest.",
        of=("eps",),
        at_least=0,
        at_most=1,
    )
    eps_weight: float = setting(
        1.0,
        "Weight of the saliency loss beside a mean over classes of the classification loss.",
        of=("eps",),
        at_least=0,
    )

    sipe_weight: float = setting(
        1.0,
        "Weight of the agreement with the prototypes, beside a mean over classes of the "
        "classification loss.",
        of=("sipe",),
        at_least=0,
    )
    delta_high: float = setting(
        0.7, "Prior above which a position is erased.", of=("seenet",), at_least=0, at_most=1
    )
    delta_low: float = setting(
        0.05, "Prior below which a position is background.", of=("seenet",), at_least=0, at_most=1
    )
    delta_background: float | None = setting(
        None,
        "Prior below which S_C must find nothing.",
        of=("seenet",),
        above=0,
        at_most=1,
        unset="the middle of --delta-low and --delta-high",
        later=True,
    )
    sign_flip: bool = setting(
        True, "Reverse the sign of the background; otherwise set it to zero.", of=("seenet",)
    )
    background_branch: bool = setting(
        True, "Train S_C, which must find nothing on the background.", of=("seenet",)
    )
    share_background_head: bool = setting(
        True, "Let S_C use the weights of S_B, as the released model suggests.", of=("seenet",)
    )
    # At 0 even an image in which nothing has been found would be erased as a whole.
    acol_threshold: float = setting(
        0.6, "Prior from which on a position is erased.", of=("acol",), above=0, at_most=1
    )
    gain_sigma: float = setting(
        0.5,
        "Attention, as a share of its maximum, at which a pixel is masked by half.",
        of=("gain",),
        at_least=0,
        at_most=1,
    )
    gain_omega: float = setting(
        10.0, "Steepness of the mask around --gain-sigma.", of=("gain",), above=0
    )
    gain_alpha: float = setting(
        1.0, "Weight of the attention mining loss.", of=("gain",), at_least=0
    )


def learns_from_saliency(method: str) -> bool:
    """Whether a method cannot do without ``--saliency``."""
    return any(
        field.name == "saliency" and method in about.of
        for field, about in settings_of(MethodOptions)
    )
