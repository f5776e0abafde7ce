"""``wsss rounds``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.path_checks import require_given_paths
from wsss_cli.cli.rounds_file import read_rounds
from wsss_cli.cli.run_command import choose_track, show
from wsss_cli.configs.rounds import Round, RoundsConfig
from wsss_cli.errors import UsageError


@config_command(RoundsConfig)
def rounds(
    config: RoundsConfig,
    *,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run ``wsss rounds``."""
    del debug
    ranks.require_alone("wsss rounds")
    from wsss_cli.stages.early_checks import check_usage
    from wsss_cli.stages.inputs import data_sets_read_once

    with data_sets_read_once():
        planned = read_rounds(config)
        _require_paths(config, planned)
        check_usage("train", planned[0].links[0].config)
        from wsss_cli.chains import rounds as chain

        if dry_run:
            show({"stages": chain.check(planned)}, _plan, as_json=json)
            return
        report = chain.run(config.out, planned, track=choose_track(quiet=quiet))
    head = {"stage": "rounds", "status": report.status, "directory": str(config.out)}
    values = {**head, **report.values}
    page = values.pop("markdown")
    show(values, lambda v: f"rounds {v['status']}: {v['directory']}\n\n{page}", as_json=json)


def _require_paths(config: RoundsConfig, planned: Sequence[Round]) -> None:
    """Refuse a path in the file that leads nowhere, wherever the rounds come to it.

    Raises:
        UsageError: Names the option and the path.
    """
    for link in (link for each in planned for link in each.links):
        values = vars(link.config).items()
        paths = {name: value for name, value in values if isinstance(value, Path)}
        # What the rounds make themselves is not there yet.
        given = {name: p for name, p in paths.items() if not p.is_relative_to(config.out)}
        try:
            require_given_paths(type(link.config), given)
        except UsageError as error:
            raise UsageError(
                f"{config.file}: {link.stage} of {link.config.run}: {error}"
            ) from error


def _plan(values: Mapping[str, Any]) -> str:
    lines = [f"{each['run']}: {each['stage']} {each['state']}" for each in values["stages"]]
    return "\n".join((*lines, "nothing was done"))
