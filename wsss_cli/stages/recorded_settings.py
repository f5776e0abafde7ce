"""Settings of a finished result, for a command that only adds something to it."""

from collections.abc import Set
from dataclasses import fields, replace
from typing import TypeVar

from wsss_cli.artifacts.stage_commands import recorded_config, typed
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.common import CommonConfig, WorkConfig
from wsss_cli.configs.presets import PRESETS
from wsss_cli.configs.setting import Role, names_with_role, settings_of

C = TypeVar("C", bound=WorkConfig)

# Where and how fast: these are of the command, not of the result.
_OF_THE_COMMAND = frozenset({"run", "device", "workers", "overwrite", "checkpoint_every"})


def with_recorded_settings(stage: str, config: C, explicit: Set[str], asked: Set[str]) -> C:
    """Give a command that only adds to a finished result the settings of that result.

    A setting that was passed stays, by itself or in a preset: where it differs from the recorded
    one, the stage refuses as ever. A variable or a file gives way to a recorded setting that takes
    its place, as it does to one on the command line.

    Args:
        stage: Name of the stage.
        config: Its config.
        explicit: Fields that were passed; the others have their defaults.
        asked: Those that were passed for this very command.

    Returns:
        The config itself where nothing is finished, or nothing is asked for but the result.
    """
    if not isinstance(config, CommonConfig):  # it works in no run
        return config
    extras = names_with_role(type(config), Role.EXTRA)
    if not any(getattr(config, name) for name in extras & explicit):
        return config
    if getattr(config, "overwrite", False):
        return config
    try:
        manifest = read_manifest(config.run / stage)
    except FileNotFoundError:
        return config
    if manifest["status"] != "complete":
        return config
    recorded = recorded_config(stage, config.run, manifest)
    kept = explicit | extras | _OF_THE_COMMAND
    if stage in PRESETS:  # its preset is no setting of the result, but stands for some
        kept |= {"preset", *PRESETS[stage].get(getattr(config, "preset", None) or "", ())}
    kept -= {
        field.name
        for field, about in settings_of(type(config))
        if field.name not in asked and any(recorded.get(name) is not None for name in about.instead)
    }
    taken = {
        field.name: typed(field, recorded[field.name])
        for field in fields(config)
        if field.name in recorded and field.name not in kept
    }
    return replace(config, **taken)
