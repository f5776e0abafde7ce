"""Settings of ``wsss report``: a page about one run or several."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.setting import Config, same_as, setting

PAGE = "report.html"


@dataclass(frozen=True)
class ReportConfig(Config):
    """Make one HTML page of a run, or of several side by side.

    Examples:
      wsss report
      wsss report runs/cam runs/seenet --out cam_and_seenet.html
      wsss report --images 6 --json

    The page has scores, curves, confusion matrix, every setting, and pictures of the best, median
    and worst images and of three kinds of failure. It is a single file without anything from the
    network. Its scores are those of RUN/evaluate, so evaluate first.
    """

    runs: tuple[Path, ...] = setting(
        (),
        "Directory of the run; several become columns, and the first one's scores choose the "
        "images.",
        argument="RUN",
        unset=f"$WSSS_RUN, else {CommonConfig.run}",
    )
    out: Path | None = setting(None, "The page to write.", unset=f"{PAGE} in the first RUN")
    data: Path | None = same_as(CommonConfig, "data")
    images: int = setting(3, "Images in each gallery.", at_least=0, at_most=12)
    workers: int | None = same_as(CommonConfig, "workers")

    @property
    def page(self) -> Path:
        """Where the page goes."""
        return self.out or self.runs[0] / PAGE
