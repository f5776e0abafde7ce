"""Runs a command's work: chooses the track, prints the result, turns errors into sentences."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import typer

from wsss_cli import ranks, stop_signals
from wsss_cli.artifacts.atomic import finite
from wsss_cli.cli.path_checks import require_given_paths
from wsss_cli.cli.plan_text import plan_text
from wsss_cli.cli.progress import Bars, Lines, say
from wsss_cli.cli.wrapping import folded_for
from wsss_cli.configs.common import WorkConfig
from wsss_cli.configs.presets import configured
from wsss_cli.configs.setting import Config, is_named, option, settings_of
from wsss_cli.configs.stages import STAGES
from wsss_cli.errors import WsssError, first_line
from wsss_cli.tracking import Silent, Track

C = TypeVar("C", bound=Config)

# What the shell reports of a process that ended because its reader had gone (SIGPIPE).
UNREAD = 141
# Click's names of where a parameter is given.
ENVIRONMENT, FILE, COMMAND_LINE = "ENVIRONMENT", "DEFAULT_MAP", "COMMANDLINE"


def run_stage(
    stage: str,
    config_type: type[WorkConfig],
    options: Mapping[str, Any],
    render: Callable[[Any], str],
    given: Mapping[str, str],
) -> None:
    """Run one stage from the values of its command's options.

    Args:
        stage: Name of the stage and of its module in ``wsss_cli.stages``.
        config_type: Its config; the options of the same names fill it.
        options: The command's parameters.
        render: Turns the stage's report into text for people.
        given: Where each parameter that was given was, by Click's name; the others have their
            defaults.
    """
    with ExitStack() as stack:
        saves_memory = config_type.saves_memory
        stack.enter_context(errors_as_sentences(debug=options["debug"], saves_memory=saves_memory))
        given = without_replaced(config_type, given)
        stack.enter_context(naming_variables(config_type, given))
        values = {name: value for name, value in options.items() if name in given}
        require_given_paths(config_type, values)
        # A file and the environment have the defaults of many commands.
        asked = asked_for(given)
        config = configured(stage, config_type, values_of(config_type, values), asked)
        stack.enter_context(_saying_what_is_kept(stage, getattr(config, "run", None)))
        track = choose_track(quiet=options["quiet"])
        from wsss_cli.stages.execution import checked_stage

        checked = checked_stage(stage, config, given.keys(), {*asked}, track)
        module, config = stack.enter_context(checked)
        if options["dry_run"] or options["verbose"]:
            # Before the work itself its preparation would say everything twice.
            prepared = module.prepare(config, track if options["dry_run"] else Silent())
            plan = {**prepared.describe(), **_standing(prepared, config)}
            if options["dry_run"]:
                _show_plan(stage, prepared, plan, config, as_json=options["json"])
                return
            if ranks.first():
                say(plan_text(plan, config))
        report = module.run(config, track=track)
        values = {
            "stage": report.stage,
            "status": report.status,
            "directory": None if report.directory is None else str(report.directory),
            **report.values,
        }
        show(values, render, as_json=options["json"])
        if options["json"] and not options["quiet"] and ranks.first():
            for sentence in values.get("warnings", ()):  # the text has them
                say(f"warning: {sentence}")
        if report.failure is not None:
            raise WsssError(report.failure)


def _show_plan(
    stage: str,
    prepared: Any,  # noqa: ANN401 - any stage's
    plan: Mapping[str, Any],
    config: WorkConfig,
    *,
    as_json: bool,
) -> None:
    """Print what would be done, and what it would take."""
    if not ranks.first():
        return
    from wsss_cli.inspect.estimates.by_stage import estimate_stage

    needs = asdict(estimate_stage(stage, prepared, plan.get("found", "new")))
    show(
        {**plan, "estimate": needs},
        lambda p: plan_text(p, config) + "\nnothing was done",
        as_json=as_json,
    )


def _standing(plan: Any, config: WorkConfig) -> dict[str, str]:  # noqa: ANN401 - any stage's
    """What of the result is there; refuses what the run itself would refuse."""
    # Most plans leave it to their directory, which knows nothing of new photographs.
    standing = plan if hasattr(plan, "state") else getattr(plan, "directory", None)
    if standing is None:
        return {}
    return {"found": standing.state(overwrite=getattr(config, "overwrite", False))}


def asked_for(given: Mapping[str, str]) -> list[str]:
    """The parameters that were given for this very command, on its command line."""
    return [name for name, source in given.items() if source == COMMAND_LINE]


def without_replaced(config_type: type[Config], given: Mapping[str, str]) -> Mapping[str, str]:
    """The parameters given, but for those whose place one takes that is given more closely.

    A variable is set for all commands, a file for many of them, and a command line for one.
    """
    close = {ENVIRONMENT: 0, FILE: 1, COMMAND_LINE: 2}
    replaced = {
        field.name
        for field, about in settings_of(config_type)
        for name in about.instead
        if {field.name, name} <= given.keys() and close[given[field.name]] < close[given[name]]
    }
    return {name: source for name, source in given.items() if name not in replaced}


@contextmanager
def naming_variables(config_type: type[Config], given: Mapping[str, str]) -> Iterator[None]:
    """Let an error that names an option say where that comes from, if nobody has typed it."""
    try:
        yield
    except WsssError as error:
        for field, about in settings_of(config_type):
            if given.get(field.name) == ENVIRONMENT and is_named(field.name, str(error)):
                error.add_note(f"{about.variable} in the environment sets {option(field.name)}")
        raise


def config_from(config_type: type[C], options: Mapping[str, Any]) -> C:
    """Fill a config with the options of the same names; fields without an option keep defaults."""
    return config_type(**values_of(config_type, options))


def values_of(config_type: type[Config], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a config has, by field, their lists as tuples."""
    names = [field.name for field in fields(config_type) if field.name in options]
    values = {name: options[name] for name in names}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def choose_track(*, quiet: bool) -> Track:
    """Silence, bars on a terminal, or plain lines; of several ranks the first one speaks."""
    if quiet or not ranks.first():
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()


def show(values: Any, render: Callable[[Any], str], *, as_json: bool) -> None:  # noqa: ANN401
    """Print the result on stdout: one JSON object, or text; of several ranks the first one's."""
    if ranks.first():
        if as_json:
            print(json.dumps(finite(values), indent=2), flush=True)
        else:
            print(folded_for(sys.stdout, render(values)), flush=True)


@contextmanager
def errors_as_sentences(
    *, debug: bool, saves_memory: str = "close other programs"
) -> Iterator[None]:
    """Say what went wrong in one sentence and exit with the code that belongs to it.

    Args:
        debug: Let an error through, with its traceback.
        saves_memory: What to do where there is too little.
    """
    heading = "error"
    stop_signals.begin()
    try:
        if not ranks.first():
            heading = f"error of rank {ranks.rank()}"
        yield
    except KeyboardInterrupt as interrupt:
        _close_suspended(interrupt)
        with suppress(OSError):  # its terminal may be gone
            say(_of_interrupt(interrupt))
        raise typer.Exit(128 + stop_signals.number_of(interrupt)) from None
    except BrokenPipeError:  # as in `wsss show | head -1`: nobody is left to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(UNREAD) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if debug:
            raise
        message, code = _sentence(error, saves_memory)
        _close_suspended(error)
        say(f"{heading}: {message}")
        raise typer.Exit(code) from None
    else:
        ranks.leave()


@contextmanager
def _saying_what_is_kept(stage: str, run: Path | None) -> Iterator[None]:
    """Let an interrupt say what of a stage is there, if nobody who knew better has."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        from wsss_cli.artifacts.stage_directory import standing

        if run is not None and stage in STAGES and not getattr(interrupt, "__notes__", None):
            with suppress(WsssError, OSError):
                interrupt.add_note(standing(run / stage))
        raise


def _close_suspended(error: BaseException | None) -> None:
    """Close the generators that an error has left in the middle: one shows a bar on the terminal.

    They would be closed with the error's frames, which is after the sentence, and never in a
    process that ends at once.
    """
    import traceback

    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _of_interrupt(interrupt: KeyboardInterrupt) -> str:
    """By which signal, unless it was Ctrl-C, and what is kept: the notes of whoever was at work."""
    number = stop_signals.number_of(interrupt)
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    kept = "; ".join(getattr(interrupt, "__notes__", ["files that were finished are kept"]))
    return f"interrupted{by}: {kept}; run the same command again to continue"


def _sentence(error: Exception, saves_memory: str) -> tuple[str, int]:
    message, code = _reason(error, saves_memory)
    return "; ".join([message, *getattr(error, "__notes__", ())]), code


def known_reason(error: Exception, saves_memory: str) -> str | None:
    """What the machine refused, as a sentence; None where the error says something else."""
    if _is_out_of_memory(error):
        return f"out of memory ({first_line(error)}); {saves_memory}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}; check the path and its permissions"
    return None


def _reason(error: Exception, saves_memory: str) -> tuple[str, int]:
    if isinstance(error, WsssError):
        return str(error), error.exit_code
    sentence = known_reason(error, saves_memory)
    if sentence is not None:
        return sentence, 1
    text = first_line(error)
    return f"{type(error).__name__}: {text}; run again with --debug and report what it shows", 1


def _is_out_of_memory(error: Exception) -> bool:
    """Whether it says so; Python and numpy, torch on a GPU, torch on a CPU and OpenCV differ."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in ("can't allocate memory", "Insufficient memory"))
