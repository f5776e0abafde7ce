"""AE-PSL: Wei et al., "Object Region Mining with Adversarial Erasing", CVPR 2017.

A classifier is trained and CAM says where it looks: at the most discriminative region. That region
is painted over in the images with the mean colour, and a new classifier, trained on what is left,
has to find the next one; after some rounds (three in the paper) the regions together make the
object. A segmentation network then learns from them and, "prohibitively", from its own score maps
weighted by image-level classification scores (``ops/prohibitive``).

A round is ``wsss train --erase ATTENTION`` and ``wsss attend``, ATTENTION being what the round
before wrote; the first round erases nothing (``data/mined_regions`` has the rest,
``examples/aepsl_rounds.sh`` the chain). So the network here is CAM's classifier, and the rounds
are the method; any other method can go through them as well.

Different here: the head is SeeNet's, as for CAM, so that the systems differ in the erasing alone;
the loss is the sigmoid cross entropy of the other methods, not the paper's squared error on the
labels; and each round ends with the schedule, not when the classifier ceases to converge.
"""

from wsss_cli.configs.train import TrainConfig
from wsss_cli.models.classifier import Classifier
from wsss_cli.models.trunks import Trunk


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> Classifier:
    """Build the classifier of one round; what it erases is a matter of its images."""
    return Classifier(trunk, num_classes, config.head_channels, config.reduction)
