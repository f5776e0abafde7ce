"""Settings of ``wsss data check``, ``wsss data convert`` and ``wsss data masks``."""

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
        binary: The masks are black and white: 255 is the class of the image's labels, not to
            be ignored.
        workers: Threads that decode images; None is one per core, up to eight.
    """

    data: Path
    out: Path
    binary: bool = False
    workers: int | None = None

    def __post_init__(self) -> None:
        check(self.workers is None or self.workers >= 0, "workers", "must be 0 or more")


@dataclass(frozen=True)
class DataMasksConfig:
    """Settings of the conversion of a folder of masks.

    Attributes:
        masks: The masks, pictures of any format.
        out: The folder of label maps to write.
        white: Class that white (255) is; None leaves 255 to be ignored.
        workers: Threads that decode images; None is one per core, up to eight.
    """

    masks: Path
    out: Path
    white: int | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        check(self.white is None or 0 < self.white < 255, "white", "must be a class, 1 to 254")
        check(self.workers is None or self.workers >= 0, "workers", "must be 0 or more")
