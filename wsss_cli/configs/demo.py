"""Settings of ``wsss demo``."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import check


@dataclass(frozen=True)
class DemoConfig:
    """Settings of the demonstration.

    Attributes:
        directory: Where the data set and the runs go.
        seed: Seed of the drawing and of everything after it.
        device: ``auto``, ``cpu``, ``cuda``.
    """

    directory: Path = Path("wsss-demo")
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        check(0 <= self.seed < 2**31, "seed", "must be between 0 and 2**31 - 1")
