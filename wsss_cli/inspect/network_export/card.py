"""The model card of an exported network: what is known of it, and what its owner has to add."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from wsss_cli import __version__
from wsss_cli.artifacts.atomic import read_json
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.errors import WsssError
from wsss_cli.inspect.network_export.graph import NetworkGraph

_KINDS = {
    "segmentation": "A semantic segmentation network",
    "attention": "An attention network: it draws where the classes are that it is told",
}
_INPUTS_AND_OUTPUTS = {
    "segmentation": "Outputs `logits`: float32 (1, {L}, H, W), and `labels`: int64 (1, H, W).",
    "attention": """Input `labels`: float32 (1, {C}), 1 for a class to draw, 0 for another one.
Outputs `logits`: float32 (1, {C}) of the whole image, whatever the labels, and `maps`: float32
(1, {C}, h, w) from 0 to 1, one for each class, to be resized to the image.""",
}


def model_card(path: Path, network_file: Path, graph: NetworkGraph, opset: int | None) -> str:
    """Describe an exported network in Markdown.

    Args:
        path: The checkpoint; the run around it tells of training and scores.
        network_file: The ONNX file.
        graph: What is exported.
        opset: Version of ONNX's operators; None for a program of torch.
    """
    classes = "\n".join(
        f"| {n} | {name} |" for n, name in enumerate(("background", *graph.class_names))
    )
    training = "\n".join(f"- {line}" for line in _training(path))
    return f"""# {network_file.stem}

{_KINDS[graph.kind]}, {graph.model}, written by wsss {__version__}.

## Labels

| label | class |
|---|---|
{classes}

## Training

{training}

## Scores

{_scores(path, graph)}

## Use

Input `images`: float32 (1, 3, H, W), RGB from 0 to 255, any height and width.
{_INPUTS_AND_OUTPUTS[graph.kind].format(L=len(graph.class_names) + 1, C=len(graph.class_names))}

{_program(network_file, graph, opset)}

## To be completed

- Licence of the network:
- Licence and source of the training images:
- Intended use, and uses that it is not fit for:
- Contact:
"""


def _program(network_file: Path, graph: NetworkGraph, opset: int | None) -> str:
    """The lines of Python that run the network."""
    told = f"labels = np.ones((1, {len(graph.class_names)}), np.float32)  # which classes to draw"
    lines = [
        "import numpy as np",
        "from PIL import Image",
        "",
        'image = np.asarray(Image.open("photograph.jpg").convert("RGB"), np.float32)',
        "images = image.transpose(2, 0, 1)[None].copy()",
        *([told] if "labels" in graph.inputs else []),
    ]
    outputs = ", ".join(graph.outputs)
    if opset is None:
        passed = ", ".join(f"torch.from_numpy({name})" for name in graph.inputs)
        lines.insert(1, "import torch")
        lines += [
            f'network = torch.export.load("{network_file.name}").module()',
            f"{outputs} = network({passed})",
        ]
    else:
        named = ", ".join(f'"{name}": {name}' for name in graph.inputs)
        lines.insert(1, "import onnxruntime")
        lines += [
            f'session = onnxruntime.InferenceSession("{network_file.name}")  # opset {opset}',
            f"{outputs} = session.run(None, {{{named}}})",
        ]
    return "\n".join(["```python", *lines, "```"])


def _manifest(path: Path) -> dict[str, Any]:
    """The manifest beside a checkpoint; empty where there is none."""
    with suppress(FileNotFoundError, WsssError):
        return read_manifest(path.absolute().parent)
    return {}


def _training(path: Path) -> list[str]:
    """What the run recorded of the training, a line each."""
    manifest = _manifest(path)
    settings = manifest.get("settings", {})
    lines = []
    if manifest.get("data"):
        lines.append(f"Data set: {Path(manifest['data']).name}")
    if settings.get("method"):
        lines.append("Learned from: image-level labels")
    if settings.get("supervision"):
        kind = "true masks" if settings["supervision"] == "full" else "proxy labels"
        lines.append(f"Learned from: {kind}")
    names = ("iterations", "batch_size", "crop", "lr")
    lines += [f"{name}: {settings[name]}" for name in names if name in settings]
    if "seed" in manifest:
        lines.append(f"Seed: {manifest['seed']}")
    return lines or ["Not recorded beside the checkpoint."]


def _scores(path: Path, graph: NetworkGraph) -> str:
    """The mIoU of the run's predictions or attention, where it has been scored."""
    name = "prediction" if graph.kind == "segmentation" else "attention"
    try:
        scores = read_json(path.absolute().parent.parent / "evaluate" / f"{name}.json")
        images, miou = scores["images"], 100 * scores["miou"]
        interval: dict[str, Any] = scores.get("interval") or {}
        ends = [f"{100 * interval[end]:.1f}" for end in ("low", "high") if interval.get(end)]
    except (FileNotFoundError, WsssError, KeyError, TypeError, AttributeError):
        return "Not scored; `wsss evaluate` scores a run."
    spread = f" [{', '.join(ends)}]" if len(ends) == 2 else ""
    return f"mIoU {miou:.1f}{spread} per cent, {images} images"
