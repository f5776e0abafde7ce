"""DeepLab-LargeFOV, in the form that the SeeNet authors' group trains it.

Chen et al., "Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs",
ICLR 2015.
VGG16 keeps its resolution from pool4 on (stride 1), conv5 is dilated by 2 instead, and fc6
becomes a 3x3 convolution dilated by 12 that sees a large field at output stride 8. fc6 and fc7
start from the ImageNet classifier, sub-sampled. On a ResNet the same three layers stand on its last
stage, without a pooling between.

Different here: where the weights have no classifier, the definition says Xavier, and we do not
follow it; see ``_VGG_FC6_STD``.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.labels import IGNORE
from wsss_cli.models.batch_wide_layers import Dropout
from wsss_cli.models.imagenet_classifier import largefov_layers
from wsss_cli.models.pretrained import InitialWeights
from wsss_cli.models.trunks import (
    VGG_POOLS,
    Preprocessing,
    Trunk,
    build_trunk,
    dilate_conv5,
    vgg16_layers,
)

SCORE_LR_FACTOR = 10.0  # the score layer starts from nothing
SCORE_STD = 0.01  # deviation of its initial weights, as in DeepLab
DROPOUT = 0.5  # after fc6 and fc7
_OUTPUT_STRIDE = 8
# Oxford's weights give features of about 16 (root mean square): on these, Xavier's fc6 answers
# with 8 and the training diverges within twenty iterations at the solver's rate. With this
# deviation it answers with about 1, and fc7 can start as He et al. have it (docs/results-diary.md
# has what each start learns).
_VGG_FC6_STD = 0.0017


class DeepLabLargeFOV(nn.Module):
    """A trunk of output stride 8, a convolution with a large field of view, and scores.

    Attributes:
        trunk: Preprocessing and feature layers.
        hidden: Channels of fc6 and fc7; with 0 there are none, and scores are linear in features.
        classifier: fc6, fc7 and the score layer, with fresh weights.
    """

    def __init__(
        self,
        trunk: Trunk,
        num_labels: int,
        *,
        hidden: int,
        dilation: int,
        smoothing: nn.Module,
        corner_aligned: bool,
        fc6_std: float | None = None,
    ) -> None:
        """Put the classifier on the trunk.

        Args:
            trunk: Output stride 8.
            num_labels: Labels including background.
            hidden: Channels of fc6 and fc7, 0 for neither.
            dilation: Dilation of fc6.
            smoothing: Pooling between trunk and fc6.
            corner_aligned: Whether the first and last features sit on the first and last pixel
                (odd kernels with padding) or inside (poolings of 2).
            fc6_std: Deviation of the initial fc6, where features are not of unit scale; None is
                He's.
        """
        super().__init__()
        self.trunk = trunk
        self.smoothing = smoothing
        self.corner_aligned = corner_aligned
        self.fc6_std = fc6_std
        self.hidden = hidden
        self.classifier = nn.Sequential()
        if hidden:
            fc6 = nn.Conv2d(trunk.channels, hidden, 3, padding=dilation, dilation=dilation)
            self.classifier.add_module("fc6", fc6)
            self.classifier.add_module("relu6", nn.ReLU(inplace=True))
            self.classifier.add_module("drop6", Dropout(DROPOUT))
            self.classifier.add_module("fc7", nn.Conv2d(hidden, hidden, 1))
            self.classifier.add_module("relu7", nn.ReLU(inplace=True))
            self.classifier.add_module("drop7", Dropout(DROPOUT))
        self.classifier.add_module("score", nn.Conv2d(hidden or trunk.channels, num_labels, 1))
        for name, parameter in self.classifier.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.startswith("score"):
                nn.init.normal_(parameter, std=SCORE_STD)
            elif name.startswith("fc6") and fc6_std is not None:
                nn.init.normal_(parameter, std=fc6_std)
            else:
                nn.init.kaiming_normal_(parameter)

    def start_from(self, weights: InitialWeights) -> dict[str, str]:
        """Load the trunk, and fc6 and fc7 where the weights hold an ImageNet classifier.

        Returns:
            Where ``trunk`` and ``fc6_fc7`` come from, in words.

        Raises:
            WsssError: The weights cannot be had, or do not fit the trunk.
        """
        layers = largefov_layers(weights.load_into(self.trunk))
        if not self.hidden:
            return {"trunk": weights.name, "fc6_fc7": "left out"}
        fresh = self.classifier.state_dict()
        if layers is None or any(t.shape != fresh[name].shape for name, t in layers.items()):
            fc6 = "He" if self.fc6_std is None else f"a normal deviation of {self.fc6_std}"
            origin = f"new: fc6 from {fc6}, fc7 from He"
        else:
            self.classifier.load_state_dict({**fresh, **layers})
            origin = "ImageNet classifier, sub-sampled"
        return {"trunk": weights.name, "fc6_fc7": origin}

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in 0..255 to (B, L, H, W) float32 logits."""
        return self.enlarged(self.scores(images), images.shape[-2:])

    def scores(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in 0..255 to (B, L, h, w) float32 logits at the trunk's stride.

        They sit on pixels 0, 8, 16 .. where corners are aligned, else on 3.5, 11.5 ..; the last
        ones may lie beyond the image.
        """
        return self.scores_of(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in 0..255 to (B, K, h, w) features of the trunk."""
        return self.trunk(self.trunk.extended(images, self._padded(images.shape[-2:])))  # type: ignore[no-any-return]

    def scores_of(self, features: Tensor) -> Tensor:
        """(B, K, h, w) features of the trunk to (B, L, h, w) float32 logits."""
        return self.classifier(self.smoothing(features)).float()  # type: ignore[no-any-return]

    def enlarged(self, scores: Tensor, size: Sequence[int]) -> Tensor:
        """(B, L, h, w) logits of :meth:`scores` to (B, L, H, W), those of images of this size."""
        logits = functional.interpolate(
            scores, self._padded(size), mode="bilinear", align_corners=self.corner_aligned
        )
        return logits[:, :, : size[0], : size[1]]

    def _padded(self, sides: Sequence[int]) -> tuple[int, ...]:
        """The (H, W) that the stride divides, or that are one more than what it divides."""
        extra = 1 if self.corner_aligned else 0
        return tuple(_round_up(side - extra, _OUTPUT_STRIDE) + extra for side in sides)


def lr_factor(name: str) -> float:
    """Factor of the learning rate by parameter name; every bias has twice its layer's."""
    return SCORE_LR_FACTOR if name.startswith("classifier.score") else 1.0


def segmentation_loss(
    logits: Tensor, label_maps: Tensor, pixel_weights: Tensor | None = None
) -> Tensor:
    """Cross entropy averaged over the pixels that are not 255; 0 where all are.

    Args:
        logits: (B, L, H, W).
        label_maps: (B, H, W) int64.
        pixel_weights: (B, H, W) float factor of each pixel's cross entropy; the average is still
            over the number of pixels, so a pixel of weight 1 counts as much as without weights.
    """
    reduction = "sum" if pixel_weights is None else "none"
    losses = functional.cross_entropy(logits, label_maps, ignore_index=IGNORE, reduction=reduction)
    total = losses if pixel_weights is None else (losses * pixel_weights).sum()
    return total / (label_maps != IGNORE).sum().clamp_min(1)


def build(model: str, num_labels: int, head_channels: int | None = None) -> DeepLabLargeFOV:
    """Build a segmentation network with fresh weights.

    Args:
        model: Its name in the table of models.
        num_labels: Labels including background.
        head_channels: Channels of fc6 and fc7; 0 for neither, None for the model's own.
    """
    backbone = SEGMENTATION_MODELS[model].backbone
    hidden = SEGMENTATION_MODELS[model].head_channels if head_channels is None else head_channels
    if backbone == "tiny":
        return DeepLabLargeFOV(
            build_trunk(backbone),
            num_labels,
            hidden=hidden,
            dilation=3,
            smoothing=nn.Identity(),
            corner_aligned=False,
        )
    if backbone == "vgg16":
        return DeepLabLargeFOV(
            _vgg16_stride8(),
            num_labels,
            hidden=hidden,
            dilation=12,
            smoothing=nn.Sequential(
                nn.MaxPool2d(3, stride=1, padding=1), nn.AvgPool2d(3, stride=1, padding=1)
            ),
            corner_aligned=True,
            fc6_std=_VGG_FC6_STD,
        )
    return DeepLabLargeFOV(
        build_trunk(backbone),
        num_labels,
        hidden=hidden,
        dilation=12,
        smoothing=nn.Identity(),
        corner_aligned=True,
    )


def _vgg16_stride8() -> Trunk:
    """VGG16 whose poolings overlap, with pool4 at stride 1 and conv5 dilated by 2."""
    layers = list(vgg16_layers())
    for index in VGG_POOLS:
        layers[index] = nn.MaxPool2d(3, stride=2, padding=1)
    dilate_conv5(layers)
    trunk = Trunk(nn.Sequential(*layers), blocks=(5, 10, 17, 24, 30), channels=512, stride=8)
    trunk.set_preprocessing(Preprocessing())
    return trunk


def _round_up(value: int, multiple: int) -> int:
    # Of positive numbers only: ONNX divides negative ones towards zero.
    return (value + multiple - 1) // multiple * multiple
