"""SeeNet: Hou et al., "Self-Erasing Network for Integral Object Attention", NeurIPS 2018.

Three classifiers share a trunk. S_A sees the features F; its scores divide each image into an
attention, a potential and a background zone. S_B sees F with the attention zone erased and the
background's sign reversed (C-ReLU), so it must find the rest of the object without leaning on the
background. S_C sees the background alone and must find nothing there.

Different here: the two 3x3 and one 1x1 convolution of the released model make a head, where the
text speaks of three added convolutions. S_C shares S_B's weights, as the released model's naming
suggests; ``share_background_head`` separates them. An image in which S_A has not found anything
yet has no zones: S_B sees F as it is and S_C is left out (see ``ops/erasing``).
"""

import torch
from torch import Tensor, nn

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import Branches, BranchMaps
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import Trunk
from wsss_cli.models.two_heads import look_at_all, look_twice, own_prior
from wsss_cli.ops.erasing import attention_prior, background_mask, conditional_relu, ternary_mask
from wsss_cli.ops.losses import multilabel_loss


class SeeNetNetwork(nn.Module):
    """A trunk with the heads of S_A, S_B and, unless shared or left out, S_C."""

    def __init__(self, trunk: Trunk, num_classes: int, config: TrainConfig) -> None:
        """Put the heads on the trunk.

        Args:
            trunk: Gives the features F.
            num_classes: Foreground classes C.
            config: the three thresholds ``delta_...``, the three switches of the branches,
                ``loss_reduction`` and ``head_channels``.
        """
        super().__init__()
        self.trunk = trunk
        self.config = config
        shape = (trunk.channels, num_classes, trunk.head_std, config.head_channels)
        self.head_a = ClassHead(*shape)
        self.head_b = ClassHead(*shape)
        own_head = config.background_branch and not config.share_background_head
        self.head_c = ClassHead(*shape) if own_head else None

    def erasing_mask(self, prior: Tensor) -> Tensor:
        """(B, h, w) factors of C-ReLU; without ``sign_flip`` the background is 0 instead of -1."""
        mask = ternary_mask(prior, self.config.delta_high, self.config.delta_low)
        return mask if self.config.sign_flip else mask.relu()

    def erase(self, features: Tensor, prior: Tensor) -> Tensor:
        """What S_B sees of features (B, K, h, w), given their prior (B, h, w)."""
        return conditional_relu(features, self.erasing_mask(prior))

    def background(self, prior: Tensor) -> Tensor:
        """(B, h, w) float, 1 where S_C must find nothing, given the prior (B, h, w)."""
        config = self.config
        middle = (config.delta_high + config.delta_low) / 2
        threshold = config.delta_background
        return background_mask(prior, middle if threshold is None else threshold)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses of S_A, S_B and, with the background branch, S_C."""
        reduction = self.config.reduction
        features = self.trunk(images)  # (B, K, h, w)
        scores_a = self.head_a(features)  # (B, C, h, w)
        prior = attention_prior(scores_a, labels)  # (B, h, w)
        scores_b = self.head_b(self.erase(features, prior))
        losses = {
            "a": multilabel_loss(scores_a.mean(dim=(2, 3)), labels, reduction=reduction),
            "b": multilabel_loss(scores_b.mean(dim=(2, 3)), labels, reduction=reduction),
        }
        if self.config.background_branch:
            head = self.head_c or self.head_b
            scores_c = head(features * self.background(prior).to(features.dtype)[:, None])
            has_zones = (prior > 0).flatten(1).any(dim=1).float()  # (B,)
            losses["c"] = multilabel_loss(
                scores_c.mean(dim=(2, 3)), torch.zeros_like(labels), has_zones, reduction=reduction
            )
        return losses

    def class_maps(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and maps (B, C, 2, h, w) of all classes, each as if the only one."""
        del labels
        return look_at_all(self.trunk(images), self.head_a, self.head_b, self.erase)

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Maps of S_A and S_B, as if each present class were the image's only label."""
        return look_twice(self.trunk(images), labels, self.head_a, self.head_b, self.erase)


def branches(network: SeeNetNetwork, images: Tensor, labels: Tensor) -> Branches:
    """Everything that SeeNet makes of the present classes, each as if the image's only label.

    Without a head of its own S_C is S_B's head, as in training; a network trained without S_C
    shows what that head says of the background if nothing ever told it to be silent there.

    Args:
        network: In evaluation mode.
        images: (B, 3, H, W) RGB in 0..255.
        labels: (B, C) multi-hot.
    """
    features = network.trunk(images)  # (B, K, h, w)
    seen = look_twice(features, labels, network.head_a, network.head_b, network.erase)
    pairs, maps = seen.pairs, seen.maps  # (P, 2), (P, 2, h, w)
    prior = own_prior(maps[:, 0])  # (P, h, w)
    background = network.background(prior).to(features.dtype)[:, None]
    head_c = network.head_c or network.head_b
    return Branches(
        pairs,
        {"S_A": maps[:, 0], "S_B": maps[:, 1]},
        prior,
        ternary_mask(prior, network.config.delta_high, network.config.delta_low),
        head_c.class_map(features[pairs[:, 0]] * background, pairs[:, 1]),
    )


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> SeeNetNetwork:
    """Build the network with the branches and thresholds of the config."""
    return SeeNetNetwork(trunk, num_classes, config)
