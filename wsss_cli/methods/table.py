"""The attention systems by name. Importing this imports no torch."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType


@dataclass(frozen=True)
class Method:
    """One attention system.

    Attributes:
        title: What it is called.
        paper: Where it is from.
        module: Module that builds it: ``build(trunk, num_classes, config)``.
    """

    title: str
    paper: str
    module: str


METHODS = {
    "aepsl": Method(
        "Adversarial erasing and prohibitive segmentation learning",
        "Wei et al., CVPR 2017",
        "wsss_cli.methods.aepsl",
    ),
    "cam": Method(
        "Class activation mapping",
        "Zhou et al., CVPR 2016",
        "wsss_cli.methods.cam",
    ),
    "acol": Method(
        "Adversarial complementary learning",
        "Zhang et al., CVPR 2018",
        "wsss_cli.methods.acol",
    ),
    "gain": Method(
        "Guided attention inference network",
        "Li et al., CVPR 2018",
        "wsss_cli.methods.gain",
    ),
    "seenet": Method(
        "Self-Erasing Network",
        "Hou et al., NeurIPS 2018",
        "wsss_cli.methods.seenet",
    ),
}


def load(name: str) -> ModuleType:
    """Import a method's module."""
    return import_module(METHODS[name].module)
