"""Settings of ``wsss report``: a page about one run or several."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import check

PAGE = "report.html"


@dataclass(frozen=True)
class ReportConfig:
    """What is reported, and where the page goes.

    Attributes:
        runs: Directories of the runs, a column each; the first one's scores choose the images.
        out: The page; None is ``report.html`` in the first run.
        data: Data set of the pictures; None takes each run's own.
        images: How many images a gallery shows.
        workers: Threads that decode images; None is one per core, up to eight.
    """

    runs: tuple[Path, ...] = ()
    out: Path | None = None
    data: Path | None = None
    images: int = 3
    workers: int | None = None

    def __post_init__(self) -> None:
        check(0 <= self.images <= 12, "images", "must be 0 to 12")
        check(self.workers is None or self.workers >= 0, "workers", "must be 0 or more")

    @property
    def page(self) -> Path:
        """Where the page goes."""
        return self.out or self.runs[0] / PAGE
