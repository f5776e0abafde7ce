"""Command lines in messages: what is printed can be pasted into the same shell."""

import os
import shlex
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, option

RUN_VARIABLE = "WSSS_RUN"
# What a command line says where the person alone knows the folder or the file.
FOLDER, FILE = "DIR", "FILE"

Value = str | int | float | bool | Path | None


def default_run() -> Path:
    """The run that a command works in which names none."""
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
        arguments: Its positional arguments.
        run: The run; left out where the command would take it anyway.
        always_run: Name the run even there.
        options: Values by the name of the field; None and False are left out, True is a flag.
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
