"""CAM: Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016.

A convolutional classifier with global average pooling is trained on image-level labels. The score
of a class is the spatial mean of its score map, so the map itself shows where the score comes
from: mostly the one part that tells the class from all others.

Different here: the classifier is S_A of SeeNet, whose head has two 3x3 convolutions before the
1x1, so that the two systems differ in the erasing alone.
"""

from wsss_cli.configs.train import TrainConfig
from wsss_cli.models.classifier import Classifier
from wsss_cli.models.trunks import Trunk


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> Classifier:
    """Build the network; CAM has no settings of its own."""
    return Classifier(trunk, num_classes, config.head_channels, config.reduction)
