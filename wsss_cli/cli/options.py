"""Options that several commands share, declared once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Option

from wsss_cli.cli.config_file import read_defaults
from wsss_cli.cli.path_checks import require_existing
from wsss_cli.command_line import default_run
from wsss_cli.configs.common import CommonConfig

Run = Annotated[
    Path, Option("--run", envvar="WSSS_RUN", help="Directory of the run; a folder per stage.")
]
# For commands that take runs as arguments, of which the variable holds one.
RUNS_DEFAULT = f"$WSSS_RUN, else {CommonConfig.run}"


# Beside these arguments, for who is used to it from the stages.
NamedRuns = Annotated[
    list[Path],
    Option("--run", help="The same as the argument RUN.", show_default=False),
]


def named_runs(runs: Sequence[Path], named: Sequence[Path], *, what: str = "RUN") -> Sequence[Path]:
    """The runs given as arguments and by ``--run``, else the one that every command works in.

    Args:
        runs: The arguments.
        named: The values of ``--run``.
        what: What the arguments are called, for the message.

    Raises:
        UsageError: One of them does not exist.
    """
    given = list(dict.fromkeys((*runs, *named)))
    for run in given:
        require_existing("--run" if run in named else what, run)
    return given or [default_run()]


Data = Annotated[
    Path | None,
    Option(
        help="Data set; `wsss data -h` tells which.",
        show_default="that of the run's training",
    ),
]
Device = Annotated[str, Option(help="auto, cpu, cuda or cuda:N.")]
Workers = Annotated[
    int | None, Option(help="Threads that decode images.", show_default="one per core, at most 8")
]
Seed = Annotated[int, Option(help="Seed of everything random.")]
Amp = Annotated[str, Option(help="auto: bfloat16 where the device is built for it; off: float32.")]
Overwrite = Annotated[
    bool, Option("--overwrite", help="Replace another result of this stage in the run.")
]
DryRun = Annotated[
    bool, Option("--dry-run", "-n", help="Check everything, print the plan, change nothing.")
]
Json = Annotated[bool, Option("--json", help="Print one JSON object instead of text.")]
Config = Annotated[
    Path | None,
    Option(
        "--config",
        is_eager=True,
        callback=read_defaults,
        help="TOML file with a table per command; flags and the environment win over it.",
    ),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="No progress and no remarks.")]
Verbose = Annotated[bool, Option("--verbose", "-v", help="Every setting before the start.")]
Debug = Annotated[bool, Option("--debug", help="Show the traceback of an error.")]

Weights = Annotated[
    str | None,
    Option(
        envvar="WSSS_WEIGHTS",
        help="Initial weights of the trunk: imagenet, none or a file of tensors.",
    ),
]
CheckpointEvery = Annotated[int, Option(help="Iterations between checkpoints; one a minute, too.")]
TensorBoard = Annotated[
    bool, Option("--tensorboard", help="Also log for TensorBoard, in the stage's tensorboard/.")
]
FrozenBlocks = Annotated[
    int, Option(help="Leading blocks of the trunk kept at their initial weights (2 saves a third).")
]
