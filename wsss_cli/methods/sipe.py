"""SIPE: Chen et al., "Self-supervised Image-specific Prototype Exploration", CVPR 2022.

A classifier's activation, and what it leaves to the background, pick seeds in each image by the
structure of the features. The mean feature of a class's seeds is its prototype in this very image,
and the similarity to the prototypes draws the classes and the background. The classifier learns to
agree with that. No saliency is needed.

Different here: the four stages whose features are compared are the last four blocks of any trunk,
of VGG16 conv2 to conv5 instead of a ResNet's four stages; they are compared on the grid of the
scores instead of that of the third stage. Gradients are stopped by ``--frozen-blocks`` and clipped
by ``--clip-norm``; the paper's are 2 and 1. Attention is the similarity to a class's prototype,
where it exceeds that to the background's, and 0 elsewhere, so that the labels without a threshold
are those of a small one.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import BranchMaps
from wsss_cli.models.trunks import Trunk
from wsss_cli.ops.image_prototypes import (
    EPSILON,
    normalised_activation,
    prototype_maps,
    structure_seeds,
)
from wsss_cli.ops.losses import multilabel_loss

# Channels to which the features of the four stages are projected.
_WIDTHS = (128, 128, 256, 256)


class SipeNetwork(nn.Module):
    """A trunk, a linear classifier and the projections of four of the trunk's blocks."""

    def __init__(self, trunk: Trunk, num_classes: int, config: TrainConfig) -> None:
        """Put the classifier and the projections on the trunk.

        Args:
            trunk: Gives the features.
            num_classes: Foreground classes C.
            config: ``loss_reduction`` and ``sipe_weight``.
        """
        super().__init__()
        self.trunk = trunk
        self.reduction = config.reduction
        # A mean over classes is C times smaller than a sum, so the loss beside it is, too.
        self.weight = config.sipe_weight * (num_classes if config.reduction == "sum" else 1)
        self.head_a = nn.Conv2d(trunk.channels, num_classes, 1, bias=False)
        nn.init.xavier_normal_(self.head_a.weight)
        self.head_projections = nn.ModuleList(
            nn.Conv2d(channels, width, 1, bias=False)
            for channels, width in zip(trunk.block_channels()[-4:], _WIDTHS, strict=True)
        )

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses of the image's labels and of the agreement with the prototypes."""
        stages = self.trunk.block_features(images)[-4:]
        scores = self.head_a(stages[-1])  # (B, C, h, w)
        activation = normalised_activation(scores, labels)
        hierarchy = self.hierarchy(stages, scores.shape[-2:])
        seeds = structure_seeds(activation, labels, stages[-1])
        drawn = prototype_maps(seeds, hierarchy)  # (B, C + 1, h, w)
        drawn = drawn / (drawn.amax(dim=(2, 3), keepdim=True) + EPSILON)
        present = torch.cat((labels, labels.new_ones(len(labels), 1)), dim=1)[:, :, None, None]
        return {
            "a": multilabel_loss(scores.mean(dim=(2, 3)), labels, reduction=self.reduction),
            "prototypes": self.weight * ((activation - drawn).abs() * present).mean(),
        }

    def hierarchy(self, stages: list[Tensor], size: torch.Size) -> Tensor:
        """(B, 768, h, w) features of four stages, each of unit length at every position."""
        parts = []
        for stage, project in zip(stages, self.head_projections, strict=True):
            projected = functional.normalize(project(stage.detach()).float(), dim=1)
            parts.append(
                functional.interpolate(projected, size, mode="bilinear", align_corners=False)
            )
        return torch.cat(parts, dim=1)

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Similarity to the prototypes of the present classes, one branch."""
        stages = self.trunk.block_features(images)[-4:]
        scores = self.head_a(stages[-1])  # (B, C, h, w)
        pairs = labels.nonzero()  # (P, 2)
        activation = normalised_activation(scores, labels)
        hierarchy = self.hierarchy(stages, scores.shape[-2:])
        drawn = prototype_maps(structure_seeds(activation, labels, hierarchy), hierarchy)
        classes = drawn[:, :-1] * (drawn[:, :-1] > drawn[:, -1:])
        maps = classes[pairs[:, 0], pairs[:, 1]]  # (P, h, w)
        return BranchMaps(scores.mean(dim=(2, 3)), pairs, maps[:, None], stages[-1])


def build(trunk: Trunk, num_classes: int, config: TrainConfig) -> SipeNetwork:
    """Build the network with the settings of the config."""
    return SipeNetwork(trunk, num_classes, config)
