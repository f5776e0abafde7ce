"""The command line that makes a stage's result, from what the run knows about itself."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, get_args

from wsss_cli.artifacts.atomic import read_json
from wsss_cli.artifacts.divergence import DIVERGED, lower
from wsss_cli.command_line import FOLDER, command_line
from wsss_cli.configs.presets import PRESETS
from wsss_cli.configs.setting import Role, names_with_role, option
from wsss_cli.configs.stages import STAGES
from wsss_cli.errors import UsageError, WsssError


def moved_path(run: Path, manifest: Mapping[str, Any], recorded: str) -> Path:
    """Where a recorded path leads now: what lay in the run goes with it when it is moved."""
    path = Path(recorded)
    old = Path(manifest.get("config", {}).get("run") or run).parts
    for end in range(len(old), len(path.parts) + 1):
        if path.parts[end - len(old) : end] == old:
            moved = run.joinpath(*path.parts[end:])
            return moved if moved.exists() else path
    return path


def recorded_config(stage: str, run: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The config in a stage's manifest by field, its paths as they lead now, lists as tuples."""
    recorded = dict(manifest.get("config", {}))
    inputs = names_with_role(STAGES[stage].config, Role.INPUT)
    if recorded.get("start") is not None:
        recorded["weights"] = None  # the start brings its own
    if recorded.get("data") is not None:
        recorded["data"] = manifest.get("data") or recorded["data"]  # whatever folder we are in
    for name, value in recorded.items():
        if name in inputs and isinstance(value, str) and Path(value).parts:
            recorded[name] = str(moved_path(run, manifest, value))
        elif isinstance(value, list):
            recorded[name] = tuple(value)
    return recorded


def recorded_command(
    stage: str, manifest: Mapping[str, Any], run: Path, *, overwrite: bool = False
) -> str:
    """The stage's command with every option that was not left at its default.

    A preset's settings stand in its place, and where the training diverged, its learning rate is a
    lower one.

    Args:
        stage: Name of the stage.
        manifest: Its own, with the config that it was run with.
        run: Where the run lies now.
        overwrite: Replace the result.
    """
    recorded = recorded_config(stage, run, manifest)
    if DIVERGED in manifest and recorded.get("lr") is not None:
        recorded["lr"] = lower(recorded["lr"])
    words = ["wsss", stage, "--run", str(run)]
    left_out = {"run", "overwrite", *_without_effect(stage, recorded)}
    if stage in PRESETS:
        left_out.add("preset")
    for field in fields(STAGES[stage].config):
        value = recorded.get(field.name)
        if field.name in left_out or value in (None, field.default):
            continue
        if isinstance(value, bool):
            words.append(option(field.name) if value else f"--no-{option(field.name)[2:]}")
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words += [option(field.name), str(each)]
    return shlex.join([*words, "--overwrite"] if overwrite else words)


def _without_effect(stage: str, recorded: Mapping[str, Any]) -> Collection[str]:
    """Recorded settings that came from a file of defaults and that a command line may not have."""
    known = {field.name: field for field in fields(STAGES[stage].config)}
    values = {name: typed(known[name], v) for name, v in recorded.items() if name in known}
    try:
        return STAGES[stage].config(**values).without_effect()
    except (UsageError, TypeError, ValueError):  # of another version
        return ()


def typed(field: Field[Any], value: Any) -> Any:  # noqa: ANN401 - JSON values
    """A recorded value as the field has it: paths are strings in JSON."""
    of_paths = field.type is Path or Path in get_args(field.type)
    return Path(value) if of_paths and isinstance(value, str) else value


def command_to_make(run: Path, stage: str, *, data: Path | None = None, **extras: bool) -> str:
    """The command line that makes a stage's result in a run, the stages before it included.

    The settings of an unfinished stage are repeated. A folder that is not known yet stands in
    capitals.

    Args:
        run: The run.
        stage: Name of the stage.
        data: The data set that is known beside the run.
        extras: Flags of the stage for what it makes on request only.
    """
    manifest = _manifest(run, stage)
    if manifest.get("status") == "complete" and extras:
        return command_line(stage, run=run, **extras)
    if manifest.get("config"):
        flags = [option(name) for name in extras if not manifest["config"].get(name)]
        return " ".join([recorded_command(stage, manifest, run), *flags])
    before = STAGES[stage].reads
    commands = []
    if before is not None and _manifest(run, before).get("status") != "complete":
        needed = dict.fromkeys(STAGES[stage].reads_extras, True)
        commands.append(command_to_make(run, before, data=data, **needed))
    options: dict[str, Any] = dict(extras)
    if stage == "train":
        options["data"] = FOLDER if data is None else data
    if stage == "proxy" and _manifest(run, "saliency").get("status") != "complete":
        options["saliency"] = FOLDER
    commands.append(command_line(stage, run=run, **options))
    return " && ".join(commands)


def _manifest(run: Path, stage: str) -> dict[str, Any]:
    """A stage's manifest for a hint; empty where there is none to go by."""
    try:
        manifest = read_json(run / stage / "manifest.json")
    except (OSError, WsssError):
        return {}
    return manifest if isinstance(manifest.get("config", {}), dict) else {}
