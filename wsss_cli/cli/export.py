"""``wsss export``."""

from collections.abc import Mapping
from typing import Any

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.run_command import choose_track, show
from wsss_cli.configs.export import FORMATS, ExportConfig


@config_command(ExportConfig)
def export(
    config: ExportConfig,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run ``wsss export``."""
    del debug
    ranks.require_alone("wsss export")
    from wsss_cli.inspect.mask_export import export as exporting

    report = exporting.run(config, track=choose_track(quiet=quiet))
    show({"stage": report.stage, **report.values}, _text, as_json=json)


def _text(values: Mapping[str, Any]) -> str:
    return (
        f"export complete: {values['out']}\n"
        f"  {FORMATS[values['to']].title}: {values['images']:,} images, "
        f"{values['regions']:,} regions, {values['seconds']} s"
    )
