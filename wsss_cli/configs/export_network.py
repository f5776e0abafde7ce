"""Settings of ``wsss export-network``."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.setting import REQUIRED, Config, Role, check, same_as, setting


@dataclass(frozen=True)
class ExportNetworkConfig(Config):
    """Write a trained segmentation network as ONNX, to run it without wsss.

    Examples:
      wsss export-network runs/default/segment/checkpoint.pt -o network.onnx

    The input `images` is float32 (1, 3, H, W), RGB from 0 to 255, of any height and width; the
    preprocessing is inside. The outputs are `logits`, float32 (1, L, H, W), and `labels`, int64
    (1, H, W): 0 background, 1..C the classes. The file holds the class names as metadata. Beside it
    appears network.md, a model card to complete. Needs the extra `onnx`.
    """

    checkpoint: Path = setting(
        REQUIRED, "The checkpoint of `wsss segment`.", role=Role.INPUT, argument="CHECKPOINT"
    )
    out: Path = setting(REQUIRED, "The .onnx file to write.", short="-o")
    overwrite: bool = same_as(CommonConfig, "overwrite", help="Replace files that are there.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.out.suffix == ".onnx", "out", f"must be named .onnx, not {self.out}")

    @property
    def card(self) -> Path:
        """The model card beside the network."""
        return self.out.with_suffix(".md")
