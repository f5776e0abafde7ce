"""Paths on a command line that lead nowhere are named before anything else is looked at."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss_cli.configs.common import INPUT_PATHS, option
from wsss_cli.configs.saliency import UNSUPERVISED, where_to_get_a_network
from wsss_cli.errors import UsageError, did_you_mean, near_path

# Paths that are arguments of a command instead of options, as its help calls them.
_ARGUMENTS = {("predict", "checkpoint"): "CHECKPOINT"}
# Options whose values may be words instead of paths.
_WORDS = {"weights": ("imagenet", "none"), "model": (UNSUPERVISED,)}
_WHAT_DATA_IS = "; `wsss data --help` lists what a data set may be"


def require_given_paths(stage: str, options: Mapping[str, Any]) -> None:
    """Refuse the first option of a stage that names a file or folder that is not there.

    Args:
        stage: Name of the stage.
        options: The command's parameters by field.

    Raises:
        UsageError: Names the option and the path, and a path of a similar name if there is one.
    """
    places = {"data", *INPUT_PATHS, *(["model"] if stage == "saliency" else [])}
    for name, value in options.items():
        if name in places and value is not None:
            what = _ARGUMENTS.get((stage, name), option(name))
            require_existing(what, Path(value), words=_WORDS.get(name, ()))


def require_existing_data(data: Path | None, what: str = "--data") -> None:
    """Refuse a data set that does not exist, where one is given."""
    if data is not None:
        require_existing(what, data)


def require_existing(what: str, path: Path, *, words: tuple[str, ...] = ()) -> None:
    """Refuse a path that does not exist.

    Args:
        what: The option or argument, for the message.
        path: What it names.
        words: Values that are not paths.

    Raises:
        UsageError: There is nothing of that name.
    """
    if str(path) in words or path.exists():
        return
    near = did_you_mean(str(path), words) or near_path(path)
    if what == "--weights":
        raise UsageError(f"{what} {path} does not exist, and it is not imagenet or none{near}")
    if what == "--model":
        raise UsageError(f"{what} {path} does not exist{near or '; ' + where_to_get_a_network()}")
    advice = _WHAT_DATA_IS if what in ("--data", "DATA") else "; check the path"
    raise UsageError(f"{what} {path} does not exist{near or advice}")
