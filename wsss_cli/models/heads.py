"""The classification head that every branch has."""

import torch
from torch import Tensor, nn

from wsss_cli.models.batch_wide_layers import Dropout

# As many as SeeNet's head has on VGG16; on the 2048 channels of a ResNet, as many would be 76
# million weights.
_MOST_HIDDEN = 512


class ClassHead(nn.Module):
    """Two 3x3 convolutions, dropout and a 1x1 convolution to class score maps.

    The head of SeeNet's released model; global average pooling of its maps gives the logits. A
    linear head is the 1x1 convolution alone.
    """

    def __init__(
        self, channels: int, num_classes: int, std: float | None, hidden: int | None = None
    ) -> None:
        """Make the layers.

        Args:
            channels: Channels of the features.
            num_classes: Foreground classes C.
            std: Deviation of the initial normal weights; None scales it to each layer's inputs
                (He et al. 2015), which a trunk without pretrained activations needs.
            hidden: Channels of the two 3x3 convolutions; None is as many as the features have, at
                most 512, and 0 makes the head linear.
        """
        super().__init__()
        hidden = min(channels, _MOST_HIDDEN) if hidden is None else hidden
        self.hidden = nn.Sequential()
        if hidden:
            self.hidden = nn.Sequential(
                nn.Conv2d(channels, hidden, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(hidden, hidden, 3, padding=1),
                nn.ReLU(inplace=True),
                Dropout(0.5),
            )
        self.score = nn.Conv2d(hidden or channels, num_classes, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                if std is None:
                    nn.init.kaiming_normal_(layer.weight)
                else:
                    nn.init.normal_(layer.weight, std=std)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(B, K, h, w) features to (B, C, h, w) class score maps."""
        return self.score(self.hidden(features))  # type: ignore[no-any-return]

    def class_map(self, features: Tensor, columns: Tensor) -> Tensor:
        """The score map of one class per image.

        Args:
            features: (P, K, h, w).
            columns: (P,) int64, the class column wanted of each.

        Returns:
            (P, h, w).
        """
        hidden = self.hidden(features)  # (P, J, h, w)
        weight = self.score.weight[columns, :, 0, 0].to(hidden.dtype)  # (P, J)
        maps = torch.einsum("pjhw,pj->phw", hidden, weight)
        return maps + self.score.bias[columns].to(hidden.dtype)[:, None, None]  # type: ignore[index]
