"""Settings of ``wsss demo``."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import DeviceConfig
from wsss_cli.configs.setting import Config, same_as, setting


@dataclass(frozen=True)
class DemoConfig(Config):
    """Draw a small data set and run everything on it; needs no data and no download.

    Examples:
      wsss demo
      wsss demo /tmp/demo --json

    Draws objects with one striking part and a plain body, in VOC's layout, with imperfect
    saliency maps; trains CAM and SeeNet, makes proxies and a segmentation network from SeeNet's
    attention, refines its predictions by the CRF, and prints the scores. Takes some minutes on two
    cores.
    """

    directory: Path = setting(
        Path("wsss-demo"), "Where the data set and the runs go.", argument="DIRECTORY"
    )
    device: str = same_as(DeviceConfig, "device")
    seed: int = setting(
        0, "Seed of the drawing and of everything after it.", at_least=0, below=2**31
    )
