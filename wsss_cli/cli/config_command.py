"""Commands made from configs: a setting becomes an option, the config's docstring the help."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field
from functools import wraps
from importlib import import_module
from inspect import Parameter
from types import GenericAlias
from typing import Annotated, Any, get_args, get_origin

import typer

from wsss_cli import ranks
from wsss_cli.cli import options, render
from wsss_cli.cli.path_checks import require_given_paths
from wsss_cli.cli.run_command import (
    asked_for,
    choose_track,
    config_from,
    errors_as_sentences,
    run_stage,
    show,
)
from wsss_cli.configs.common import HOW
from wsss_cli.configs.setting import Config, Setting, any_of, option, settings_of
from wsss_cli.configs.stages import CHAIN

Command = Callable[..., None]

# The options with which a help begins, and the one with which its general options end.
_FIRST, _LAST = ("data", "run"), "seed"

# How every stage's command talks, in the order of its help.
_TALK = {
    "dry_run": options.DryRun,
    "json": options.Json,
    "config": options.Config,
    "quiet": options.Quiet,
    "verbose": options.Verbose,
    "debug": options.Debug,
}


def stage_command(stage: str) -> Command:
    """Make the command of a stage.

    Args:
        stage: Its name in the table of stages. The report is shown by the function of that name in
            ``render``, if there is one.
    """
    config_type = CHAIN[stage]
    text = getattr(render, stage, render.any_stage)

    def command(context: typer.Context, **values: Any) -> None:  # noqa: ANN401 - many types
        run_stage(stage, config_type, values, text, given_parameters(context))

    command.__name__ = stage
    command.__doc__ = config_type.__doc__
    talk = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=None if name == "config" else False,
            annotation=annotation,
        )
        for name, annotation in _TALK.items()
    ]
    _set_parameters(command, [*_options(config_type), *talk])
    return command


def config_command(config_type: type[Config]) -> Callable[[Command], Command]:
    """Give a function the options of a config, with which it is called filled and checked.

    The function's first parameter is the config, the others are options of the command alone. What
    it raises is said as a sentence.
    """

    def decorate(function: Command) -> Command:
        _, *talk = inspect.signature(function).parameters.values()
        talk_names = {parameter.name for parameter in talk}

        @wraps(function, assigned=("__module__", "__name__", "__qualname__"))
        def command(context: typer.Context, **values: Any) -> None:  # noqa: ANN401 - many types
            with errors_as_sentences(debug=values["debug"]):
                settings = {name: v for name, v in values.items() if name not in talk_names}
                require_given_paths(config_type, settings)
                config = config_from(config_type, settings)
                config.refuse_without_effect(asked_for(given_parameters(context)))
                function(config, **{name: values[name] for name in talk_names})

        command.__doc__ = config_type.__doc__
        _set_parameters(command, [*_options(config_type), *talk])
        return command

    return decorate


def report_command(
    config_type: type[Config],
    name: str,
    module: str,
    text: Callable[[Mapping[str, Any]], str],
    *,
    head: Sequence[str] = (),
) -> Command:
    """Make a command that runs in one process and shows what it reports.

    Args:
        config_type: Its config.
        name: What comes after ``wsss``.
        module: Has the ``run(config, *, track)`` that returns the report; imported when called.
        text: Turns the values shown into text for people.
        head: Attributes of the report that are shown beside its stage and values.
    """

    @config_command(config_type)
    def command(
        config: Config,
        *,
        json: options.Json = False,
        quiet: options.Quiet = False,
        debug: options.Debug = False,
    ) -> None:
        del debug
        ranks.require_alone(f"wsss {name}")
        report = import_module(module).run(config, track=choose_track(quiet=quiet))
        facts = {each: getattr(report, each) for each in head}
        if facts.get("directory") is not None:
            facts["directory"] = str(facts["directory"])
        show({"stage": report.stage, **facts, **report.values}, text, as_json=json)

    command.__name__ = name.split()[-1]
    return command


def given_parameters(context: typer.Context) -> dict[str, str]:
    """The parameters that somebody gave, and where.

    Returns:
        Click's name of the source: ``COMMANDLINE``, ``ENVIRONMENT``, or ``DEFAULT_MAP`` for a file.
    """
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {n: source.name for n, source in sources.items() if source and source.name != "DEFAULT"}


def _set_parameters(command: Command, parameters: list[Parameter]) -> None:
    """Tell Typer the parameters of a command; it reads them from these two attributes."""
    signature = inspect.signature(command, follow_wrapped=False).parameters.values()
    named = [
        p for p in signature if p.kind is Parameter.POSITIONAL_OR_KEYWORD and p.name == "context"
    ]
    every = [*named, *(p.replace(kind=Parameter.KEYWORD_ONLY) for p in parameters)]
    vars(command)["__signature__"] = inspect.Signature(every)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in every}


def _options(config_type: type[Config]) -> Iterator[Parameter]:
    """A parameter for each setting, in the order of the help."""
    declared = list(settings_of(config_type))
    first = (*_FIRST, config_type.chosen_by)

    def place(pair: tuple[Field[Any], Setting]) -> tuple[int, int]:
        name = pair[0].name
        in_group = first.index(name) if name in first else len(first) + (name == _LAST)
        return _rank(pair[1]), in_group

    for field, about in sorted(declared, key=place):
        heading = _heading(about, config_type)
        annotation: Any = Annotated[_typed(field.type), _declared(field, about, heading)]
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        yield Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if default is MISSING else default,
            annotation=annotation,
        )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _rank(about: Setting) -> int:
    """What all have comes first, then what belongs to some, then where and how fast."""
    if about.group == HOW:
        return 3
    return 1 if about.group else 2 if about.of and about.group is None else 0


def _heading(about: Setting, config_type: type[Config]) -> str | None:
    if about.of and about.group is None:
        return f"Only with --{config_type.chosen_by} {any_of(about.of)}"
    return about.group or None


def _declared(field: Field[Any], about: Setting, heading: str | None) -> Any:  # noqa: ANN401 - Typer's
    """A field as Typer has options and arguments."""
    choices = list(about.choices)
    shared: dict[str, Any] = {
        "help": f"{about.help} {_sentence(about.range)}"
        if about.at_most is not None
        else about.help,
        "show_default": about.unset or (field.default is not MISSING),
    }
    kind = next(
        (kind for kind in (field.type, *get_args(field.type)) if get_origin(kind) is tuple), None
    )
    if about.argument:
        return typer.Argument(metavar=about.argument, **shared)
    if choices:
        shared["metavar"] = f"[{'|'.join(choices)}]"
        shared["autocompletion"] = lambda: choices
    elif kind is not None:
        shared["metavar"] = f"<{get_args(kind)[0].__name__}>"
    # Typer makes --no-X beside --X of yes and no, unless it is told the names.
    spelt = about.short or field.name.endswith("_")
    names = [name for name in (about.short, option(field.name)) if name] if spelt else []
    return typer.Option(*names, envvar=about.variable, rich_help_panel=heading, **shared)


def _typed(declared: Any) -> Any:  # noqa: ANN401 - a type
    """A field's type as Typer takes it: tuples are lists."""
    if get_origin(declared) is tuple:
        return GenericAlias(list, get_args(declared)[:1])
    kinds = get_args(declared)
    if kinds and get_origin(kinds[0]) is tuple:
        return _typed(kinds[0]) | None
    return declared
