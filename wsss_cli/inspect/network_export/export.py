"""Writes a network with its preprocessing for other programs: as ONNX or a program of torch."""

import io
import json
import logging
import time
import warnings
from importlib.util import find_spec
from typing import Any

import torch

from wsss_cli.artifacts.atomic import require_free, write_bytes
from wsss_cli.configs.export_network import CLASS_NAMES, ExportNetworkConfig
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.inspect.network_export.card import model_card
from wsss_cli.inspect.network_export.graph import NetworkGraph, graph_of
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track

_EXTRA = ("onnx", "onnxscript")


def run(config: ExportNetworkConfig, *, track: Track) -> Report:
    """Write the network and its card.

    Raises:
        UsageError: Something lies there, or the extra is not installed.
        WsssError: The checkpoint holds no network that can be exported, or the disk is full.
    """
    started = time.monotonic()
    for path in (config.out, config.card):
        require_free(path, "--out", overwrite=config.overwrite)
    missing = [name for name in _EXTRA if config.is_onnx and find_spec(name) is None]
    if missing:
        raise UsageError(
            f"writing ONNX needs {' and '.join(missing)}, which is not installed; "
            "pip install 'wsss-cli[onnx]' brings it"
        )
    graph = graph_of(config.checkpoint)
    track.note("translating the network, which takes some seconds")
    opset, content = _onnx(graph) if config.is_onnx else (None, _torch_program(graph))
    card = model_card(config.checkpoint, config.out, graph, opset)
    write_bytes(config.card, card.encode())
    try:
        write_bytes(config.out, content)  # last: whoever finds the network finds its card
    except WsssError:
        config.card.unlink()
        raise
    values = {
        "out": str(config.out),
        "card": str(config.card),
        "kind": graph.kind,
        "model": graph.model,
        "class_names": list(graph.class_names),
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "opset": opset,
        "bytes": len(content),
        "seconds": round(time.monotonic() - started, 2),
    }
    return Report("export-network", config.out, False, values)


def _dynamic(graph: NetworkGraph) -> dict[str, Any]:
    """Which sides of the inputs may change: height and width of the images."""
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    return {name: sides if name == "images" else None for name in graph.inputs}


def _onnx(graph: NetworkGraph) -> tuple[int, bytes]:
    """The version of ONNX's operators, and the file."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the translator about its own future
        program: Any = torch.onnx.export(
            graph.module,
            tuple(graph.inputs.values()),
            dynamo=True,
            dynamic_shapes=_dynamic(graph),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            verbose=False,
        )
    program.model.metadata_props[CLASS_NAMES] = json.dumps(graph.class_names)
    return program.model.opset_imports[""], program.model_proto.SerializeToString()


def _torch_program(graph: NetworkGraph) -> bytes:
    """What ``torch.export.load`` reads."""
    program = torch.export.export(
        graph.module, tuple(graph.inputs.values()), dynamic_shapes=_dynamic(graph)
    )
    buffer = io.BytesIO()
    names = json.dumps(graph.class_names)
    torch.export.save(program, buffer, extra_files={CLASS_NAMES: names})
    return buffer.getvalue()
