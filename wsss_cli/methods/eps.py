"""EPS: Lee et al., "Railroad is not a Train", CVPR 2021.

In full: "Saliency as Pseudo-pixel Supervision for Weakly Supervised Semantic Segmentation".

A classifier has one map more than classes, for the background. Beside the image's labels it learns
from a saliency map: its class maps together must draw what is salient, its background map the rest.
A class most of which is not salient counts as background there, so that saliency that misses a
class, or takes a railway for a train, does not decide.

Different here: the head is that of CAM and S_A of SeeNet, with two 3x3 convolutions before the 1x1,
a bias and dropout, so that the systems differ in what they learn from; a class that covers no
position yet counts as salient (``ops/saliency_supervision.py``); an image of none of the classes,
which VOC has not, is background whatever its saliency marks. Attention is given the labels: the
softmax at a position is over the background and the classes of the image.
"""

from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import BranchMaps
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import Trunk
from wsss_cli.ops.losses import multilabel_loss
from wsss_cli.ops.saliency_supervision import present_probabilities, saliency_loss


class EpsNetwork(nn.Module):
    """A trunk and a head of C + 1 maps, the last of which is the background."""

    def __init__(self, trunk: Trunk, num_classes: int, config: TrainConfig) -> None:
        """Put the head on the trunk.

        Args:
            trunk: Gives the features.
            num_classes: Foreground classes C.
            config: ``eps_tau``, ``eps_lambda``, ``eps_weight``, ``loss_reduction`` and
                ``head_channels``.
        """
        super().__init__()
        self.trunk = trunk
        self.config = config
        self.head_a = ClassHead(
            trunk.channels, num_classes + 1, trunk.head_std, config.head_channels
        )
        # A mean over classes is C times smaller than a sum, so the loss beside it is, too.
        self.weight = config.eps_weight * (num_classes if config.reduction == "sum" else 1)

    def losses(self, images: Tensor, labels: Tensor, saliency: Tensor) -> dict[str, Tensor]:
        """Losses of the image's labels and of its saliency.

        Args:
            images: (B, 3, H, W) RGB in 0..255.
            labels: (B, C) multi-hot float.
            saliency: (B, H, W) in [0, 1].
        """
        config = self.config
        scores = self.head_a(self.trunk(images))  # (B, C + 1, h, w)
        logits = scores[:, :-1].mean(dim=(2, 3))
        grid = functional.interpolate(saliency[:, None], scores.shape[-2:], mode="area")[:, 0]
        # What stands out where there is none of the classes is background.
        grid = grid * labels.any(dim=1)[:, None, None]
        drawn = saliency_loss(scores, labels, grid, config.eps_tau, config.eps_lambda)
        return {
            "a": multilabel_loss(logits, labels, reduction=config.reduction),
            "saliency": self.weight * drawn,
        }

    def class_maps(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and probabilities (B, C, 1, h, w) of all classes, 0 of absent ones."""
        logits, maps = self._told(self.trunk(images), labels)
        return logits, maps[:, :, None]

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Probabilities of the present classes among them and the background, one branch."""
        features = self.trunk(images)
        logits, maps = self._told(features, labels)
        pairs = labels.nonzero()  # (P, 2)
        return BranchMaps(logits, pairs, maps[pairs[:, 0], pairs[:, 1], None], features)

    def _told(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and, given the labels, probabilities (B, C, h, w)."""
        scores = self.head_a(features)  # (B, C + 1, h, w)
        return scores[:, :-1].mean(dim=(2, 3)), present_probabilities(scores, labels)[:, :-1]


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> EpsNetwork:
    """Build the network with the settings of the config."""
    return EpsNetwork(trunk, num_classes, config)
