"""Settings of ``wsss data check``, ``wsss data convert`` and ``wsss data masks``."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.setting import REQUIRED, Config, Role, same_as, setting

_DATA = "The data set: a folder or file."


@dataclass(frozen=True)
class DataCheckConfig(Config):
    """Print what a data set holds, what is wrong with it, and what each command will use.

    Examples:
      wsss data check VOC2012
      wsss data check photos/labels.csv --json
      wsss data check COCO --quick

    Exit code 1 when something would stop a command: a missing or unreadable file, a row without
    picture, no list to train on, an image to be trained on without label, the same labels in all
    of them, masks that show no class or contradict the labels throughout. Images of none of the
    classes are counted and used. Warnings (duplicates, single masks of other classes than the
    labels, classes without images) leave it 0.
    """

    data: Path = setting(REQUIRED, _DATA, role=Role.INPUT, argument="DATA")
    quick: bool = setting(
        False, "Look at the first and last bytes of photographs only, and at no mask."
    )
    workers: int | None = same_as(CommonConfig, "workers")


@dataclass(frozen=True)
class DataConvertConfig(Config):
    """Write a data set as a PASCAL VOC tree: photographs, annotations, masks, lists, class names.

    Examples:
      wsss data convert COCO VOC_of_COCO
      wsss train --data VOC_of_COCO
      wsss data convert cracks cracks_voc --binary

    JPEGs are copied as they are, other pictures encoded. COCO's regions become masks: crowds are
    255, of objects that overlap the smaller one is in front. The box of an object without a usable
    region is 255; an image none of whose objects has one gets no mask. Nothing in DATA is changed.
    Stopped, it continues.
    """

    data: Path = setting(REQUIRED, _DATA, role=Role.INPUT, argument="DATA")
    out: Path = setting(REQUIRED, "The VOC tree to write.", argument="OUT")
    binary: bool = setting(
        False,
        "The masks are black and white: 255 is the class of the image's labels, not to be ignored.",
    )
    workers: int | None = same_as(CommonConfig, "workers")


@dataclass(frozen=True)
class DataMasksConfig(Config):
    """Write masks of other tools as label maps, OUT/ID.png: 0 background, 1..C, 255 ignored.

    Examples:
      wsss data masks cracks label_maps --white 1     black and white, PNG or JPEG
      wsss data masks colours label_maps              VOC's colours, saved as RGB
      wsss evaluate --pred label_maps --data photos

    Read are black and white masks, also of one bit, blurred or JPEG (128 and more is white); grey
    of few bits or in three equal channels; and labels in VOC's colours. Nothing in MASKS is
    changed.
    """

    masks: Path = setting(
        REQUIRED, "The folder of masks, pictures of any format.", role=Role.INPUT, argument="MASKS"
    )
    out: Path = setting(REQUIRED, "The folder of label maps to write.", argument="OUT")
    white: int | None = setting(
        None,
        "The class that white, 255, is in black and white masks.",
        at_least=1,
        at_most=254,
        unset="255 is to be ignored",
    )
    workers: int | None = same_as(CommonConfig, "workers")
