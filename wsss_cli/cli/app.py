"""The ``wsss`` command; each of its commands is imported and made when it is asked for."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer

from wsss_cli import __version__
from wsss_cli.cli.config_command import stage_command
from wsss_cli.cli.terminal import escape_what_cannot_be_shown
from wsss_cli.cli.wrapping import Group, click_command
from wsss_cli.configs.stages import CHAIN

# Of the commands that are no stages: their module beside this one, and their function there.
_OTHERS = {
    "show": ("show", "show"),
    "report": ("report", "report"),
    "check": ("check", "check"),
    "suggest": ("suggest", "suggest"),
    "export": ("export", "export"),
    "export-network": ("export_network", "export_network"),
    "compare": ("compare", "compare"),
    "rounds": ("rounds", "rounds"),
    "demo": ("demo", "demo"),
    "doctor": ("doctor", "doctor"),
    "import": ("map_import", "import_maps"),
    "data": ("data", "data"),
}


class _Commands(Mapping[str, Any]):
    """The commands by name, in the order of the help, made by need: a help is that of one."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a command of the Click in use
        if name not in self._made:
            self._made[name] = click_command(name, self._function(name))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*CHAIN, *_OTHERS))

    def __len__(self) -> int:
        return len(CHAIN) + len(_OTHERS)

    def __contains__(self, name: object) -> bool:
        return name in CHAIN or name in _OTHERS

    def about(self, name: str) -> str:
        """The help of a command as it is written, for which nothing has to be made."""
        function = self._function(name)
        if isinstance(function, typer.Typer):
            return str(function.info.help)
        return function.__doc__ or ""

    def _function(self, name: str) -> Callable[..., None] | typer.Typer:
        if name in CHAIN:
            return stage_command(name)
        module, function = _OTHERS[name]
        command: Callable[..., None] | typer.Typer = getattr(
            import_module(f"wsss_cli.cli.{module}"), function
        )
        return command


def _version(wanted: bool) -> None:
    if wanted:
        print(f"wsss {__version__}")
        raise typer.Exit


def _wsss(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Pixel masks from image-level labels: weakly supervised semantic segmentation.

    Examples:
      wsss doctor                            what this machine has, and what will be slow
      wsss demo                              draw a small data set and run everything on it
      wsss data check photos                 what is in a data set, and what is wrong with it
      wsss train --data VOC2012              learn where objects are, from labels alone
      wsss attend                            attention maps of the training images
      wsss saliency --model u2netp.onnx      saliency maps, unless there are any
      wsss proxy --saliency saliency_maps    proxy ground truth
      wsss refine --edges                    spread attention up to the edges of objects
      wsss segment                           train a segmentation network on it, predict
      wsss predict runs/default photos --out found    new photographs, overlays, videos
      wsss import their_maps --data VOC2012 -o attention.h5    another tool's maps
      wsss crf --preset irn                  snap soft predictions to the edges of the images
      wsss evaluate                          the scores
      wsss suggest --count 20                which label maps are most worth correcting
      wsss export LABELS --to coco -o masks.json      label maps for other tools
      wsss report                            scores, curves and pictures as one page
      wsss compare methods.toml              several settings and seeds in one table
      wsss rounds rounds.toml                each network labels for the next one

    Every stage keeps what it makes in the run (--run, by default runs/default) and finds there
    what it needs; run again, it continues where it was stopped.
    """
    del version
    escape_what_cannot_be_shown()


_root = typer.Typer(
    name="wsss",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
_root.callback()(_wsss)
app: Any = typer.main.get_command(_root)
"""The whole command line as a group of the Click that Typer brings, or of the one beside it."""
app.commands = _Commands()
