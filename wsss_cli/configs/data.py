"""Settings of ``wsss data check`` and ``wsss data convert``."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import check


@dataclass(frozen=True)
class DataCheckConfig:
    """Settings of the check.

    Attributes:
        data: The data set, a folder or file.
        quick: Look at the first and last bytes of photographs only, and at no mask.
        workers: Threads that decode images; None is one per core, up to eight.
    """

    data: Path
    quick: bool = False
    workers: int | None = None

    def __post_init__(self) -> None:
        check(self.workers is None or self.workers >= 0, "workers", "must be 0 or more")


@dataclass(frozen=True)
class DataConvertConfig:
    """Settings of the conversion.

    Attributes:
        data: The data set, a folder or file.
        out: The VOC tree to write.
        workers: Threads that decode images; None is one per core, up to eight.
    """

    data: Path
    out: Path
    workers: int | None = None

    def __post_init__(self) -> None:
        check(self.workers is None or self.workers >= 0, "workers", "must be 0 or more")
