"""Checkpoints: tensors and plain values, loadable without running any code from the file."""

import io
import zipfile
from copy import copy
from pathlib import Path
from typing import Any

import torch

from wsss_cli import ranks
from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.errors import WsssError, first_line

FORMAT = "wsss-checkpoint-1"
_MADE_BY = {
    "attention": "; `wsss train` makes these",
    "segmentation": "; `wsss segment` makes these",
    "edges": "; `wsss refine --edges` makes these",
}
# Errors that reading a checkpoint of unexpected content raises.
ODD_CONTENT = (
    *(KeyError, TypeError, AttributeError, ValueError, IndexError),
    *(RuntimeError, OverflowError, MemoryError),
)


def write_checkpoint(
    path: Path, kind: str, content: dict[str, Any], *, keep_as: Path | None = None
) -> None:
    """Write tensors and plain values; equal content gives equal bytes, on whatever device it is.

    Every rank calls this with the same content. The first one writes, the others wait for it.

    Args:
        path: The final name.
        kind: What the checkpoint is, such as ``attention`` or ``segmentation``.
        content: Nested dicts and lists of tensors and plain values.
        keep_as: Name that the checkpoint already at ``path`` is kept under.
    """
    if ranks.first():
        buffer = io.BytesIO()  # saved to a path, the file's own name would be part of the bytes
        torch.save(_on_cpu({"format": FORMAT, "kind": kind, **content}), buffer)
        write_bytes(path, buffer.getvalue(), keep_as=keep_as)
    ranks.wait_for_all()


def _on_cpu(content: Any) -> Any:  # noqa: ANN401 - whatever a checkpoint holds
    """The same content in the CPU's memory: torch would note the GPU's number beside each tensor.

    Read elsewhere, the file would ask for that very GPU.
    """
    if isinstance(content, torch.Tensor):
        return content.cpu()
    if isinstance(content, list):
        return [_on_cpu(value) for value in content]
    if isinstance(content, dict):
        moved = copy(content)  # what torch says of a state's versions is an attribute of the dict
        moved.update((name, _on_cpu(value)) for name, value in content.items())
        return moved
    return content


def read_checkpoint(path: Path, kind: str) -> dict[str, Any]:
    """Read a checkpoint of the given kind onto the CPU.

    Raises:
        WsssError: The file is missing, broken or something else.
    """
    content = read_tensors(path)
    _require_format(path, content)
    if not isinstance(content.get("kind"), str) or content["kind"] != kind:
        raise WsssError(
            f"{path} is a checkpoint for {str(content.get('kind'))[:40]}, but one for {kind} is "
            f"needed{_MADE_BY.get(kind, '')}"
        )
    return content


def checkpoint_kind(path: Path) -> str:
    """What kind of network a checkpoint holds, without reading its tensors.

    Raises:
        WsssError: The file is missing, broken, or not a checkpoint of wsss.
    """
    content = read_tensors(path, lazily=True)
    _require_format(path, content)
    return str(content.get("kind"))[:40]


def _require_format(path: Path, content: dict[str, Any]) -> None:
    if not isinstance(content.get("format"), str) or content["format"] != FORMAT:
        raise WsssError(f"{path} is not a checkpoint of wsss; give the file that wsss wrote")


def require_names(names: Any) -> None:  # noqa: ANN401 - out of a file
    """Refuse anything but a list of class names.

    Raises:
        TypeError: It is something else.
        ValueError: They are too few, too many, or not different.
    """
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError("its class_names are not a list of names")
    if not 0 < len(names) < 255 or len(set(names)) < len(names):
        raise ValueError("its class_names are not 1 to 254 different names")


def read_tensors(path: Path, *, lazily: bool = False) -> dict[str, Any]:
    """Read any file of tensors, such as foreign weights, without running code from it.

    Args:
        path: The file.
        lazily: Leave values on the disk until they are looked at.

    Raises:
        WsssError: The file is missing, a folder, broken, or not a dictionary.
    """
    if path.is_dir():
        raise WsssError(f"{path} is a folder; give the file, such as checkpoint.pt in it")
    try:
        mapped = lazily and zipfile.is_zipfile(path)  # torch's older format cannot be
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except FileNotFoundError:
        raise WsssError(f"{path} does not exist; check the path") from None
    except Exception as error:  # torch raises whatever its unpickler meets
        reason = first_line(error)[:120]
        raise WsssError(
            f"{path} cannot be read as a file of tensors ({reason}); it may be truncated or "
            "of another kind"
        ) from error
    if not isinstance(content, dict):
        raise WsssError(f"{path} holds a {type(content).__name__}, not a dictionary of tensors")
    return content
