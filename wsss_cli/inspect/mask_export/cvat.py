"""CVAT's "Segmentation mask 1.1": a zip of colours for classes and for objects."""

import io
import zipfile
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from wsss_cli.artifacts.atomic import write_atomically
from wsss_cli.artifacts.label_png import voc_colours, voc_palette
from wsss_cli.data.images import Pixels
from wsss_cli.errors import WsssError
from wsss_cli.inspect.mask_export.label_maps import LabelMaps
from wsss_cli.inspect.mask_export.regions import classes_of, parts_of
from wsss_cli.labels import IGNORE
from wsss_cli.tracking import Track

_IGNORED = "ignore"
_SEPARATORS = (":", "#", "\n")


def write(maps: LabelMaps, track: Track) -> None:
    """Write the zip; each connected part of a class is an object.

    Raises:
        WsssError: A class name cannot be written, a label map not read, or the disk is full.
    """
    odd = [name for name in maps.class_names if any(s in name for s in _SEPARATORS)]
    if odd:
        raise WsssError(
            f"the class name {odd[0]!r} holds a character that separates columns in CVAT's "
            "labelmap.txt; rename the class"
        )
    palette = voc_palette()

    def write_zip(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for image_id, label_map in maps.read(track):
                objects, count = _objects(label_map)
                maps.regions += count
                colours = voc_colours(objects)
                archive.writestr(f"SegmentationClass/{image_id}.png", _png(palette[label_map]))
                archive.writestr(f"SegmentationObject/{image_id}.png", _png(colours))
            ids = "".join(f"{image_id}\n" for image_id in maps.paths)
            archive.writestr("ImageSets/Segmentation/default.txt", ids)
            labels = {0: "background", **dict(enumerate(maps.class_names, start=1))}
            if maps.ignored:
                labels[IGNORE] = _IGNORED
            lines = ["# label:color_rgb:parts:actions"]
            lines += [
                f"{name}:{','.join(map(str, palette[n].tolist()))}::" for n, name in labels.items()
            ]
            archive.writestr("labelmap.txt", "".join(f"{line}\n" for line in lines))

    write_atomically(maps.config.out, write_zip)


def _objects(label_map: Pixels) -> tuple[npt.NDArray[np.int32], int]:
    """(H, W) numbers of objects from 1 on, 0 for background, and how many show a class.

    What is ignored is objects too, numbered last.
    """
    numbers = np.zeros(label_map.shape, np.int32)
    of_classes = [part for n in classes_of(label_map) for part in parts_of(label_map == n)]
    for number, part in enumerate([*of_classes, *parts_of(label_map == IGNORE)], start=1):
        numbers[part] = number
    return numbers, len(of_classes)


def _png(colours: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "png")
    return buffer.getvalue()
