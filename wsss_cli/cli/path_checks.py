"""Paths on a command line that lead nowhere are named before anything else is looked at."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss_cli.configs.saliency import where_to_get_a_network
from wsss_cli.configs.setting import Config, option, settings_of
from wsss_cli.errors import UsageError, did_you_mean, near_path

_WHAT_DATA_IS = "; `wsss data --help` lists what a data set may be"


def require_given_paths(config: type[Config], values: Mapping[str, Any]) -> None:
    """Refuse the first setting that names a file or folder that is not there.

    Args:
        config: The config that declares the settings.
        values: Their values by field.

    Raises:
        UsageError: Names the option and the path, and a path of a similar name if there is one.
    """
    for field, about in settings_of(config):
        value = values.get(field.name)
        if about.must_exist and value is not None:
            require_existing(about.argument or option(field.name), Path(value), words=about.words)


def require_existing(option_name: str, path: Path, *, words: tuple[str, ...] = ()) -> None:
    """Refuse a path that does not exist.

    Args:
        option_name: The option or argument, for the message.
        path: What it names.
        words: Values that are not paths.

    Raises:
        UsageError: There is nothing of that name.
    """
    if str(path) in words or path.exists():
        return
    near = did_you_mean(str(path), words) or near_path(path)
    if option_name == "--weights":
        raise UsageError(
            f"{option_name} {path} does not exist, and it is not imagenet or none{near}"
        )
    if option_name == "--model":
        raise UsageError(
            f"{option_name} {path} does not exist{near or '; ' + where_to_get_a_network()}"
        )
    advice = _WHAT_DATA_IS if option_name in ("--data", "DATA") else "; check the path"
    raise UsageError(f"{option_name} {path} does not exist{near or advice}")
