"""Recognises a file by its first bytes or its ending, and explains it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.stage_directory import MANIFEST
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.inspect.show.explanation import Explanation, Writer, writer_of

Explain = Callable[[Path, Writer | None], Explanation]

# First bytes, then endings where those say nothing; module and function of each kind. Only the
# module that is needed is imported, for some bring torch.
_BY_BYTES: Mapping[bytes, tuple[str, str]] = {
    b"\x89HDF\r\n\x1a\n": ("hdf5", "explain_hdf5"),
    b"\x89PNG\r\n\x1a\n": ("png", "explain_png"),
    b"\x93NUMPY": ("soft_map", "explain_soft_map"),
    b"\x1f\x8b": ("archive", "explain_archive"),
    b"wsss fea": ("features", "explain_features"),
}
_BY_ENDING: Mapping[str, tuple[str, str]] = {
    ".npz": ("soft_map", "explain_soft_map"),
    **dict.fromkeys((".pt", ".pth"), ("tensors", "explain_tensors")),
    ".json": ("records", "explain_json"),
    ".toml": ("records", "explain_toml"),
    ".csv": ("records", "explain_csv"),
    ".jsonl": ("records", "explain_log"),
    # Intact files are recognised by their first bytes; the ending tells what a broken one is.
    ".h5": ("hdf5", "explain_hdf5"),
    ".png": ("png", "explain_png"),
    ".npy": ("soft_map", "explain_soft_map"),
    ".gz": ("archive", "explain_archive"),
}
_KNOWN = (
    "HDF5 files of attention and scores (.h5), label and saliency maps (.png), soft maps (.npy, "
    ".npz), checkpoints and weights (.pt, .pth), manifests, scores and comparisons (.json), "
    "settings (.toml), logs (.jsonl), tables (.csv) and archives (.tar.gz)"
)


def explain(path: Path) -> dict[str, Any]:
    """Explain any file that the suite reads or writes, or a stage's directory.

    Raises:
        WsssError: It is missing, broken or something else.
    """
    path = path / MANIFEST if path.is_dir() else path
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give a run or a file")
    kind = _kind(path)
    if kind is None:
        raise WsssError(f"{path} is not a kind of file that `wsss show` explains: {_KNOWN}")
    module, name = kind
    writer = writer_of(path)
    find: Explain = getattr(import_module(f"wsss_cli.inspect.show.{module}"), name)
    explanation = find(path, writer)
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "what": explanation.what,
        "facts": dict(explanation.facts),
        "advice": explanation.advice,
        "written_by": None if writer is None else writer.describe(),
    }


def _kind(path: Path) -> tuple[str, str] | None:
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise WsssError(f"{path} is empty; the program that wrote it did not finish")
    by_bytes = next((kind for first, kind in _BY_BYTES.items() if head.startswith(first)), None)
    return by_bytes or _BY_ENDING.get(path.suffix.lower())
