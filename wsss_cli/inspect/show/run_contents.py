"""What a run holds: its stages with their settings, sizes and staleness, and its scores."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.atomic import read_json
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.artifacts.stage_directory import (
    ANOTHER_VERSION,
    is_claimed,
    lacking,
    read_manifests,
)
from wsss_cli.command_line import FOLDER, command_line
from wsss_cli.configs.results import RESULTS
from wsss_cli.configs.stages import STAGES
from wsss_cli.errors import UsageError
from wsss_cli.inspect.show.staleness import CHANGED, InputsNow

_KEPT = (
    *("status", "settings", "earlier_settings", "diverged", "counts"),
    *("started", "finished", "data", "device"),
)
Values = dict[str, Any]


def summarise(run: Path) -> Values:
    """Collect manifests, sizes and scores of a run, and compare its inputs with those recorded.

    Raises:
        UsageError: There is no run.
        WsssError: A manifest or a file of scores is broken.
    """
    manifests = read_manifests(run)
    scores = {path.stem: read_json(path) for path in sorted((run / "evaluate").glob("*.json"))}
    if not manifests and not scores:
        start = command_line("train", data=FOLDER, run=run)
        raise UsageError(f"{run} holds no run; start one with `{start}`, or give a run or a file")
    for result, values in scores.items():
        stage = RESULTS[result].stage if result in RESULTS else ""
        now = manifests.get(stage, {}).get("fingerprint")
        values["of_this_result"] = values.get("artifact_fingerprint") == now
    inputs = InputsNow(run)
    stages: dict[str, Values] = {}
    for stage, manifest in manifests.items():
        stages[stage] = _stage(run, stage, manifest, inputs, stages)
    folders = [path.name for path in sorted(run.iterdir()) if path.is_dir()]
    others = {name: disk_use(run / name) for name in folders if name not in STAGES}
    return {"run": str(run), "stages": stages, "others": others, "scores": scores}


def disk_use(folder: Path) -> dict[str, int]:
    """How many files there are below a folder, and their bytes; links are not followed."""
    sizes = [
        (Path(parent) / name).lstat().st_size
        for parent, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")  # locks, and what is being written
    ]
    return {"files": len(sizes), "bytes": sum(sizes)}


def _stage(
    run: Path,
    stage: str,
    manifest: Mapping[str, Any],
    now: InputsNow,
    before: Mapping[str, Mapping[str, Any]],
) -> Values:
    """Summary of one stage.

    Args:
        run: The run.
        stage: Name of the stage.
        manifest: Its manifest.
        now: Compares the inputs with what they are now.
        before: Summaries of the stages before it.
    """
    inputs = {role: now.compare(manifest, role) for role in manifest.get("inputs", {})}
    changed = [role for role, standing in inputs.items() if standing["state"] == CHANGED]
    stale = [f"its input {role} has changed: {inputs[role]['path']}" for role in changed]
    for role, standing in inputs.items():
        maker = _maker(run, standing["path"])
        if role not in changed and before.get(maker, {}).get("stale"):
            stale.append(f"its input {role} is made by {maker}, which is stale")
    if manifest.get("stage_version") != STAGES[stage].version:
        stale.append(ANOTHER_VERSION)
    lost = lacking(run / stage, manifest)
    complete = manifest["status"] == "complete"
    in_progress = not complete and is_claimed(run / stage)
    unfinished = []
    stop = None if complete else manifest.get("diverged")
    if stop is not None:
        unfinished.append(f"{stop['what']} at iteration {stop['iteration']}")
    elif not complete and not in_progress:
        unfinished.append("it was stopped before it was done")
    if lost:
        unfinished.append(f"files that it wrote have vanished: {', '.join(lost)}")
    again = recorded_command(stage, manifest, run, overwrite=bool(stale))
    return {
        **{key: manifest[key] for key in _KEPT if key in manifest},
        **disk_use(run / stage),
        "inputs": inputs,
        "stale": stale,
        "in_progress": in_progress,
        "unfinished": unfinished,
        "again": again if (stale or unfinished) and not in_progress else None,
    }


def _maker(run: Path, path: str) -> str:
    """The stage of this run in whose directory a path lies; None if there is none."""
    try:
        return Path(path).resolve().relative_to(run.resolve()).parts[0]
    except (ValueError, IndexError):
        return ""
