"""Writes a segmentation network as ONNX, with its preprocessing and its label map."""

import json
import logging
import time
import warnings
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from wsss_cli.artifacts.atomic import require_free, write_bytes
from wsss_cli.configs.export_network import ExportNetworkConfig
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.inspect.network_export.card import model_card
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.stages.result import Report
from wsss_cli.stages.segment.network_file import read_network
from wsss_cli.tracking import Track

# Sides that no stride divides, so that the padding becomes part of the graph.
_EXAMPLE_SIZE = (83, 122)
_EXTRA = ("onnx", "onnxscript")


class _WithLabels(nn.Module):
    """A segmentation network that also tells the best label of each pixel."""

    def __init__(self, network: DeepLabLargeFOV) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(1, 3, H, W) RGB in 0..255 to (1, L, H, W) logits and (1, H, W) labels."""
        logits = self.network(images)
        return logits, logits.argmax(dim=1)


def run(config: ExportNetworkConfig, *, track: Track) -> Report:
    """Write the network and its card.

    Raises:
        UsageError: Something lies there, or the extra is not installed.
        WsssError: The checkpoint is none of a segmentation network, or the disk is full.
    """
    started = time.monotonic()
    for path in (config.out, config.card):
        require_free(path, "--out", overwrite=config.overwrite)
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"writing ONNX needs {' and '.join(missing)}, which is not installed; "
            "pip install 'wsss-cli[onnx]' brings it"
        )
    checkpoint = read_network(config.checkpoint)
    track.note("translating the network, which takes some seconds")
    program = _translated(_WithLabels(checkpoint.network.eval()))
    program.model.metadata_props["class_names"] = json.dumps(checkpoint.class_names)
    opset = program.model.opset_imports[""]
    card = model_card(config.checkpoint, config.out, checkpoint, opset)
    content = program.model_proto.SerializeToString()
    write_bytes(config.card, card.encode())
    try:
        write_bytes(config.out, content)  # last: whoever finds the network finds its card
    except WsssError:
        config.card.unlink()
        raise
    values = {
        "out": str(config.out),
        "card": str(config.card),
        "model": checkpoint.model,
        "class_names": list(checkpoint.class_names),
        "opset": opset,
        "bytes": config.out.stat().st_size,
        "seconds": round(time.monotonic() - started, 2),
    }
    return Report("export-network", config.out, False, values)


def _translated(network: nn.Module) -> Any:  # noqa: ANN401 - torch.onnx.ONNXProgram
    """The network as ONNX, for images of any height and width."""
    example = torch.zeros(1, 3, *_EXAMPLE_SIZE)
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the translator about its own future
        return torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes={"images": sides},
            input_names=["images"],
            output_names=["logits", "labels"],
            verbose=False,
        )
