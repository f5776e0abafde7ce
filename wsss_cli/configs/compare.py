"""Settings of ``wsss compare``: runs that differ in a setting and a seed."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import CommonConfig, DeviceConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.setting import Config, Role, same_as, setting
from wsss_cli.configs.train import TrainConfig


@dataclass(frozen=True)
class CompareConfig(Config):
    """Train, attend, make proxies and score with several settings and seeds, in one table.

    Examples:
      wsss compare methods.toml --data VOC2012 --saliency saliency_maps
      wsss compare methods.toml --data VOC2012 --saliency saliency_maps --dry-run
      wsss show runs/compare/seenet/seed-0

    The file has the tables of --config for what all settings share, and one for each setting:
      seeds = [0, 1]
      [train]
      iterations = 2000
      [settings.cam]
      train.method = "cam"
      [settings."SeeNet without S_C"]
      train.background-branch = false
      seeds = [0]
    A table [start] has the options of a training that all settings go on from.

    Writes OUT/compare.md, compare.json and compare.csv: mean and deviation over the seeds, and
    whether each setting differs from the first one by more than the choice of images explains.
    Stopped, it continues when the same command is run again; what is complete is not repeated.
    """

    file: Path = setting(
        Path("compare.toml"), "TOML file of the settings.", role=Role.INPUT, argument="FILE"
    )
    out: Path = setting(
        Path("runs/compare"),
        "Where the runs and the tables go; a run for each setting and seed.",
    )
    data: Path | None = same_as(CommonConfig, "data")
    saliency: Path | None = setting(
        None, "Folder of saliency maps, grey pictures by image id.", role=Role.INPUT
    )
    weights: str | None = same_as(TrainConfig, "weights")
    device: str = same_as(DeviceConfig, "device")
    workers: int | None = same_as(CommonConfig, "workers")


@dataclass(frozen=True)
class ComparedRun:
    """One setting with one seed: the configs of its chain.

    Attributes:
        setting: Name of the setting.
        seed: Seed of the training.
        start: A training that comes before: all settings go on from it, one for each seed.
        train: First link of the chain.
        attend: Second.
        proxy: Third.
        attention: The evaluation of the attention.
        labels: The evaluation of the proxies, with their baselines.
        commands: The command lines that say the same.
    """

    setting: str
    seed: int
    start: TrainConfig | None
    train: TrainConfig
    attend: AttendConfig
    proxy: ProxyConfig
    attention: EvaluateConfig
    labels: EvaluateConfig
    commands: tuple[str, ...]

    @property
    def directory(self) -> Path:
        """Where the run lies."""
        return self.train.run
