"""The backbones by name. Importing this imports no torch.

A backbone is an entry here and a function of the same name in ``models/trunks.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wsss_cli.errors import UsageError


@dataclass(frozen=True)
class Backbone:
    """A trunk of the networks.

    Attributes:
        title: What it is.
        output_strides: Pixels of the image per position of its features; the first is the default
            of the attention network.
        imagenet: Torchvision's weights, by the name of their class and entry; None where there are
            none.
        size: Size of their file, to announce.
        normalised: It has batch normalisation, which stays frozen, so it cannot start from nothing.
    """

    title: str
    output_strides: tuple[int, ...]
    imagenet: str | None = None
    size: str = ""
    normalised: bool = False


# Of the two trainings that torchvision has of a ResNet, the first (V1): its recipe is that of the
# weights that the published systems started from, and torchvision's own DeepLab starts from it.
# The second gains 4.5 points on ImageNet by label smoothing, mixup and averaged weights, and
# regularisers of this kind make features that transfer worse (Kornblith et al., "Do Better ImageNet
# Models Transfer Better?", CVPR 2019; from memory, and not measured here). It works as a file.
BACKBONES: Mapping[str, Backbone] = {
    "vgg16": Backbone("VGG16", (16, 8), "VGG16_Weights.IMAGENET1K_FEATURES", "528 MB"),
    "resnet50": Backbone("ResNet-50", (16, 8), "ResNet50_Weights.IMAGENET1K_V1", "98 MB", True),
    "resnet101": Backbone("ResNet-101", (16, 8), "ResNet101_Weights.IMAGENET1K_V1", "171 MB", True),
    "tiny": Backbone("four convolutions, for demos and tests", (8,)),
}


def weights_of(weights: str | None, backbone: str) -> str:
    """What ``--weights`` is for a backbone: ``imagenet``, ``none`` or a file.

    Args:
        weights: As given; None is the backbone's default.
        backbone: Name of the trunk.

    Raises:
        UsageError: It has no such weights, or cannot do without any.
    """
    published = BACKBONES[backbone].imagenet is not None
    if weights is None:
        return "imagenet" if published else "none"
    if weights == "none" and BACKBONES[backbone].normalised:
        raise UsageError(
            f"--weights none: the batch normalisation of {backbone} is frozen, so it needs "
            "statistics that someone has measured; pass imagenet or a file"
        )
    if weights == "imagenet" and not published:
        raise UsageError(f"--weights imagenet: there are none for {backbone}; pass none")
    return weights
