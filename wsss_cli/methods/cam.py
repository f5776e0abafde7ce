"""CAM: Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016.

A convolutional classifier with global average pooling is trained on image-level labels. The score
of a class is the spatial mean of its score map, so the map itself shows where the score comes
from: mostly the one part that tells the class from all others.

Different here: the classifier is S_A of SeeNet, whose head has two 3x3 convolutions before the
1x1, so that the two systems differ in the erasing alone.
"""

from torch import Tensor, nn

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import BranchMaps
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import Trunk
from wsss_cli.ops.losses import multilabel_loss


class CamNetwork(nn.Module):
    """A trunk and one classification head."""

    def __init__(self, trunk: Trunk, num_classes: int, config: TrainConfig) -> None:
        """Put a head on the trunk."""
        super().__init__()
        self.trunk = trunk
        self.head_a = ClassHead(trunk.channels, num_classes, trunk.head_std, config.head_channels)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The classification loss, as branch ``a``."""
        scores = self.head_a(self.trunk(images))  # (B, C, h, w)
        return {"a": multilabel_loss(scores.mean(dim=(2, 3)), labels)}

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """The score maps of the present classes, one branch."""
        scores = self.head_a(self.trunk(images))  # (B, C, h, w)
        pairs = labels.nonzero()  # (P, 2)
        maps = scores[pairs[:, 0], pairs[:, 1]]  # (P, h, w)
        return BranchMaps(scores.mean(dim=(2, 3)), pairs, maps[:, None])


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> CamNetwork:
    """Build the network; CAM has no settings of its own."""
    return CamNetwork(trunk, num_classes, config)
