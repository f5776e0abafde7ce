"""``wsss demo``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command
from wsss_cli.cli.run_command import choose_track, show
from wsss_cli.command_line import command_line
from wsss_cli.configs.demo import DemoConfig


@config_command(DemoConfig)
def demo(
    config: DemoConfig,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run ``wsss demo``."""
    del debug
    ranks.require_alone("wsss demo")
    from wsss_cli.chains import demo as chain

    report = chain.run(config, track=choose_track(quiet=quiet))
    values = {"stage": "demo", "status": "complete", **report.values}
    show(values, lambda v: _table(v, config.directory), as_json=json)


def _table(values: Mapping[str, Any], directory: Path) -> str:
    cam, seenet, run = values["cam"], values["seenet"], Path(values["run"])
    rows = [
        "mIoU, in per cent",
        f"  attention of the training images, threshold {values['threshold']} (at its best)",
        _row("CAM", cam["attention"]) + f"  ({100 * cam['attention_best']:.1f})",
        _row("SeeNet", seenet["attention"]) + f"  ({100 * seenet['attention_best']:.1f})",
        "  proxy ground truth of the training images",
        *_baselines(values["proxy_baselines"]),
        _row("proxies of CAM", cam["proxy"]),
        _row("proxies of SeeNet", seenet["proxy"]),
        "  segmentation of the validation images",
        *_baselines(values["prediction_baselines"]),
        _row("network on SeeNet's proxies", values["prediction"]),
        _row("the same, refined by the CRF", values["prediction_crf"]),
        "",
        f"{values['seconds']} s; the data set is in {values['data']}, the runs are in "
        f"{directory / 'runs'}",
        "look around:",
        f"  {command_line('show', run)}",
        f"  {command_line('evaluate', run=run)}",
        f"  {command_line('attend', heatmaps=True, run=run)}",
    ]
    return "\n".join(rows)


def _baselines(scores: Mapping[str, float]) -> list[str]:
    return [_row(name.replace("_", " "), score) for name, score in scores.items()]


def _row(name: str, score: float) -> str:
    return f"    {name:<32} {100 * score:5.1f}"
