"""The stages as Python functions, made from the table of stages and the fields of the configs.

``wsss_cli.train(data="VOC2012", iterations=2000)`` is ``wsss train --data VOC2012 --iterations
2000``: the same checks, the same files, the same settings recorded; with a report instead of text.
Nothing is printed unless ``progress`` is asked for, and torch is imported by the first call.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature
from numbers import Integral, Real
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from wsss_cli.configs.common import OverwriteConfig, PrecisionConfig, WorkConfig
from wsss_cli.configs.presets import configured
from wsss_cli.configs.setting import settings_of
from wsss_cli.configs.stages import CHAIN, STAGES, in_vain
from wsss_cli.errors import UsageError, WsssError, did_you_mean
from wsss_cli.tracking import Silent, Track

if TYPE_CHECKING:
    from wsss_cli.stages.result import Report

_PROGRESS = "progress"


def run_stage(
    stage: str, options: Mapping[str, Any], *, progress: bool | Track = False
) -> "Report":
    """Run a stage as its command does.

    Args:
        stage: Name of the stage.
        options: Its options by field; those left out have the defaults of the command line.
        progress: Show on stderr what the command shows, or a track of one's own.

    Raises:
        UsageError: An option does not exist, or cannot have this value.
        WsssError: What a command would end with. Where there is a result nevertheless, such as a
            score below ``fail_under``, the error has it as ``report``.
    """
    config_type = CHAIN[stage]
    values = _converted(stage, config_type, options)
    with _errors_as_sentences(config_type.saves_memory):
        config = configured(stage, config_type, values, asked=values)
        from wsss_cli.cli.path_checks import require_given_paths
        from wsss_cli.stages.execution import checked_stage
        from wsss_cli.stages.result import FailedReportError

        require_given_paths(config_type, values)
        track = _track(progress)
        asked = values.keys()
        with checked_stage(stage, config, asked, asked, track) as (module, settled):
            report: Report = module.run(settled, track=track)
    if report.failure is not None:
        raise FailedReportError(report)
    return report


def _converted(
    stage: str, config_type: type[WorkConfig], options: Mapping[str, Any]
) -> dict[str, Any]:
    """The options as the config's fields have them."""
    by_name = {field.name: field for field in fields(config_type)}
    for name in options:
        if name not in by_name:
            vain = in_vain(stage, name)
            near = did_you_mean(name, [*by_name, _PROGRESS]) or "; see its help"
            raise UsageError(f"{stage}() has no option {name}{f', {vain}' if vain else near}")
    for name, field in by_name.items():
        if name not in options and field.default is MISSING:
            raise UsageError(f"{stage}() needs the option {name}")
    return {name: _convert(stage, by_name[name], value) for name, value in options.items()}


def _convert(stage: str, field: Field[Any], value: Any) -> Any:  # noqa: ANN401 - any option's
    """An option's value as its field has it: lists become tuples, strings become paths."""
    kinds = get_args(field.type) if get_origin(field.type) is not tuple else ()
    for kind in kinds or (field.type,):
        try:
            return _as(kind, value)
        except TypeError:
            continue
    wanted = getattr(field.type, "__name__", str(field.type)).replace("pathlib.", "")
    raise UsageError(f"{stage}(): {field.name} must be {wanted}, not {value!r}")


def _as(kind: Any, value: Any) -> Any:  # noqa: ANN401 - any option's
    """A value as a type of the configs has it.

    Raises:
        TypeError: It is something else.
    """
    if get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        return tuple(_as(get_args(kind)[0], each) for each in value)
    if kind is Path and isinstance(value, (str, PathLike)):
        return Path(value)
    if kind is str and isinstance(value, PathLike):
        return fspath(value)
    if kind is bool or isinstance(value, bool):
        accepted = kind is bool and isinstance(value, bool)
    elif kind in (int, float):  # numpy's numbers as well
        accepted = isinstance(value, Integral if kind is int else Real)
        value = kind(value) if accepted else value
    else:
        accepted = isinstance(kind, type) and isinstance(value, kind)
    if not accepted:
        raise TypeError
    return value


def _track(progress: bool | Track) -> Track:
    if isinstance(progress, bool):
        if not progress:
            return Silent()
        from wsss_cli.cli.run_command import choose_track

        return choose_track(quiet=False)
    return progress


@contextmanager
def _errors_as_sentences(saves_memory: str) -> Iterator[None]:
    """Turn what the machine refuses into a sentence; other errors are ours and stay as they are."""
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        from wsss_cli.cli.run_command import known_reason

        sentence = known_reason(error, saves_memory)
        if sentence is None:
            raise
        raise WsssError(sentence) from error


def _function(stage: str) -> Callable[..., "Report"]:
    """The function of a stage, with the options of its command as keyword arguments."""
    config_type = CHAIN[stage]

    def function(*, progress: bool | Track = False, **options: Any) -> "Report":  # noqa: ANN401
        return run_stage(stage, options, progress=progress)

    shared = {
        field.name
        for config in (WorkConfig, PrecisionConfig, OverwriteConfig)
        for field in fields(config)
    }
    ordered = sorted(
        fields(config_type), key=lambda f: (f.default is not MISSING, f.name in shared)
    )
    parameters = [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=field.type,
        )
        for field in ordered
    ]
    progress = Parameter(_PROGRESS, Parameter.KEYWORD_ONLY, default=False, annotation=bool | Track)
    function.__name__ = function.__qualname__ = stage
    function.__doc__ = _docstring(stage, config_type)
    vars(function)["__signature__"] = Signature([*parameters, progress])
    return function


def _docstring(stage: str, config_type: type[WorkConfig]) -> str:
    """What the command does, and its options with the command's help."""
    lines = [f"    {field.name}: {about.help}" for field, about in settings_of(config_type)]
    title = STAGES[stage].title if stage in STAGES else f"as the command wsss {stage}"
    return "\n".join(
        [
            f"Run ``wsss {stage}``: {title}.",
            "",
            "Args:",
            *lines,
            f"    {_PROGRESS}: Show the progress on stderr, or a track that is shown it.",
            "",
            "Returns:",
            "    The report: ``directory``, ``status``, ``values`` (what ``--json`` prints).",
            "",
            "Raises:",
            "    UsageError: An option does not exist or cannot have this value.",
            "    WsssError: What the command would end with, as a sentence.",
        ]
    )


FUNCTIONS: Mapping[str, Callable[..., "Report"]] = {stage: _function(stage) for stage in CHAIN}
"""A function for each stage."""
