"""Settings of ``wsss compare``: runs that differ in a setting and a seed."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import check
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.train import TrainConfig


@dataclass(frozen=True)
class CompareConfig:
    """Where and how a comparison is made; what is compared stands in its file.

    Attributes:
        file: TOML file of the settings.
        out: Where the runs and the tables go.
        data: Data set, a folder or file; None takes that of the runs' trainings.
        saliency: Folder of saliency maps, PNG by image id.
        weights: Initial weights of every setting that names none of its own.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        workers: Threads that decode images; None is one per core, up to eight.
    """

    file: Path = Path("compare.toml")
    out: Path = Path("runs/compare")
    data: Path | None = None
    saliency: Path | None = None
    weights: str | None = None
    device: str = "auto"
    workers: int | None = None

    def __post_init__(self) -> None:
        check(self.workers is None or self.workers >= 0, "workers", "must be 0 or more")


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
