"""``wsss import``."""

from collections.abc import Mapping
from typing import Any

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.run_command import choose_track, show
from wsss_cli.configs.map_import import ImportConfig


@config_command(ImportConfig)
def import_maps(
    config: ImportConfig,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run ``wsss import``."""
    del debug
    ranks.require_alone("wsss import")
    from wsss_cli.inspect import map_import

    report = map_import.run(config, track=choose_track(quiet=quiet))
    show({"stage": report.stage, "status": report.status, **report.values}, _text, as_json=json)


def _text(values: Mapping[str, Any]) -> str:
    lines = [
        f"import {values['status']}: {values['attention']}",
        f"  {values['maps']:,} maps of {values['images']:,} images of {values['split']}, "
        f"of the kind {values['kind']}",
        f"  {values['numbering']}",
        *(f"  warning: {warning}" for warning in values["warnings"]),
    ]
    return "\n".join(lines)
