"""The segmentation networks by name. Importing this imports no torch."""

from dataclasses import dataclass

from wsss_cli.errors import UsageError


@dataclass(frozen=True)
class SegmentationModel:
    """One segmentation network.

    Attributes:
        title: What it is.
        paper: Where it is from.
        backbone: Trunk that it stands on, which says what weights it can start from.
        head_channels: Channels of the layers between the trunk and the scores.
    """

    title: str
    paper: str
    backbone: str
    head_channels: int = 1024


SEGMENTATION_MODELS = {
    "deeplab-largefov-vgg16": SegmentationModel(
        "DeepLab-LargeFOV on VGG16", "Chen et al., ICLR 2015", "vgg16"
    ),
    "deeplab-largefov-resnet101": SegmentationModel(
        "LargeFOV on ResNet-101, output stride 8, batch normalisation frozen",
        "second network of Hou et al., NeurIPS 2018",
        "resnet101",
    ),
    "deeplab-largefov-resnet50": SegmentationModel(
        "LargeFOV on ResNet-50, output stride 8, batch normalisation frozen",
        "ours, for less memory than ResNet-101",
        "resnet50",
    ),
    "tiny": SegmentationModel(
        "LargeFOV on four convolutions", "ours, for demos and tests", "tiny", 96
    ),
}


def model_of(backbone: str) -> str:
    """Find the segmentation network that stands on a backbone of the attention network.

    Raises:
        UsageError: There is none.
    """
    for name, model in SEGMENTATION_MODELS.items():
        if model.backbone == backbone:
            return name
    raise UsageError(
        f"no segmentation network stands on the backbone {backbone}; pass --model with one of "
        f"{', '.join(SEGMENTATION_MODELS)}"
    )
