"""A trunk and one classification head: what CAM looks into, in one round or in several."""

from torch import Tensor, nn

from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import Trunk
from wsss_cli.ops.attention import BranchMaps
from wsss_cli.ops.losses import multilabel_loss


class Classifier(nn.Module):
    """A trunk and one classification head."""

    def __init__(
        self, trunk: Trunk, num_classes: int, head_channels: int | None, reduction: str
    ) -> None:
        """Put a head on the trunk.

        Args:
            trunk: Gives the features.
            num_classes: Foreground classes C.
            head_channels: Channels of the head's hidden layers; None is the head's default.
            reduction: ``sum`` or ``mean`` of the loss over the classes.
        """
        super().__init__()
        self.trunk = trunk
        self.reduction = reduction
        self.head_a = ClassHead(trunk.channels, num_classes, trunk.head_std, head_channels)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The classification loss, as branch ``a``."""
        scores = self.head_a(self.trunk(images))  # (B, C, h, w)
        return {"a": multilabel_loss(scores.mean(dim=(2, 3)), labels, reduction=self.reduction)}

    def class_maps(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and score maps (B, C, 1, h, w) of all classes."""
        del labels
        scores = self.head_a(self.trunk(images))
        return scores.mean(dim=(2, 3)), scores[:, :, None]

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """The score maps of the present classes, one branch."""
        features = self.trunk(images)
        scores = self.head_a(features)  # (B, C, h, w)
        pairs = labels.nonzero()  # (P, 2)
        maps = scores[pairs[:, 0], pairs[:, 1]]  # (P, h, w)
        return BranchMaps(scores.mean(dim=(2, 3)), pairs, maps[:, None], features)
