"""Checkpoints: tensors and plain values, loadable without running any code from the file."""

import io
from pathlib import Path
from typing import Any

import torch

from wsss_cli import ranks
from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.errors import WsssError

FORMAT = "wsss-checkpoint-1"


def write_checkpoint(path: Path, kind: str, content: dict[str, Any]) -> None:
    """Write tensors and plain values; equal content gives equal bytes.

    Every rank calls this with the same content. The first one writes, the others wait for it.

    Args:
        path: The final name.
        kind: What the checkpoint is, such as ``attention`` or ``segmentation``.
        content: Nested dicts and lists of tensors and plain values.
    """
    if ranks.first():
        buffer = io.BytesIO()  # saved to a path, the file's own name would be part of the bytes
        torch.save({"format": FORMAT, "kind": kind, **content}, buffer)
        write_bytes(path, buffer.getvalue())
    ranks.wait_for_all()


def read_checkpoint(path: Path, kind: str) -> dict[str, Any]:
    """Read a checkpoint of the given kind onto the CPU.

    Raises:
        WsssError: The file is missing, broken or something else.
    """
    content = read_tensors(path)
    if content.get("format") != FORMAT:
        raise WsssError(f"{path} is not a checkpoint of wsss; give the file that wsss wrote")
    if content.get("kind") != kind:
        raise WsssError(
            f"{path} is a checkpoint for {content.get('kind')}, but one for {kind} is needed"
        )
    return content


def read_tensors(path: Path) -> dict[str, Any]:
    """Read any file of tensors, such as foreign weights, without running code from it.

    Raises:
        WsssError: The file is missing, broken, or not a dictionary.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WsssError(f"{path} does not exist; check the path") from None
    except Exception as error:  # torch raises whatever its unpickler meets
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WsssError(
            f"{path} cannot be read as a file of tensors ({reason[:120]}); it may be truncated or "
            "of another kind"
        ) from error
    if not isinstance(content, dict):
        raise WsssError(f"{path} holds a {type(content).__name__}, not a dictionary of tensors")
    return content
