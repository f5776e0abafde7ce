"""What files of chains of stages share: tables of options, which become command lines.

Each link of a chain is written as a command line, and that is parsed as any command line is. So a
file means what the commands mean, and the lines shown are those that were run.
"""

import os
import shlex
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import typer

from wsss_cli.cli.config_command import given_parameters, stage_command
from wsss_cli.cli.run_command import values_of
from wsss_cli.cli.wrapping import click_command
from wsss_cli.configs.presets import configured
from wsss_cli.configs.setting import Config, check
from wsss_cli.configs.stages import CHAIN, in_vain
from wsss_cli.errors import UsageError, did_you_mean

Table = Mapping[str, Any]

# What the file of no chain can set, and where it comes from instead.
DECIDED_FOR_ALL = {
    "overwrite": "a result is never replaced here",
    "data": "pass --data",
    "saliency": "pass --saliency",
    "device": "pass --device",
    "workers": "pass --workers",
}


@dataclass(frozen=True)
class Place:
    """A table of the file, for messages."""

    file: Path
    table: str

    def error(self, what: str) -> UsageError:
        """A refusal that names the table."""
        return UsageError(f"{self.file}: [{self.table}] {what}")


def read_tables(path: Path) -> Table:
    """The tables of a TOML file.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from error


def options_in(
    place: Place, tables: Table, name: str, decided: Mapping[str, str], *, stage: str | None = None
) -> dict[str, Any]:
    """The options in a table by field, checked by name only.

    Args:
        place: The table as messages call it.
        tables: All tables beside it.
        name: Its name; it may be missing.
        decided: Options that the file cannot set, and where they come from instead.
        stage: Whose options they are; None is the one of that name.

    Raises:
        UsageError: It is no table, or has an option that the stage lacks or the file cannot set.
    """
    stage = stage or name
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise place.error("must be a table of options")
    names = {field.name for field in fields(CHAIN[stage])}
    options = {}
    for typed, value in table.items():
        option = typed.replace("-", "_")
        if option not in names:
            vain = in_vain(stage, option)
            if vain is not None:
                raise place.error(f"has no option {typed}, {vain}")
            near = did_you_mean(option.replace("_", "-"), [n.replace("_", "-") for n in names])
            raise place.error(f"has no option {typed}; see `wsss {stage} --help`{near}")
        if option in decided:
            raise place.error(f"cannot set {typed}: {decided[option]}")
        options[option] = value
    return options


def require_weights_used(path: Path, weights: str | None, links: Iterable[object]) -> None:
    """Refuse ``--weights`` where all that could use them have weights of their own.

    Those of the environment give way in silence.

    Args:
        path: The file, for the message.
        weights: What ``--weights`` or the environment says.
        links: Configs of the chain.

    Raises:
        UsageError: None uses them.
    """
    check(
        weights in (None, os.environ.get("WSSS_WEIGHTS"))
        or any(getattr(link, "weights", None) == weights for link in links),
        "weights",
        f"is used by nothing in {path}, which names other weights for all",
        "leave it out, or leave theirs out",
    )


def arguments_of(place: Place, stage: str, values: Table) -> list[str]:
    """Values by field as arguments of the stage's command; None is left out."""
    flags = {
        parameter.name: bool(parameter.secondary_opts)
        for parameter in _command(stage).params
        if getattr(parameter, "is_flag", False)
    }
    several = {p.name for p in _command(stage).params if getattr(p, "multiple", False)}
    arguments = []
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, dict) or (isinstance(value, list) and name not in several):
            raise place.error(f"takes one value for {stage}.{name}, not {value!r}")
        if isinstance(value, list) and not value:
            raise place.error(f"takes one value or more for {stage}.{name}, not an empty list")
        if (name in flags) is not isinstance(value, bool) and value is not None:
            kind = "true or false" if name in flags else "a value"
            raise place.error(f"takes {kind} for {stage}.{name}, not {str(value).lower()}")
        if isinstance(value, bool):
            if value or flags[name]:
                arguments.append(option if value else f"--no-{option[2:]}")
        elif value is not None:
            listed = value if isinstance(value, Sequence) and name in several else [value]
            arguments += [part for one in listed for part in _pair(option, str(one))]
    return arguments


def command_of(
    place: Place, stage: str, arguments: list[str], values: Table, config: Config
) -> str:
    """The command line that makes what a link of a chain makes.

    A table that several links share may have options without effect in one of them, which a command
    line would be refused for.

    Args:
        place: The table of the values.
        stage: Of the link.
        arguments: What it was parsed from.
        values: What these are made of.
        config: What it was parsed to.
    """
    idle = config.without_effect().keys() & values.keys()
    if idle:
        effective = {name: value for name, value in values.items() if name not in idle}
        arguments = arguments_of(place, stage, effective)
    return shlex.join(("wsss", stage, *arguments))


def _pair(option: str, value: str) -> list[str]:
    """An option and its value; joined where the value looks like an option itself."""
    return [f"{option}={value}"] if value.startswith("-") else [option, value]


def parsed(place: Place, stage: str, arguments: list[str]) -> Any:  # noqa: ANN401 - its config
    """The config that a stage's command makes of arguments.

    Raises:
        UsageError: The command would refuse them.
    """
    try:
        context = _command(stage).make_context(stage, list(arguments))
        given = given_parameters(context)
        values = values_of(CHAIN[stage], {name: context.params[name] for name in given})
        return configured(stage, CHAIN[stage], values)
    except typer.BadParameter as error:
        raise place.error(f"does not fit {stage}: {error.format_message()}") from error
    except UsageError as error:
        raise place.error(f"does not fit {stage}: {error}") from error


@cache
def _command(stage: str) -> Any:  # noqa: ANN401 - Typer's own copy of a Click command
    command = click_command(stage, stage_command(stage))
    for parameter in command.params:
        parameter.envvar = None  # what a chain takes from there it passes on
    return command
