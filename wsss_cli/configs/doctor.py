"""Settings of ``wsss doctor``."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.setting import Config, same_as


@dataclass(frozen=True)
class DoctorConfig(Config):
    """Look at this machine: libraries, threads, memory, disk, weights, and what would be slow.

    Examples:
      wsss doctor
      wsss doctor --data VOC2012 --run runs/first
      wsss doctor --json

    With --data it also says how much a run will write. Nothing is written, downloaded or asked of
    the network. Exit code 1 when something here makes wsss unusable.
    """

    data: Path | None = same_as(CommonConfig, "data")
    run: Path = same_as(CommonConfig, "run")
