"""From a stage's settings to its module: what every run of a stage goes through first."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from wsss_cli import ranks
from wsss_cli.configs.common import WorkConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.stages.early_checks import check_usage
from wsss_cli.stages.inputs import data_sets_read_once, with_rule_at_hand
from wsss_cli.stages.recorded_settings import with_recorded_settings
from wsss_cli.tracking import Track


@contextmanager
def checked_stage(
    stage: str, config: WorkConfig, explicit: Set[str], asked: Set[str], track: Track
) -> Iterator[tuple[Any, WorkConfig]]:
    """Check what can be checked without torch, then import the stage.

    Args:
        stage: Name of the stage.
        config: Its settings, those of its preset included.
        explicit: Fields that were passed; the others have their defaults.
        asked: Those that were passed for this very command, not as a default of several.
        track: Told if the settings are those of a finished result.

    Yields:
        The stage's module, with ``prepare`` and ``run``, and the settings to run it with.

    Raises:
        WsssError: An earlier stage, a list, a folder or the data set is missing or wrong.
    """
    if isinstance(config, ProxyConfig):
        config = with_rule_at_hand(config, explicit, track)
    settled = with_recorded_settings(stage, config, explicit, asked)
    if settled != config:
        run = getattr(config, "run", "")
        track.note(f"the other settings are those that {run}/{stage} was made with")
    with data_sets_read_once():
        check_usage(stage, settled)
        ranks.meet()
        yield import_module(f"wsss_cli.stages.{stage}"), settled
