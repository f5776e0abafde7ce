"""``wsss compare``."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.comparison_file import read_comparison
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.plan_text import takes_text
from wsss_cli.cli.run_command import choose_track, show
from wsss_cli.configs.compare import CompareConfig
from wsss_cli.errors import UsageError


@config_command(CompareConfig)
def compare(
    config: CompareConfig,
    *,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run ``wsss compare``."""
    del debug
    ranks.require_alone("wsss compare")
    runs = read_comparison(config)
    from wsss_cli.stages.early_checks import check_usage
    from wsss_cli.stages.inputs import data_sets_read_once

    with data_sets_read_once():
        check_usage("train", runs[0].start or runs[0].train)
        if config.saliency is None:
            raise UsageError(
                "a comparison needs saliency maps, if only for the baseline; pass --saliency DIR "
                "(grey PNG by image id)"
            )
        from wsss_cli.chains import compare as chain
        from wsss_cli.chains.comparison_estimate import estimate_comparison

        if dry_run:
            standings = chain.check(runs)
            plan = {"runs": standings, "estimate": asdict(estimate_comparison(runs, standings))}
            show(plan, _plan, as_json=json)
            return
        report = chain.run(config.out, runs, track=choose_track(quiet=quiet))
    status = "up to date" if report.up_to_date else "complete"
    head = {"stage": "compare", "status": status, "directory": str(config.out)}
    values = {**head, **report.values}
    page = values.pop("markdown")
    show(values, lambda v: f"compare {v['status']}: {v['directory']}\n\n{page}", as_json=json)


def _plan(values: Mapping[str, Any]) -> str:
    stages = ("start", "train", "attend", "proxy")
    lines = [
        f"{run['directory']}  "
        + ", ".join(f"{stage} {run[stage]}" for stage in stages if stage in run)
        for run in values["runs"]
    ]
    return "\n".join((*lines, f"takes {takes_text(values['estimate'])}", "nothing was done"))
