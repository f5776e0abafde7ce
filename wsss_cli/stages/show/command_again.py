"""The command that makes a stage's result again, from the settings in its manifest."""

import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import INPUT_PATHS, CommonConfig, option
from wsss_cli.configs.crf import CrfConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.saliency import SaliencyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.stages.show.inputs_now import InputsNow

_CONFIGS: Mapping[str, type[CommonConfig]] = {
    "train": TrainConfig,
    "attend": AttendConfig,
    "saliency": SaliencyConfig,
    "proxy": ProxyConfig,
    "segment": SegmentConfig,
    "crf": CrfConfig,
}


def command_again(
    stage: str, manifest: Mapping[str, Any], now: InputsNow, *, overwrite: bool
) -> str:
    """The stage's command with every option that was not left at its default.

    Args:
        stage: Name of the stage.
        manifest: Its own, with the config that it was run with.
        now: Knows where the inputs lie now.
        overwrite: Replace the result.
    """
    recorded = dict(manifest.get("config", {}))
    if recorded.get("start") is not None:
        recorded["weights"] = None  # the start brings its own
    if recorded.get("data") is not None:
        recorded["data"] = manifest.get("data") or recorded["data"]  # whatever folder we are in
    words = ["wsss", stage, "--run", str(now.run)]
    for field in fields(_CONFIGS[stage]):
        value = recorded.get(field.name)
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        if field.name in ("run", "overwrite") or value in (None, default):
            continue
        if isinstance(value, bool):
            words.append(option(field.name) if value else f"--no-{option(field.name)[2:]}")
            continue
        for one in value if isinstance(value, list) else [value]:
            inside = field.name in INPUT_PATHS and isinstance(one, str)
            said = now.place(manifest, one) if inside and Path(one).parts else one
            words += [option(field.name), str(said)]
    return shlex.join([*words, "--overwrite"] if overwrite else words)
