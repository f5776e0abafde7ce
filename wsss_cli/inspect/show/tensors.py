"""Explains checkpoints and other files of tensors, without running code from them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from wsss_cli.artifacts.checkpoint import FORMAT, read_tensors
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.configs.backbones import BACKBONES
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.configs.stages import STAGES
from wsss_cli.errors import WsssError
from wsss_cli.inspect.show.explanation import Explanation, Writer

Content = Mapping[str, Any]


def explain_tensors(path: Path, writer: Writer | None) -> Explanation:
    """Tell the checkpoints of the stages from each other and from weights of other tools."""
    content = read_tensors(path, lazily=True)
    if content.get("format") != FORMAT:
        return _weights(path, content)
    kind = str(content.get("kind"))
    explain = _KINDS.get(kind)
    if explain is None:
        raise WsssError(f"{path} is a checkpoint for {kind}, which this version does not know")
    try:
        return explain(path, content, writer)
    except (KeyError, TypeError, AttributeError) as error:
        raise WsssError(
            f"{path} says that it is a checkpoint for {kind}, but does not hold a whole one "
            f"({error}); train again"
        ) from error


def _attention(path: Path, content: Content, writer: Writer | None) -> Explanation:
    del writer
    config = content["config"]
    iteration = int(path.stem) if path.parent.name == "snapshots" else config["iterations"]
    facts = {
        "method": config["method"],
        "backbone": config["backbone"],
        "output_stride": config.get("output_stride")
        or BACKBONES[config["backbone"]].output_strides[0],
        "class_names": list(content["class_names"]),
        "iteration": iteration,
        **_counted(content["network"]),
        "settings": dict(config),
    }
    return Explanation("a checkpoint: an attention network", facts)


def _segmentation(path: Path, content: Content, writer: Writer | None) -> Explanation:
    del path
    settings = {} if writer is None else writer.manifest.get("settings", {})
    model = SEGMENTATION_MODELS.get(content["model"])
    facts = {
        "model": content["model"],
        "backbone": None if model is None else model.backbone,
        "head_channels": content.get("head_channels"),
        "initial_weights": content.get("weights"),
        "scale_low": content.get("scale_low"),
        "scale_high": content.get("scale_high"),
        "class_names": list(content["class_names"]),
        "iteration": settings.get("iterations"),
        **_counted(content["network"]),
    }
    return Explanation("a checkpoint: a segmentation network", facts)


def _edges(path: Path, content: Content, writer: Writer | None) -> Explanation:
    del path, writer
    facts = {"backbone": content["backbone"], **_counted(content["network"])}
    return Explanation("a checkpoint: an edge network", facts)


def _unfinished(path: Path, content: Content, writer: Writer | None) -> Explanation:
    facts = {"iteration": content["iteration"], **_counted(content["network"])}
    advice = None
    if writer is not None and writer.manifest["stage"] in STAGES:
        run = path.parent.parent
        command = recorded_command(writer.manifest["stage"], writer.manifest, run)
        advice = f"`{command}` goes on from it"
    return Explanation("the state of an unfinished training", facts, advice)


_KINDS: Mapping[str, Callable[[Path, Content, Writer | None], Explanation]] = {
    "attention": _attention,
    "segmentation": _segmentation,
    "edges": _edges,
    "resume": _unfinished,
}


def _weights(path: Path, content: Content) -> Explanation:
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise WsssError(
            f"{path} holds no tensors by name but {', '.join(map(str, list(content)[:5]))}; give a "
            "checkpoint of wsss or a dictionary of tensors"
        )
    networks = {"features.0.weight": "VGG16", "layer1.0.conv1.weight": "a ResNet"}
    names = next((title for first, title in networks.items() if first in tensors), None)
    advice = (
        "it has none of torchvision's names, so it is no start for --weights"
        if names is None
        else f"it has torchvision's names of {names}: a start for --weights"
    )
    return Explanation("tensors of another tool", _counted(tensors), advice)


def _counted(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """How many numbers there are: parameters, and what is kept with them, such as means."""
    return {
        "tensors": len(tensors),
        "numbers": sum(tensor.numel() for tensor in tensors.values()),
        "types": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}),
    }
