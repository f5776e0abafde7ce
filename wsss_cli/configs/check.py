"""Settings of ``wsss check``: an archive for the evaluation server."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, run_beside_data
from wsss_cli.configs.setting import REQUIRED, Config, Role, same_as, setting


@dataclass(frozen=True)
class CheckConfig(Config):
    """Check an archive for PASCAL VOC's evaluation server before it is sent.

    Examples:
      wsss check test.tar.gz
      wsss check their_masks.tar.gz --data VOC2012 --split val --json

    It must hold results/VOC2012/Segmentation/comp6_test_cls/ID.png for every image of the list and
    nothing else: 8-bit palette or grey, labels from 0 to the number of classes without 255, of the
    size of the photograph. Exit code 1 when it does not.
    """

    file: Path = setting(
        REQUIRED,
        "Archive of label maps, ours or another tool's.",
        role=Role.INPUT,
        argument="FILE",
    )
    data: Path | None = same_as(CommonConfig, "data")
    run: Path = same_as(CommonConfig, "run")
    split: str = setting("test", "List of the images that it should hold.")

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """The run, of which nothing but its data set is used."""
        return super().without_effect() | run_beside_data(self.data)
