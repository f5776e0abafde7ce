"""A stage's command: its own options, then those that every stage has.

A command without a run, as ``wsss predict``, leaves out what belongs to runs only.
"""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any

import typer

from wsss_cli.cli import options
from wsss_cli.cli.run_command import run_stage
from wsss_cli.configs.common import WorkConfig

Command = Callable[..., None]

# What is computed how, then how the command talks; in this order they end every stage's help.
_SHARED = {
    "device": options.Device,
    "workers": options.Workers,
    "seed": options.Seed,
    "amp": options.Amp,
    "overwrite": options.Overwrite,
    "dry_run": options.DryRun,
    "json": options.Json,
    "config": options.Config,
    "quiet": options.Quiet,
    "verbose": options.Verbose,
    "debug": options.Debug,
}
# Defaults of those that are no setting of the stage.
_UNSAID = {
    "dry_run": False,
    "json": False,
    "config": None,
    "quiet": False,
    "verbose": False,
    "debug": False,
}


def stage_command(
    config_type: type[WorkConfig], render: Callable[[Any], str]
) -> Callable[[Command], Command]:
    """Make a command of a function that has a stage's own options and their help, and no body.

    Args:
        config_type: The stage's config, filled with the options of the same names.
        render: Turns the stage's report into text for people.
    """
    names = {field.name for field in fields(config_type)}

    def decorate(own: Command) -> Command:
        shared = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=_UNSAID[name] if name in _UNSAID else getattr(config_type, name),
                annotation=annotation,
            )
            for name, annotation in _SHARED.items()
            if name in _UNSAID or name in names
        ]

        @wraps(own)
        def command(context: typer.Context, **values: Any) -> None:  # noqa: ANN401 - many types
            run_stage(own.__name__, config_type, values, render, given_parameters(context))

        # Typer reads an option's type and default from these two.
        signature = inspect.signature(own)
        context = inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
        every = [context, *signature.parameters.values(), *shared]
        vars(command)["__signature__"] = signature.replace(parameters=every)
        annotations = {parameter.name: parameter.annotation for parameter in (context, *shared)}
        command.__annotations__ = {**own.__annotations__, **annotations}
        return command

    return decorate


def given_parameters(context: typer.Context) -> set[str]:
    """The parameters that somebody gave: on the command line, in a file or by the environment."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source and source.name != "DEFAULT"}
