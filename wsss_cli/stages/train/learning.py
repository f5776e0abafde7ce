"""Whether a training of the attention network has learned anything, in a sentence where not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import CLASSIFICATION_LOSS, AttentionNetwork
from wsss_cli.ops.losses import frequency_loss
from wsss_cli.stages.train.held_out import Classification, Measuring
from wsss_cli.tracking import Track

# A loss that is not lower by this share than that of the label frequencies alone says that hardly
# anything has been learned. A mean of a few hundred images varies by less.
CLEARLY_BELOW = 0.05
# Share of the logged course that the final loss is the mean of: ten iterations alone vary much.
_LAST_SHARE = 0.1
# Where guessing can be that good, there are too few images to tell it from knowing.
_TELLS_NOTHING = 0.9


@dataclass(frozen=True)
class Course:
    """The losses of a training.

    Attributes:
        lines: Lines of its log.
        unlogged: Mean losses since the last line, by name.
    """

    lines: Sequence[Mapping[str, Any]]
    unlogged: Mapping[str, float]

    def final_loss(self) -> float | None:
        """The classification loss over the last tenth; None where none is known."""
        last = self.lines[-max(1, round(_LAST_SHARE * len(self.lines))) :]
        losses = [line["losses"].get(CLASSIFICATION_LOSS) for line in last]
        logged = [loss for loss in losses if loss is not None]
        return sum(logged) / len(logged) if logged else self.unlogged.get(CLASSIFICATION_LOSS)


class Learning:
    """Follows a training by its mAP, and judges it in the end."""

    def __init__(
        self, network: AttentionNetwork, measuring: Measuring | None, track: Track
    ) -> None:
        """Follow the training of a network.

        Args:
            network: In training, on its device.
            measuring: Takes the mAP; None measures nothing.
            track: Told every measurement.
        """
        self._network = network
        self._measuring = measuring
        self._track = track
        self._last: tuple[int, Classification] | None = None

    def also_logged(self, iteration: int) -> dict[str, float]:
        """The mAP for the line of the log, where it is due after so many iterations."""
        measuring = self._measuring
        if measuring is None or not measuring.is_due(iteration):
            return {}
        classification = measuring.measure(self._network)
        self._last = iteration, classification
        self._track.note(measuring.sentence(iteration, classification))
        mean = classification.mean
        return {} if math.isnan(mean) else {"classification_map": mean}

    def outcome(
        self, config: TrainConfig, labels: npt.NDArray[np.bool_], course: Course
    ) -> dict[str, Any]:
        """Say what was learned, as JSON values, with ``warnings`` where it was nothing.

        Args:
            config: Settings of the training.
            labels: (N, C) multi-hot, of the images learned from.
            course: The losses.
        """
        values: dict[str, Any] = {
            "classification_loss": course.final_loss(),
            "frequency_loss": round(frequency_loss(torch.from_numpy(labels), config.reduction), 6),
        }
        if self._measuring is not None:
            if self._last is None or self._last[0] != config.iterations:
                self._last = config.iterations, self._measuring.measure(self._network)
            values |= self._measuring.values(self._last[1])
        return {**values, "warnings": warnings(config, values)}


def warnings(config: TrainConfig, values: Mapping[str, Any]) -> list[str]:
    """Say what speaks against a training, one sentence at most; none where it has learned.

    Args:
        config: Its settings, for the advice.
        values: Its ``classification_loss``, ``frequency_loss`` and ``classification``, as far as
            they are known.
    """
    sentences = []
    loss, knowing_nothing = values["classification_loss"], values["frequency_loss"]
    if loss is not None and loss > (1 - CLEARLY_BELOW) * knowing_nothing:
        sentences.append(
            "the loss is not clearly below that of knowing the label frequencies alone, without "
            f"seeing an image: it ended at {loss:.3f}, the frequencies give {knowing_nothing:.3f}; "
            f"attention maps of such a network are often empty: {_advice(config)}"
        )
    measured = values.get("classification")
    if not sentences and measured and _is_guessing(measured):
        sentences.append(
            f"the mAP on {measured['images']} images, {100 * measured['map']:.1f}, is not above "
            f"guessing, which gives {100 * measured['guessing']:.1f} on average and by chance up "
            f"to {100 * measured['guessing_bound']:.1f}: {_advice(config)}"
        )
    return sentences


def _is_guessing(measured: Mapping[str, Any]) -> bool:
    """Whether the mAP is one that random rankings reach, of images enough to tell."""
    bound = measured["guessing_bound"]
    return measured["map"] is not None and measured["map"] <= bound < _TELLS_NOTHING


def _advice(config: TrainConfig) -> str:
    """Advise what to try next, after the settings of this training."""
    pretrained = ""
    if config.start is None and config.backbone == "tiny":
        pretrained = ", or from pretrained weights (--backbone vgg16 --weights imagenet)"
    elif config.start is None and config.weights == "none":
        pretrained = ", or from pretrained weights (--weights imagenet)"
    return f"train longer (--iterations) or with another --lr{pretrained}"
