"""An attention network that says which classes a photograph shows, for a segmentation network.

A segmentation network sees a neighbourhood of each pixel and finds classes that the photograph as a
whole does not have; the classifier of the chain's first stage has learned just that.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import autocast
from wsss_cli.errors import WsssError
from wsss_cli.methods.network_file import load_network
from wsss_cli.methods.protocol import AttentionNetwork
from wsss_cli.stages.attend.network_attention import labels_by_network

SIDE = AttendConfig.size
"""Side of the square that a photograph is seen as, in pixels."""


@dataclass(frozen=True)
class ImageClassifier:
    """A trained attention network as a classifier of photographs.

    Attributes:
        path: Its file.
        network: The network.
        class_names: Without background.
        device: Where to compute.
        precision: ``bfloat16`` or ``float32``.
    """

    path: Path
    network: AttentionNetwork
    class_names: tuple[str, ...]
    device: torch.device
    precision: str

    def to_device(self) -> None:
        """Move the network to the device, into evaluation mode."""
        module: nn.Module = self.network.eval().to(self.device)
        module.to(memory_format=torch.channels_last)

    def logits(self, image: Pixels) -> Tensor:
        """(C,) float32 logits of a photograph (H, W, 3) uint8 RGB.

        Raises:
            WsssError: They are no numbers, as after a training that diverged.
        """
        view = torch.from_numpy(resize_image(image, (SIDE, SIDE))).permute(2, 0, 1)[None]
        with torch.inference_mode(), autocast(self.device, self.precision):
            seen = view.to(self.device)
            _, logits = labels_by_network(self.network, seen, len(self.class_names))
        if logits.isnan().any():
            raise WsssError(
                f"--classifier {self.path} gives no numbers: its training diverged; give another"
            )
        return logits[0].float()


def load_classifier(path: Path, device: torch.device, precision: str) -> ImageClassifier:
    """Read the checkpoint of an attention network.

    Raises:
        WsssError: The file is no such checkpoint.
    """
    network, _, class_names = load_network(path)
    return ImageClassifier(path, network, class_names, device, precision)
