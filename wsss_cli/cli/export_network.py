"""``wsss export-network``."""

from collections.abc import Mapping
from typing import Any

from wsss_cli.cli.config_command import report_command
from wsss_cli.configs.export_network import ExportNetworkConfig


def _text(values: Mapping[str, Any]) -> str:
    return (
        f"export-network complete: {values['out']}\n"
        f"  {values['kind']} ({values['model']}), {len(values['class_names'])} classes, "
        f"{values['bytes'] / 1e6:.0f} MB, {values['seconds']} s; model card {values['card']}"
    )


export_network = report_command(
    ExportNetworkConfig, "export-network", "wsss_cli.inspect.network_export.export", _text
)
