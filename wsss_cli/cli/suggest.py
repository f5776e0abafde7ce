"""``wsss suggest``."""

from collections.abc import Mapping
from typing import Any

from wsss_cli.cli.config_command import report_command
from wsss_cli.configs.suggest import SuggestConfig


def _text(values: Mapping[str, Any]) -> str:
    corrected = f", {values['corrected']:,} corrected already" if values["corrected"] else ""
    lines = [
        f"{len(values['suggested'])} of {values['images']:,} images to correct{corrected}, "
        "and how far labels and attention differ:",
        *(f"  {each['image']}  {_by_class(each['by_class'])}" for each in values["suggested"]),
    ]
    if values["out"] is not None:
        lines.append(f"their ids are in {values['out']}")
    return "\n".join(lines)


def _by_class(differences: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {100 * each:.0f} %" for name, each in differences.items())


suggest = report_command(SuggestConfig, "suggest", "wsss_cli.inspect.suggestion", _text)
