"""The runs in a folder: how far each one is, and how well it does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.stage_directory import MANIFEST
from wsss_cli.configs.stages import STAGES
from wsss_cli.errors import WsssError
from wsss_cli.inspect.show.run_contents import disk_use, summarise

DONE, STALE, UNFINISHED, IN_PROGRESS = "done", "stale", "unfinished", "in progress"
# Folders below the one given that are looked into: a comparison has OUT/SETTING/seed-N.
_DEPTH = 3


def is_run(folder: Path) -> bool:
    """Whether a folder has a stage's manifest or scores in it."""
    return any((folder / stage / MANIFEST).is_file() for stage in STAGES) or any(
        (folder / "evaluate").glob("*.json")
    )


def find_runs(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """The runs in a folder, sorted by name; what lies inside of a run is not looked into."""
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        if inner.name.startswith(".") or inner.is_symlink():
            continue
        if is_run(inner):
            yield inner
        elif depth > 1:
            yield from find_runs(inner, depth - 1)


def list_runs(folder: Path) -> dict[str, Any]:
    """List the stages, method, scores and size of each run in a folder.

    Returns:
        The folder, and a list of runs; a run that cannot be read says why in ``error``.
    """
    return {"folder": str(folder), "runs": [_listed(run) for run in find_runs(folder)]}


def _listed(run: Path) -> dict[str, Any]:
    used = disk_use(run)
    try:
        summary = summarise(run)
    except WsssError as error:
        return {"run": str(run), "error": str(error), **used}
    stages = summary["stages"]
    training = stages.get("train", {}).get("settings", {})
    return {
        "run": str(run),
        "method": training.get("method"),
        "stages": {stage: _state(stages[stage]) for stage in stages},
        "miou": {result: scores["miou"] for result, scores in summary["scores"].items()},
        **used,
    }


def _state(stage: dict[str, Any]) -> str:
    if stage["in_progress"]:
        return IN_PROGRESS
    if stage["unfinished"]:
        return UNFINISHED
    return STALE if stage["stale"] else DONE
