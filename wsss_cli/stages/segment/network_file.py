"""The checkpoint of a segmentation network."""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from wsss_cli.artifacts.checkpoint import read_checkpoint, require_names, write_checkpoint
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.checkpoint_fit import content_of, rebuilt
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV

_KIND = "segmentation"
_MOST_PIXELS_A_SIDE = 2**31
_MOST_CHANNELS = 2**20


class SegmentationCheckpoint(NamedTuple):
    """Contents of the checkpoint of a segmentation network.

    Attributes:
        network: On the CPU, with its trained weights.
        model: Name of its model.
        class_names: Without background.
        scale_range: Smallest and largest random scale of its training; None where that is not
            recorded.
        longest_side: Longer side, in pixels, that 95 of 100 pictures of its training do not exceed;
            None where that is not recorded.
        replaced_labels: Share of the pixels that the steps after the last line of the log learned
            with a corrected label; None where there is none.
    """

    network: DeepLabLargeFOV
    model: str
    class_names: tuple[str, ...]
    scale_range: tuple[float, float] | None
    longest_side: int | None
    replaced_labels: float | None = None


def write_network(
    path: Path,
    network: DeepLabLargeFOV,
    model: str,
    weights: str,
    class_names: Sequence[str],
    scale_range: tuple[float, float],
    longest_side: int,
    replaced_labels: float | None = None,
) -> None:
    """Write a trained network, with the names of its model, initial weights and classes.

    Args:
        path: Where to.
        network: The trained network.
        model: Name of its model.
        weights: Name of its initial weights.
        class_names: Without background.
        scale_range: Smallest and largest random scale of the training.
        longest_side: Longer side that nearly all pictures of the training do not exceed.
        replaced_labels: Share of corrected labels that no line of the log has.
    """
    scale_low, scale_high = scale_range
    write_checkpoint(
        path,
        _KIND,
        {
            "class_names": list(class_names),
            "model": model,
            "head_channels": network.hidden,
            "weights": weights,
            "scale_low": scale_low,
            "scale_high": scale_high,
            "longest_side": longest_side,
            **({} if replaced_labels is None else {"replaced_labels": replaced_labels}),
            "network": network.state_dict(),
        },
    )


def read_network(path: Path) -> SegmentationCheckpoint:
    """Rebuild a trained segmentation network from its checkpoint.

    Raises:
        WsssError: The file is no such checkpoint.
    """
    content = read_checkpoint(path, _KIND)
    with content_of(path, "segmentation network"):
        require_names(content["class_names"])
        names = tuple(content["class_names"])
        scale_range = recorded_scale_range(content)
        longest_side = _recorded_side(content)
        form = (content["model"], len(names) + 1, _recorded_head_channels(content))
        network = rebuilt(lambda: deeplab_largefov.build(*form), content["network"])
    return SegmentationCheckpoint(
        network,
        str(content["model"]),
        names,
        scale_range,
        longest_side,
        content.get("replaced_labels"),
    )


def load_network(path: Path) -> tuple[DeepLabLargeFOV, str, tuple[str, ...]]:
    """The network of a checkpoint on the CPU, the name of its model, and its class names.

    Raises:
        WsssError: The file is no such checkpoint.
    """
    return read_network(path)[:3]


def recorded_scale_range(facts: Mapping[str, Any]) -> tuple[float, float] | None:
    """The range of random scales recorded in a checkpoint or in the settings of a manifest.

    Returns:
        Smallest and largest; None where neither is recorded.

    Raises:
        KeyError: One of both is missing.
        TypeError: They are no numbers.
        ValueError: They are no range of positive numbers.
    """
    if "scale_low" not in facts and "scale_high" not in facts:
        return None
    low, high = float(facts["scale_low"]), float(facts["scale_high"])
    if not (0 < low <= high and isfinite(high)):
        raise ValueError("its scale_low and scale_high are no range of positive numbers")
    return low, high


def _recorded_head_channels(content: Mapping[str, Any]) -> int | None:
    """Channels of fc6 and fc7; None where they are not recorded, and the model's own.

    Raises:
        ValueError: They are no number of channels.
    """
    channels = content.get("head_channels")
    if channels is not None and not (isinstance(channels, int) and 0 <= channels < _MOST_CHANNELS):
        raise ValueError("its head_channels is no number of channels")
    return channels


def _recorded_side(content: Mapping[str, Any]) -> int | None:
    """The size of the training's pictures, None where it is not recorded.

    Raises:
        ValueError: It is no number of pixels.
    """
    side = content.get("longest_side")
    if side is not None and not (isinstance(side, int) and 0 < side <= _MOST_PIXELS_A_SIDE):
        raise ValueError("its longest_side is no number of pixels")
    return side
