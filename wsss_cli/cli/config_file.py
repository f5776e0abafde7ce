"""Defaults from a TOML file: a table per command, the fields as the options are called."""

import tomllib
from pathlib import Path
from typing import Any

import typer

from wsss_cli.cli.path_checks import require_existing
from wsss_cli.configs.stages import in_vain
from wsss_cli.errors import UsageError, did_you_mean


def read_defaults(context: typer.Context, path: Path | None) -> Path | None:
    """Callback of ``--config``: make the file's values the command's defaults.

    Raises:
        typer.BadParameter: The file cannot be read or names an option that does not exist.
    """
    if path is None:
        return None
    try:
        require_existing("--config", path)
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except UsageError as error:
        raise typer.BadParameter(str(error)) from error
    except (OSError, ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{path} cannot be read as TOML: {error}") from error
    command = str(context.info_name)
    table = tables.get(command, {})
    names = {parameter.name for parameter in context.command.params}
    loose = [name for name, value in tables.items() if not isinstance(value, dict)]
    if loose:
        raise typer.BadParameter(f"{path}: {loose[0]} must stand in a table such as [{command}]")
    group = context.parent.command if context.parent else None
    commands = set(getattr(group, "commands", tables))
    astray = sorted(set(tables) - commands)
    if astray:
        raise typer.BadParameter(
            f"{path}: there is no command {astray[0]}; tables are named {', '.join(commands)}"
            f"{did_you_mean(astray[0], commands)}"
        )
    values: dict[str, Any] = {name.replace("-", "_"): value for name, value in table.items()}
    unknown = sorted(set(values) - names)
    if unknown:
        named = [name for name in table if name.replace("-", "_") in unknown]
        vain = in_vain(command, unknown[0]) if len(unknown) == 1 else None
        near = did_you_mean(named[0].replace("_", "-"), [n.replace("_", "-") for n in names])
        raise typer.BadParameter(
            f"{path}: [{command}] has no option {', '.join(named)}{f', {vain}' if vain else near}"
        )
    context.default_map = {**(context.default_map or {}), **values}
    return path
