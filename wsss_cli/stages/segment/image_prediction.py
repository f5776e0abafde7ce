"""Prediction of one photograph at a time, whatever data set or run it belongs to."""

from dataclasses import dataclass

import torch
from torch import Tensor

from wsss_cli.configs.crf import PRESETS
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import autocast
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.ops.dense_crf import dense_crf, refined_labels
from wsss_cli.ops.presence import weighted_by_presence
from wsss_cli.ops.score_grid import best_labels, label_probabilities, log_probabilities
from wsss_cli.stages.segment.classifier import ImageClassifier
from wsss_cli.stages.segment.views import merged_logits


@dataclass(frozen=True)
class ImagePredictor:
    """A trained segmentation network with the way in which it looks at photographs.

    Attributes:
        network: The network; it is moved to the device, into evaluation mode.
        scales: Factors of the photograph's sides to look at.
        flip: Also look at the mirrored views.
        merge: ``mean`` or ``max`` of the views' logits.
        crf: Name of the settings of the dense CRF that refines label maps; None is none.
        device: Where to compute.
        precision: ``bfloat16`` or ``float32``.
        classifier: What weighs the classes by the photograph as a whole; None weighs none.
    """

    network: DeepLabLargeFOV
    scales: tuple[float, ...]
    flip: bool
    merge: str
    crf: str | None
    device: torch.device
    precision: str
    classifier: ImageClassifier | None = None

    def __post_init__(self) -> None:
        self.network.eval().to(self.device)
        self.network.to(memory_format=torch.channels_last)
        if self.classifier is not None:
            self.classifier.to_device()

    def scores(
        self, image: Pixels, possible: Tensor | None = None, *, reduction: float = 1.0
    ) -> Tensor:
        """Score a photograph with the network, all views merged.

        Args:
            image: (H, W, 3) uint8 RGB.
            possible: (L,) bool, labels that the image can have; None is all.
            reduction: Factor of all scales, for photographs larger than what was trained on.

        Returns:
            (L, h, w) float16 log-probabilities on a grid that spans the image.
        """
        with torch.inference_mode(), autocast(self.device, self.precision):
            logits = merged_logits(
                self.network,
                image,
                [scale * reduction for scale in self.scales],
                flip=self.flip,
                merge=self.merge,
                device=self.device,
            )
        if self.classifier is not None:
            logits = weighted_by_presence(logits, self.classifier.logits(image))
        return log_probabilities(logits, possible)

    def label_map(self, scores: Tensor, image: Pixels, *, reduction: float = 1.0) -> Tensor:
        """The best label of every pixel.

        Args:
            scores: (L, h, w) of :meth:`scores`.
            image: (H, W, 3) the photograph, which refines them with a CRF.
            reduction: As for the scores. The CRF sees the photograph reduced by it, too: its
                settings are for pictures of that size, and its memory grows with the pixels.

        Returns:
            (H, W) uint8.
        """
        size = image.shape[0], image.shape[1]
        if self.crf is None:
            return best_labels(scores, size)
        settings = PRESETS[self.crf]
        if reduction == 1:
            probabilities = label_probabilities(scores, size)
            return refined_labels(probabilities, torch.from_numpy(image), settings)
        small = resize_image(image, (_reduced(size[0], reduction), _reduced(size[1], reduction)))
        probabilities = label_probabilities(scores, (small.shape[0], small.shape[1]))
        return best_labels(dense_crf(probabilities, torch.from_numpy(small), settings), size)


def _reduced(side: int, reduction: float) -> int:
    return max(1, round(side * reduction))
