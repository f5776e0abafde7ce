"""The attention systems by name. Importing this imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One attention system.

    Attributes:
        title: What it is called.
        paper: Where it is from.
        here: What differs from the paper; the module's docstring has it at length.
        module: Module that builds it: ``build(trunk, num_classes, config)``.
        losses: What each of its losses measures, by the name under which it is logged.
        options: Settings of ``wsss train`` that only this method has.
    """

    title: str
    paper: str
    here: str
    module: str
    losses: Mapping[str, str]
    options: tuple[str, ...] = ()


_CLASSES = "classification"
_AFTER_ERASING = "classification after erasing (S_B)"


METHODS = {
    "cam": Method(
        "Class activation mapping",
        "Zhou et al., CVPR 2016",
        "the head is that of SeeNet's S_A, so that the two differ in the erasing alone",
        "wsss_cli.methods.cam",
        {"a": _CLASSES},
    ),
    "aepsl": Method(
        "Adversarial erasing and prohibitive segmentation learning",
        "Wei et al., CVPR 2017",
        "the classifier is that of cam; a round is train --erase and attend, and what is found is "
        "painted with ImageNet's mean colour, not the training set's",
        "wsss_cli.methods.aepsl",
        {"a": _CLASSES},
    ),
    "acol": Method(
        "Adversarial complementary learning",
        "Zhang et al., CVPR 2018",
        "sigmoid losses, as an image has several classes; heads of SeeNet's size "
        "(--head-channels 1024 is the paper's); no 3x3 average pooling before them",
        "wsss_cli.methods.acol",
        {"a": _CLASSES, "b": _AFTER_ERASING},
        ("acol_threshold",),
    ),
    "gain": Method(
        "Guided attention inference network",
        "Li et al., CVPR 2018",
        "the head is that of SeeNet's S_A; sigma, omega and alpha are options, since "
        "implementations disagree",
        "wsss_cli.methods.gain",
        {"a": _CLASSES, "mining": "scores left when the attention is masked"},
        ("gain_sigma", "gain_omega", "gain_alpha"),
    ),
    "seenet": Method(
        "Self-Erasing Network",
        "Hou et al., NeurIPS 2018",
        "where S_A has found nothing yet, nothing is erased and S_C is left out; whether S_C "
        "shares S_B's head is an option",
        "wsss_cli.methods.seenet",
        {
            "a": "classification (S_A)",
            "b": _AFTER_ERASING,
            "c": "classes found on the background (S_C)",
        },
        (
            "delta_high",
            "delta_low",
            "delta_background",
            "sign_flip",
            "background_branch",
            "share_background_head",
        ),
    ),
}
