"""``wsss import``."""

from collections.abc import Mapping
from typing import Any

from wsss_cli.cli.config_command import report_command
from wsss_cli.configs.map_import import ImportConfig


def _text(values: Mapping[str, Any]) -> str:
    lines = [
        f"import {values['status']}: {values['attention']}",
        f"  {values['maps']:,} maps of {values['images']:,} images of {values['split']}, "
        f"of the kind {values['kind']}",
        f"  {values['numbering']}",
        *(f"  warning: {warning}" for warning in values["warnings"]),
    ]
    return "\n".join(lines)


import_maps = report_command(
    ImportConfig, "import", "wsss_cli.inspect.map_import", _text, head=("status",)
)
