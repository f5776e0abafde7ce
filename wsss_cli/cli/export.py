"""``wsss export``."""

from collections.abc import Mapping
from typing import Any

from wsss_cli.cli.config_command import report_command
from wsss_cli.configs.export import FORMATS, ExportConfig


def _text(values: Mapping[str, Any]) -> str:
    return (
        f"export complete: {values['out']}\n"
        f"  {FORMATS[values['to']].title}: {values['images']:,} images, "
        f"{values['regions']:,} regions, {values['seconds']} s"
    )


export = report_command(ExportConfig, "export", "wsss_cli.inspect.mask_export.export", _text)
