"""Settings of ``wsss export`` and the formats that it writes."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsss_cli.configs.common import CommonConfig, OverwriteConfig
from wsss_cli.configs.setting import REQUIRED, Config, Role, same_as, setting


@dataclass(frozen=True)
class Format:
    """A format for label maps: ``write`` in ``wsss_cli/inspect/mask_export/MODULE.py``.

    Attributes:
        title: What it is.
        module: Module that writes it.
        is_folder: Whether --out is a folder; else it is a file.
        copies_photographs: Whether the photographs lie in it, so that the data set is needed.
        ignored: What becomes of pixels to be ignored, as the end of a sentence.
    """

    title: str
    module: str
    is_folder: bool
    copies_photographs: bool
    ignored: str


_LEFT_OUT = "have no place in this format and belong to no region"
_STAYS = "stay 255"

FORMATS = {
    "coco": Format("COCO's instances JSON", "coco", False, False, _LEFT_OUT),
    "yolo": Format("YOLO's text files of outlines", "yolo", True, True, _LEFT_OUT),
    "cvat": Format(
        "a zip for CVAT's 'Segmentation mask 1.1'",
        "cvat",
        False,
        False,
        "get a label of their own, named ignore, since CVAT refuses undeclared ones",
    ),
    "labelstudio": Format(
        "Label Studio's JSON tasks with predictions", "label_studio", False, False, _LEFT_OUT
    ),
    "ultralytics": Format(
        "ultralytics' semantic segmentation folders", "mask_folders", True, True, _STAYS
    ),
    "lightly": Format(
        "lightly-train's folders", "mask_folders", True, True, f"{_STAYS}, named in ignore_classes"
    ),
    "voc": Format("PASCAL VOC's folders of masks", "mask_folders", True, True, _STAYS),
    "geojson": Format("GeoJSON polygons, as QuPath reads", "geojson", True, False, _LEFT_OUT),
}

_FORMATS = "; ".join(f"{name}: {kind.title}" for name, kind in FORMATS.items())


@dataclass(frozen=True)
class ExportConfig(Config):
    """Write label maps in the format of another tool.

    Examples:
      wsss export runs/default/proxy/labels --to coco -o proxies.json
      wsss export runs/default/segment/predictions --to cvat -o for_cvat.zip
      wsss export runs/default/proxy/labels --to yolo --data VOC2012 -o yolo_data

    MASKS is any folder of label maps ID.png: proxies, predictions, those of the CRF, or of another
    tool. Class names are those of --data, else those that the run of MASKS recorded. Outlines
    follow the sides of the pixels, so drawn again they give the same masks.
    """

    chosen_by: ClassVar[str] = "to"

    masks: Path = setting(REQUIRED, "The folder of label maps.", role=Role.INPUT, argument="MASKS")
    out: Path = setting(REQUIRED, "The file or folder to write.", short="-o")
    to: str = setting("coco", f"The format. {_FORMATS}.", choices=tuple(FORMATS))
    data: Path | None = setting(
        None,
        "The data set of the label maps, for class names and photographs.",
        role=Role.INPUT,
        unset="the recorded class names, without photographs",
    )
    parts: bool = setting(
        True,
        "Make each connected part of a class an object, instead of all pixels of a class together.",
        of=("coco",),
    )
    polygons: bool = setting(False, "Write polygons instead of run lengths.", of=("coco",))
    photographs: str = setting(
        "/data/local-files/?d=",
        "Prefix of the photographs' file names in a task.",
        of=("labelstudio",),
    )
    workers: int | None = same_as(CommonConfig, "workers")
    overwrite: bool = same_as(
        OverwriteConfig, "overwrite", help="Replace a file or an export that is there."
    )

    @property
    def chosen(self) -> Format:
        """What is known of the format."""
        return FORMATS[self.to]
