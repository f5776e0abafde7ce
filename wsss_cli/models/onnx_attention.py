"""Class maps of any network that was exported as ONNX, in the place of one that we trained.

The file answers for images (B, 3, h, w) with one of

- scores (B, C, h', w') of the classes at each position,
- features (B, K, h', w') and the weights (C, K) of a linear layer on their mean, of which class
  activation maps are made (Zhou et al., "Learning Deep Features for Discriminative Localization",
  CVPR 2016),
- what ``wsss export-network`` writes of an attention network: logits and maps, given the labels.

Other outputs are left alone.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.models.onnx_network import Array, OnnxNetwork
from wsss_cli.models.trunks import TORCHVISION_PREPROCESSING
from wsss_cli.ops.attention import BranchMaps

_OWN_INPUTS = {"images", "labels"}
_OWN_OUTPUTS = {"logits", "maps"}


class OnnxAttention(nn.Module):
    """An attention network out of a file; it does not learn."""

    def __init__(
        self,
        path: Path,
        class_names: Sequence[str],
        mean: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
    ) -> None:
        """Read the file.

        Args:
            path: ONNX file.
            class_names: Names of the classes 1..C that are asked for.
            mean: What pixels in 0..1 have subtracted, one number or three; None is ImageNet's.
            deviation: What they are then divided by; None is ImageNet's.

        Raises:
            UsageError: onnxruntime is not installed, or the file expects other input than an image.
            WsssError: It is no ONNX file, or says that it knows other classes.
        """
        super().__init__()
        self.path, self._classes = path, len(class_names)
        self._network = OnnxNetwork(path)
        noted = self._network.metadata.get("class_names")
        if noted is not None and noted != json.dumps(list(class_names)):
            raise WsssError(
                f"{path} knows the classes {noted[:200]}, the data set has {listing(class_names)}"
            )
        inputs = self._network.inputs
        self._own = inputs.keys() == _OWN_INPUTS and set(self._network.outputs) >= _OWN_OUTPUTS
        if self._own and (mean or deviation):
            raise UsageError(
                f"--mean and --deviation: {path} takes photographs as they are; leave them out"
            )
        if not self._own and (len(inputs) != 1 or not _takes_images(next(iter(inputs.values())))):
            listed = ", ".join(f"{name} {_shown(shape)}" for name, shape in inputs.items())
            raise UsageError(
                f"{path} takes {listed}; a network for --model takes images alone, batch x 3 x "
                "height x width"
            )
        standard = TORCHVISION_PREPROCESSING
        self._mean = _channels(standard.mean if mean is None else [255 * m for m in mean])
        self._deviation = _channels(
            standard.std if deviation is None else [255 * each for each in deviation]
        )

    def require_maps(self, size: tuple[int, int], *, features: bool) -> None:
        """Refuse a network that does not answer as it should, by a grey image.

        Args:
            size: (H, W) of the image.
            features: The maps are to be redrawn by the network's features.

        Raises:
            WsssError: It answers with nothing that maps can be made of.
            UsageError: It does not tell its features.
        """
        answer = self.attention(torch.full((1, 3, *size), 128.0), torch.zeros(1, self._classes))
        if features and not answer.features.shape[1]:
            raise UsageError(
                f"--prototypes: {self.path} does not tell its features; leave --prototypes out, or "
                "give a network with outputs of features and weights"
            )

    def losses(self, images: Tensor, labels: Tensor, *saliency: Tensor) -> dict[str, Tensor]:
        """None: a file does not learn."""
        del images, labels, saliency
        raise NotImplementedError

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        """Raw maps of the present classes.

        Args:
            images: (B, 3, H, W) RGB in 0..255.
            labels: (B, C) multi-hot float.

        Raises:
            WsssError: The network answers with nothing that maps can be made of.
        """
        device = images.device
        pixels = images.float().cpu().contiguous()
        told = labels.float().cpu()
        one_by_one = next(iter(self._network.inputs.values()))[0] == 1
        size = 1 if one_by_one else len(pixels)
        parts = [
            self._answer(pixels[first : first + size], told[first : first + size])
            for first in range(0, len(pixels), size)
        ]
        scores, logits, features = (torch.cat(each).to(device) for each in zip(*parts, strict=True))
        pairs = labels.nonzero()
        maps = scores[pairs[:, 0], pairs[:, 1]][:, None]
        return BranchMaps(logits, pairs, maps, features)

    def _answer(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, h, w) scores, (B, C) logits and (B, K, h, w) features, K of 0 for none."""
        if self._own:
            answer = self._network.run({"images": images.numpy(), "labels": labels.numpy()})
            maps, logits = (torch.from_numpy(_floats(answer[name])) for name in ("maps", "logits"))
            return maps, logits, maps[:, :0]
        (name,) = self._network.inputs
        prepared = (images - self._mean) / self._deviation
        answer = self._network.run({name: prepared.numpy()})
        weights, scores, features = self._told_apart(answer, len(images))
        if scores is None:
            assert weights is not None
            assert features is not None
            scores = torch.einsum("bkhw,ck->bchw", features, weights)
        if features is None:
            features = scores[:, :0]
        return scores, scores.mean(dim=(-2, -1)), features

    def _told_apart(
        self, answer: dict[str, Array], images: int
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Weights (C, K), scores (B, C, h, w) and features (B, K, h, w) among the outputs.

        Raises:
            WsssError: Neither scores, nor features with weights, are there, or there are several.
        """
        grids = [
            torch.from_numpy(_floats(array))
            for array in answer.values()
            if array.ndim == 4 and len(array) == images
        ]
        scores = [grid for grid in grids if grid.shape[1] == self._classes]
        if len(scores) == 1:
            return None, scores[0], None
        matrices = [torch.from_numpy(_floats(a)) for a in answer.values() if a.ndim == 2]
        pairs = [
            (weights, grid)
            for weights in matrices
            for grid in grids
            if tuple(weights.shape) == (self._classes, grid.shape[1])
        ]
        if len(pairs) == 1 and not scores:
            return pairs[0][0], None, pairs[0][1]
        listed = ", ".join(f"{name} {_shown(array.shape)}" for name, array in answer.items())
        raise WsssError(
            f"{self.path} answers with {listed}; maps of {self._classes} classes need one output "
            f"of scores, batch x {self._classes} x height x width, or features, batch x K x height "
            f"x width, with weights, {self._classes} x K"
        )


def _takes_images(shape: tuple[int | None, ...]) -> bool:
    return len(shape) == 4 and shape[1] in (3, None)


def _channels(numbers: Sequence[float]) -> Tensor:
    """(3, 1, 1) or (1, 1, 1) of one number for each channel, or for all."""
    return torch.tensor(numbers, dtype=torch.float32)[:, None, None]


def _floats(array: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.ascontiguousarray(array, np.float32)


def _shown(shape: Sequence[int | None]) -> str:
    return " x ".join("?" if side is None else str(side) for side in shape) or "a number"
