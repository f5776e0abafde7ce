"""ACoL: adversarial complementary learning.

Zhang et al., "Adversarial Complementary Learning for Weakly Supervised Object Localization",
CVPR 2018.
Two classifiers A and B share a trunk. Where A's map of the image's class is at least 0.6 of its
range, the features are set to 0, and B must tell the class from what is left: A's region and B's
complement each other. Their normalised maps are fused by the maximum.

Different here: images have several labels, so both learn with the sigmoid cross entropy of SeeNet
instead of a softmax over single labels, and the map that erases is SeeNet's attention prior: A's
positive scores, min-max normalised over the present classes together, maximum over classes. (The
original has one class, whose raw map it normalises alone.) The heads are SeeNet's, without the
3x3 average pooling before them; ``head_channels`` 1024 gives the original's width. So ACoL and
SeeNet differ in the erasing alone.

An image whose prior is empty has nothing erased and B sees all of it. The original would
normalise whatever A says there, so that some region is always erased, found or not.
"""

from torch import Tensor, nn

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import BranchMaps
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import Trunk
from wsss_cli.models.two_heads import look_at_all, look_twice
from wsss_cli.ops.erasing import attention_prior
from wsss_cli.ops.losses import multilabel_loss


class AcolNetwork(nn.Module):
    """A trunk with the heads of A and B."""

    def __init__(self, trunk: Trunk, num_classes: int, config: TrainConfig) -> None:
        """Put the heads on the trunk.

        Args:
            trunk: Gives the features, not negative.
            num_classes: Foreground classes C.
            config: ``acol_threshold``, ``loss_reduction`` and ``head_channels``.
        """
        super().__init__()
        self.trunk = trunk
        self.threshold = config.acol_threshold
        self.reduction = config.reduction
        shape = (trunk.channels, num_classes, trunk.head_std, config.head_channels)
        self.head_a = ClassHead(*shape)
        self.head_b = ClassHead(*shape)

    def erase(self, features: Tensor, prior: Tensor) -> Tensor:
        """Set features (B, K, h, w) to 0 where the prior (B, h, w) reaches the threshold."""
        return features * (prior < self.threshold).to(features.dtype)[:, None]

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Classification losses of A on the features and of B on what A has not found."""
        features = self.trunk(images)  # (B, K, h, w)
        scores_a = self.head_a(features)  # (B, C, h, w)
        prior = attention_prior(scores_a, labels)  # (B, h, w), detached
        scores_b = self.head_b(self.erase(features, prior))
        return {
            "a": multilabel_loss(scores_a.mean(dim=(2, 3)), labels, reduction=self.reduction),
            "b": multilabel_loss(scores_b.mean(dim=(2, 3)), labels, reduction=self.reduction),
        }

    def class_maps(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and maps (B, C, 2, h, w) of all classes, each as if the only one."""
        del labels
        return look_at_all(self.trunk(images), self.head_a, self.head_b, self.erase)

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Maps of A and B, as if each present class were the image's only label."""
        return look_twice(self.trunk(images), labels, self.head_a, self.head_b, self.erase)


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> AcolNetwork:
    """Build the network with the threshold of the config."""
    return AcolNetwork(trunk, num_classes, config)
