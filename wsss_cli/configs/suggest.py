"""Settings of ``wsss suggest``: which label maps are most worth correcting."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import HOW, CommonConfig, OverwriteConfig, WorkConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.setting import Config, Role, same_as, setting


@dataclass(frozen=True)
class SuggestConfig(Config):
    """Name the images whose label maps are most worth correcting by hand.

    Examples:
      wsss suggest --count 20
      wsss suggest --corrected corrected --out to_correct.txt
      wsss suggest --json

    Ranks the images by how far their label maps differ from the attention that they are made of,
    the classes of an image together: on photographs as good a guide as any that was tried, and not
    far from knowing the truth. Corrected label maps come back by wsss segment --corrected.
    """

    count: int = setting(20, "How many images to name.", at_least=1)
    data: Path | None = same_as(CommonConfig, "data")
    run: Path = same_as(CommonConfig, "run")
    proxy: Path | None = same_as(
        SegmentConfig, "proxy", help="Folder of label maps to correct.", group=None
    )
    attention: Path | None = same_as(ProxyConfig, "attention")
    corrected: Path | None = setting(
        None,
        "Folder of label maps that have been corrected; their images are not named.",
        role=Role.INPUT,
    )
    out: Path | None = setting(
        None, "Also write the ids to this file, one a line.", role=Role.WORK, short="-o"
    )
    overwrite: bool = same_as(OverwriteConfig, "overwrite", help="Replace the file of ids.")
    workers: int | None = same_as(WorkConfig, "workers", group=HOW)

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """What is of a file where none is written, and of a run of which nothing is read."""
        without = super().without_effect()
        if self.out is None:
            without["overwrite"] = (
                "is of the file that --out names",
                "give that too, or leave --overwrite out",
            )
        if None not in (self.data, self.proxy, self.attention):
            without["run"] = (
                "is not read beside --data, --proxy and --attention",
                "leave one of them out",
            )
        return without
