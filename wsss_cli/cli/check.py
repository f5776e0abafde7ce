"""``wsss check``."""

from collections.abc import Mapping
from typing import Any

from typer import Exit

from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.run_command import show
from wsss_cli.configs.check import CheckConfig


@config_command(CheckConfig)
def check(config: CheckConfig, *, json: options.Json = False, debug: options.Debug = False) -> None:
    """Run ``wsss check``."""
    del debug
    from wsss_cli.inspect import submission

    report = submission.run(config)
    show(report.values, _text, as_json=json)
    if not report.values["valid"]:
        raise Exit(1)


def _text(values: Mapping[str, Any]) -> str:
    if values["valid"]:
        return f"{values['archive']}: valid, {values['images']} label maps of {values['split']}"
    return "\n".join(
        (f"{values['archive']}: not valid", *(f"  {problem}" for problem in values["problems"]))
    )
