"""GAIN: Li et al., "Tell Me Where to Look: Guided Attention Inference Network", CVPR 2018.

A classifier's Grad-CAM attention is itself trained. What it marks of a class is masked out of the
image, softly and differentiably, and the same network looks at the masked image; the attention
mining loss is the score that the class still gets there. It falls only if the attention covers
everything that tells the class.

Formulas (section 3.1): ``T(A) = 1 / (1 + exp(-omega (A - sigma)))``, ``I* = I - T(A_c) I``,
``L = L_cls + alpha L_am`` with ``L_am`` the mean over the present classes of the sigmoid score of
``c`` on ``I*_c``. A is resized to the image (bilinear) and then min-max normalised. Public
implementations disagree on (sigma, omega): (.5, 10), here the default, (.25, 100) and (.5, 8).

Different here: the classifier is S_A of SeeNet, with its head and loss, so that the systems differ
in what they do about attention alone. The paper's external supervision (GAIN_ext) is left out.

Masking is meant in the trunk's own domain, where 0 is the mean colour of its preprocessing: what
is masked turns into the mean colour, not into black. The masks of a step, one for each present
class of each image, pass the trunk together: on VOC, with 1.5 classes an image, a step costs two
and a half passes of the trunk and the memory of as many (``batch_size`` bounds it). Where a trunk
normalises batches, as ``tiny`` does, the masked images count in its statistics.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import BranchMaps
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import Trunk
from wsss_cli.ops.grad_cam import grad_cam
from wsss_cli.ops.losses import multilabel_loss


class GainNetwork(nn.Module):
    """A trunk and one classification head, whose attention takes part in the loss."""

    def __init__(self, trunk: Trunk, num_classes: int, config: TrainConfig) -> None:
        """Put the head on the trunk.

        Args:
            trunk: Gives the features.
            num_classes: Foreground classes C.
            config: ``gain_sigma``, ``gain_omega``, ``gain_alpha``, ``loss_reduction`` and
                ``head_channels``.
        """
        super().__init__()
        self.trunk = trunk
        self.config = config
        self.head_a = ClassHead(trunk.channels, num_classes, trunk.head_std, config.head_channels)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The classification loss and the attention mining loss times ``gain_alpha``.

        The attention is that of the training pass, with its dropout.
        """
        features = self.trunk(images).requires_grad_()  # (B, K, h, w), also of a frozen trunk
        logits = self.head_a(features).mean(dim=(2, 3))  # (B, C)
        attention = grad_cam(features, logits, labels, differentiable=True)  # (P, h, w)
        return {
            "a": multilabel_loss(logits, labels, reduction=self.config.reduction),
            "mining": self.config.gain_alpha * self.mining_loss(images, labels, attention),
        }

    def mining_loss(self, images: Tensor, labels: Tensor, attention: Tensor) -> Tensor:
        """The score that each present class keeps when its attention is masked.

        Args:
            images: (B, 3, H, W) RGB in 0..255.
            labels: (B, C) multi-hot float.
            attention: (P, h, w) not negative, of the present classes in the order of the labels.

        Returns:
            Scalar in [0, 1]: the mean over each image's classes, then over images; an image
            without classes counts 0.
        """
        image, column = labels.nonzero().unbind(dim=1)  # (P,), (P,)
        # Without a present class (P = 0) the pass is made all the same: the layers that span the
        # whole batch exchange messages in it, and the other processes wait for this one's.
        masked = self.masked(images[image], attention)  # (P, 3, H, W)
        logits: Tensor = self.head_a(self.trunk(masked)).mean(dim=(2, 3))  # (P, C)
        scores = logits.to(attention.dtype).gather(1, column[:, None])[:, 0].sigmoid()  # (P,)
        shares = labels.sum(dim=1)[image].reciprocal()  # (P,)
        return (scores * shares).sum() / len(labels)

    def masked(self, images: Tensor, attention: Tensor) -> Tensor:
        """Turn what the attention marks into the trunk's mean colour.

        Args:
            images: (P, 3, H, W) RGB in 0..255.
            attention: (P, h, w) not negative, of any scale.

        Returns:
            (P, 3, H, W) in 0..255: ``I - T(A) (I - mean)``, which the trunk's preprocessing turns
            into ``I - T(A) I`` of the preprocessed image.
        """
        resized = functional.interpolate(
            attention[:, None], images.shape[2:], mode="bilinear", align_corners=False
        )  # (P, 1, H, W)
        lowest = resized.amin(dim=(2, 3), keepdim=True)
        span = resized.amax(dim=(2, 3), keepdim=True) - lowest
        # A flat map marks nothing; 0 / 1 is what the lowest attention of any other map becomes.
        relative = (resized - lowest) / span.where(span > 0, span.new_tensor(1.0))
        mask = torch.sigmoid(self.config.gain_omega * (relative - self.config.gain_sigma))
        return images - mask * (images - self.trunk.mean)

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Grad-CAM of the present classes, one branch.

        The trunk runs in the caller's mode; the gradients that Grad-CAM needs are recorded from
        the features on, also where the caller records none.
        """
        features = self.trunk(images)  # (B, K, h, w)
        with torch.inference_mode(False), torch.enable_grad():
            features = features.detach().clone().requires_grad_()
            logits = self.head_a(features).mean(dim=(2, 3))  # (B, C)
            maps = grad_cam(features, logits, labels)  # (P, h, w)
        return BranchMaps(logits.detach(), labels.nonzero(), maps[:, None], features.detach())


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> GainNetwork:
    """Build the network with the mask of the config."""
    return GainNetwork(trunk, num_classes, config)
