"""Settings of ``wsss export-network``."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import OverwriteConfig
from wsss_cli.configs.setting import REQUIRED, Config, Role, check, same_as, setting

CLASS_NAMES = "class_names"
"""Where an exported file has the class names, as JSON: ONNX's metadata, an extra file of torch."""


@dataclass(frozen=True)
class ExportNetworkConfig(Config):
    """Write a trained network as ONNX or for torch.export, to run it without wsss.

    Examples:
      wsss export-network runs/default/segment/checkpoint.pt -o network.onnx
      wsss export-network runs/default/train/checkpoint.pt -o attention.onnx
      wsss export-network runs/default/segment/checkpoint.pt -o network.pt2

    The input `images` is float32 (1, 3, H, W), RGB from 0 to 255, of any height and width; the
    preprocessing is inside. A segmentation network has the outputs `logits`, float32 (1, L, H, W),
    and `labels`, int64 (1, H, W): 0 background, 1..C the classes. An attention network is told
    `labels`, float32 (1, C) of 0 and 1, and has `logits` (1, C), from which labels can be guessed
    first, and `maps` (1, C, h, w) from 0 to 1. The file holds the class names. Beside it appears
    network.md, a model card to complete. A --classifier is a network of its own to export. ONNX
    needs the extra `onnx`; .pt2 is for torch.export.
    """

    checkpoint: Path = setting(
        REQUIRED,
        "The checkpoint of `wsss segment` or `wsss train`.",
        role=Role.INPUT,
        argument="CHECKPOINT",
    )
    out: Path = setting(REQUIRED, "The file to write, named .onnx or .pt2.", short="-o")
    overwrite: bool = same_as(OverwriteConfig, "overwrite", help="Replace files that are there.")

    def __post_init__(self) -> None:
        super().__post_init__()
        named = self.out.suffix in (".onnx", ".pt2")
        check(named, "out", f"must be named .onnx or .pt2, not {self.out}")

    @property
    def is_onnx(self) -> bool:
        """Whether the file is to be ONNX; else torch's exported program."""
        return self.out.suffix == ".onnx"

    @property
    def card(self) -> Path:
        """The model card beside the network."""
        return self.out.with_suffix(".md")
