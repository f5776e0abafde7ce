"""The checkpoint of a segmentation network."""

from collections.abc import Sequence
from pathlib import Path

import torch

from wsss_cli.artifacts.checkpoint import (
    ODD_CONTENT,
    read_checkpoint,
    require_names,
    write_checkpoint,
)
from wsss_cli.errors import WsssError
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.checkpoint_fit import require_shapes
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV

CHECKPOINT_FILE = "checkpoint.pt"
_KIND = "segmentation"


def write_network(
    path: Path, network: DeepLabLargeFOV, model: str, weights: str, class_names: Sequence[str]
) -> None:
    """Write a trained network, with the names of its model, initial weights and classes."""
    write_checkpoint(
        path,
        _KIND,
        {
            "class_names": list(class_names),
            "model": model,
            "weights": weights,
            "network": network.state_dict(),
        },
    )


def load_network(path: Path) -> tuple[DeepLabLargeFOV, str, tuple[str, ...]]:
    """Rebuild a trained segmentation network from its checkpoint.

    Returns:
        The network on the CPU, the name of its model, and its class names.

    Raises:
        WsssError: The file is no such checkpoint.
    """
    content = read_checkpoint(path, _KIND)
    try:
        require_names(content["class_names"])
        names = tuple(content["class_names"])
        with torch.device("meta"):
            shapes = deeplab_largefov.build(content["model"], len(names) + 1)
        require_shapes(shapes, content["network"])
        network = deeplab_largefov.build(content["model"], len(names) + 1)
        network.load_state_dict(content["network"])
    except ODD_CONTENT as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WsssError(f"{path} does not hold a whole segmentation network ({reason})") from error
    return network, str(content["model"]), names
