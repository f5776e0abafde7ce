"""The model card of an exported network: what is known of it, and what its owner has to add."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from wsss_cli import __version__
from wsss_cli.artifacts.atomic import read_json
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.errors import WsssError
from wsss_cli.stages.segment.network_file import SegmentationCheckpoint


def model_card(
    path: Path, network_file: Path, checkpoint: SegmentationCheckpoint, opset: int
) -> str:
    """Describe an exported network in Markdown.

    Args:
        path: The checkpoint; the run around it tells of training and scores.
        network_file: The ONNX file.
        checkpoint: Its content.
        opset: Version of ONNX's operators.
    """
    classes = "\n".join(
        f"| {n} | {name} |" for n, name in enumerate(("background", *checkpoint.class_names))
    )
    training = "\n".join(f"- {line}" for line in _training(path))
    return f"""# {network_file.stem}

A semantic segmentation network, {checkpoint.model}, written by wsss {__version__}.

## Labels

| label | class |
|---|---|
{classes}

## Training

{training}

## Scores

{_scores(path)}

## Use

ONNX, opset {opset}. Input `images`: float32 (1, 3, H, W), RGB from 0 to 255, any height and width.
Outputs `logits`: float32 (1, {len(checkpoint.class_names) + 1}, H, W), and `labels`: int64
(1, H, W).

```python
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{network_file.name}")
image = np.asarray(Image.open("photograph.jpg").convert("RGB"), np.float32)
logits, labels = session.run(None, {{"images": image.transpose(2, 0, 1)[None]}})
```

## To be completed

- Licence of the network:
- Licence and source of the training images:
- Intended use, and uses that it is not fit for:
- Contact:
"""


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
    if settings.get("supervision"):
        kind = "true masks" if settings["supervision"] == "full" else "proxy labels"
        lines.append(f"Learned from: {kind}")
    names = ("iterations", "batch_size", "crop", "lr")
    lines += [f"{name}: {settings[name]}" for name in names if name in settings]
    if "seed" in manifest:
        lines.append(f"Seed: {manifest['seed']}")
    return lines or ["Not recorded beside the checkpoint."]


def _scores(path: Path) -> str:
    """The mIoU of the run's predictions, where it has been scored."""
    try:
        scores = read_json(path.absolute().parent.parent / "evaluate" / "prediction.json")
        images, miou = scores["images"], 100 * scores["miou"]
        interval: dict[str, Any] = scores.get("interval") or {}
        ends = [f"{100 * interval[end]:.1f}" for end in ("low", "high") if interval.get(end)]
    except (FileNotFoundError, WsssError, KeyError, TypeError, AttributeError):
        return "Not scored; `wsss evaluate` scores a run."
    spread = f" [{', '.join(ends)}]" if len(ends) == 2 else ""
    return f"mIoU {miou:.1f}{spread} per cent, {images} images"
