"""Options that several commands share, declared once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli.config_file import read_defaults
from wsss_cli.cli.path_checks import require_existing
from wsss_cli.command_line import default_run
from wsss_cli.configs.common import CommonConfig

# What takes runs as arguments takes by default what the variable holds, which is one.
RUNS_DEFAULT = f"$WSSS_RUN, else {CommonConfig.run}"
TALK = "How the command talks"
"""Heading of the options that change no result."""

# Beside these arguments, for who is used to it from the stages.
NamedRuns = Annotated[
    list[Path],
    Option("--run", help="The same as the argument RUN.", show_default=False),
]


def named_runs(
    runs: Sequence[Path], named: Sequence[Path], *, argument: str = "RUN"
) -> Sequence[Path]:
    """The runs given as arguments and by ``--run``, else the one that every command works in.

    Args:
        runs: The arguments.
        named: The values of ``--run``.
        argument: What the arguments are called, for the message.

    Raises:
        UsageError: One of them does not exist.
    """
    paths = list(dict.fromkeys((*runs, *named)))
    for run in paths:
        require_existing("--run" if run in named else argument, run)
    return paths or [default_run()]


DryRun = Annotated[
    bool,
    Option(
        "--dry-run",
        "-n",
        help="Check everything, print the plan, change nothing.",
        rich_help_panel=TALK,
    ),
]
Json = Annotated[
    bool, Option("--json", help="Print one JSON object instead of text.", rich_help_panel=TALK)
]
Config = Annotated[
    Path | None,
    Option(
        "--config",
        is_eager=True,
        callback=read_defaults,
        help="TOML file with a table per command; flags and the environment win over it.",
        rich_help_panel=TALK,
    ),
]
Quiet = Annotated[
    bool, Option("--quiet", "-q", help="No progress and no remarks.", rich_help_panel=TALK)
]
Verbose = Annotated[
    bool, Option("--verbose", "-v", help="Every setting before the start.", rich_help_panel=TALK)
]
Debug = Annotated[
    bool, Option("--debug", help="Show the traceback of an error.", rich_help_panel=TALK)
]
