"""``wsss export-network``."""

from collections.abc import Mapping
from typing import Any

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.run_command import choose_track, show
from wsss_cli.configs.export_network import ExportNetworkConfig


@config_command(ExportNetworkConfig)
def export_network(
    config: ExportNetworkConfig,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run ``wsss export-network``."""
    del debug
    ranks.require_alone("wsss export-network")
    from wsss_cli.inspect.network_export import export

    report = export.run(config, track=choose_track(quiet=quiet))
    show({"stage": report.stage, **report.values}, _text, as_json=json)


def _text(values: Mapping[str, Any]) -> str:
    return (
        f"export-network complete: {values['out']}\n"
        f"  {values['model']}, {len(values['class_names'])} classes, opset {values['opset']}, "
        f"{values['bytes'] / 1e6:.0f} MB, {values['seconds']} s; model card {values['card']}"
    )
