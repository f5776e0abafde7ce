"""SENSE, self-erasing with saliency as evidence: ours.

What is measured to help, put together (docs/results-diary.md has each part by itself). From EPS
(Lee et al., CVPR 2021) come the background channel and the loss that compares what the maps draw
with saliency. From SeeNet (Hou et al., NeurIPS 2018) comes the self-erasing: where the first head
is sure of a class, a second one must find the class elsewhere, with the background's sign reversed,
and must find nothing on the background alone. The prior of the erasing is the probability of the
image's own classes beside that of the background, so saliency has a say in the zones. From
Araslanov and Roth (CVPR 2020) comes that the network learns from its own labels: told the classes
of the image, and made to follow its colours.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import BranchMaps
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import Trunk
from wsss_cli.ops.erasing import background_mask, conditional_relu, ternary_mask
from wsss_cli.ops.losses import multilabel_loss
from wsss_cli.ops.pixel_adaptive import refine_by_colour
from wsss_cli.ops.saliency_supervision import present_probabilities, saliency_loss

# The own labels are made at a grid so many times finer than that of the scores.
_FINER = 2


class SenseNetwork(nn.Module):
    """A trunk, a head of C + 1 maps, the last of which is the background, and one that erases."""

    def __init__(self, trunk: Trunk, num_classes: int, config: TrainConfig) -> None:
        """Put the heads on the trunk.

        Args:
            trunk: Gives the features.
            num_classes: Foreground classes C.
            config: ``sense_...``, ``loss_reduction`` and ``head_channels``.
        """
        super().__init__()
        self.trunk = trunk
        self.config = config
        shape = (trunk.head_std, config.head_channels)
        self.head_a = ClassHead(trunk.channels, num_classes + 1, *shape)
        self.head_b = (
            ClassHead(trunk.channels, num_classes, *shape) if config.sense_erasing else None
        )
        # A mean over classes is C times smaller than a sum, so the losses beside it are, too.
        self.weight = num_classes if config.reduction == "sum" else 1

    def losses(self, images: Tensor, labels: Tensor, saliency: Tensor) -> dict[str, Tensor]:
        """Losses of the image's labels, before and after erasing, of its saliency and own labels.

        Args:
            images: (B, 3, H, W) RGB in 0..255.
            labels: (B, C) multi-hot float.
            saliency: (B, H, W) in [0, 1].
        """
        config = self.config
        features = self.trunk(images)
        scores = self.head_a(features)  # (B, C + 1, h, w)
        logits = scores[:, :-1].mean(dim=(2, 3))
        grid = functional.interpolate(saliency[:, None], scores.shape[-2:], mode="area")[:, 0]
        told = present_probabilities(scores.detach(), labels)
        losses = {
            "a": multilabel_loss(logits, labels, reduction=config.reduction),
            "saliency": self.weight
            * config.sense_saliency
            * saliency_loss(scores, labels, grid, config.sense_tau, 0.5),
        }
        if config.sense_own:
            own = self.own_loss(images, scores, told)
            losses["own"] = self.weight * config.sense_own * own
        if self.head_b is not None:
            prior = told[:, :-1].amax(dim=1)  # (B, h, w)
            erased = conditional_relu(features, ternary_mask(prior, 0.7, 0.05))
            scores_b = self.head_b(erased)
            found = multilabel_loss(scores_b.mean(dim=(2, 3)), labels, reduction=config.reduction)
            losses["b"] = config.sense_erasing * found
            empty = features * background_mask(prior, 0.375).to(features.dtype)[:, None]
            scores_c = self.head_b(empty)
            nothing = multilabel_loss(
                scores_c.mean(dim=(2, 3)), torch.zeros_like(labels), reduction=config.reduction
            )
            losses["c"] = config.sense_erasing * nothing
        return losses

    def own_loss(self, images: Tensor, scores: Tensor, told: Tensor) -> Tensor:
        """Cross entropy with the own labels, background and classes counting the same.

        Args:
            images: (B, 3, H, W) RGB in 0..255.
            scores: (B, C + 1, h, w).
            told: (B, C + 1, h, w) probabilities, given the labels.

        Returns:
            Scalar; 0 where nothing is sure.
        """
        size = [_FINER * side for side in scores.shape[-2:]]
        colours = functional.interpolate(images.float(), size, mode="area")
        coarse = functional.interpolate(told, size, mode="bilinear", align_corners=False)
        shown = told.flatten(2).amax(dim=2) > 0  # (B, C + 1)
        most = max(1, int(shown.sum(dim=1).max()))
        columns = shown.float().topk(most, dim=1).indices  # (B, K), absent ones among them
        picked = coarse.gather(1, columns[:, :, None, None].expand(-1, -1, *size))
        refined = refine_by_colour(picked, colours)  # (B, K, h', w')
        sure, index = refined.max(dim=1)
        own = columns[:, :, None, None].expand_as(refined).gather(1, index[:, None])[:, 0]
        fine = functional.interpolate(scores.float(), size, mode="bilinear", align_corners=False)
        losses = functional.cross_entropy(fine, own, reduction="none")  # (B, h', w')
        confident = sure >= self.config.sense_sure
        background = own == scores.shape[1] - 1
        parts = []
        for part in (confident & background, confident & ~background):
            parts.append((losses * part).sum() / part.sum().clamp_min(1))
        return torch.stack(parts).mean()

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Probabilities of the present classes among them and the background, one branch."""
        scores = self.head_a(self.trunk(images))  # (B, C + 1, h, w)
        pairs = labels.nonzero()  # (P, 2)
        maps = present_probabilities(scores, labels)[pairs[:, 0], pairs[:, 1]]  # (P, h, w)
        return BranchMaps(scores[:, :-1].mean(dim=(2, 3)), pairs, maps[:, None])


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> SenseNetwork:
    """Build the network with the settings of the config."""
    return SenseNetwork(trunk, num_classes, config)
