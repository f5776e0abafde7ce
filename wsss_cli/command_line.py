"""Composes the command lines in messages, so that they can be pasted into a shell."""

import os
import shlex
from pathlib import Path

from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.setting import option

RUN_VARIABLE = "WSSS_RUN"
# Placeholders for a folder and a file that only the user knows.
FOLDER, FILE = "DIR", "FILE"

Value = str | int | float | bool | Path | None


def default_run() -> Path:
    """Run directory of a command without ``--run``."""
    return Path(os.environ.get(RUN_VARIABLE) or CommonConfig.run)


def command_line(
    command: str,
    *arguments: str | Path,
    run: Path | None = None,
    always_run: bool = False,
    **options: Value,
) -> str:
    """Compose a ``wsss`` command line, quoted for the shell.

    Args:
        command: Name of the command, such as ``attend`` or ``data check``.
        arguments: Positional arguments.
        run: Run directory; left out where it is the default.
        always_run: Include the run even if it is the default.
        options: Values by name of the field; None and False are left out, True is a flag.
    """
    words = [*command.split(), *map(str, arguments)]
    for name, value in options.items():
        if value is True:
            words.append(option(name))
        elif value is not None and value is not False:
            words += [option(name), str(value)]
    if run is not None and (always_run or run != default_run()):
        words += ["--run", str(run)]
    return shlex.join(["wsss", *words])
