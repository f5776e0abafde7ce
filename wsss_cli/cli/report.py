"""``wsss report``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.run_command import choose_track, show
from wsss_cli.configs.report import ReportConfig


@config_command(ReportConfig)
def report(
    config: ReportConfig,
    *,
    run: options.NamedRuns = [],  # noqa: B006 - Typer copies it
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run ``wsss report``."""
    del debug
    ranks.require_alone("wsss report")
    config = replace(config, runs=tuple(options.named_runs(config.runs, run)))
    from wsss_cli.stages.early_checks import check_report

    check_report(config)
    from wsss_cli.inspect import report as page

    made = page.run(config, track=choose_track(quiet=quiet))
    status = "up to date" if made.up_to_date else "complete"
    show({"stage": made.stage, "status": status, **made.values}, _text, as_json=json)


def _text(values: Mapping[str, Any]) -> str:
    size = f"{values['bytes'] / 1e6:.1f} MB, {values['pictures']} images"
    if values["status"] == "up to date":
        size += "; up to date, so nothing was drawn again"
    return "\n".join([f"{values['page']}: {size}", *(f"  {line}" for line in values["remarks"])])
