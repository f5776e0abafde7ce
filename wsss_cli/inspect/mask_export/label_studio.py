"""Label Studio's tasks with predictions: a brush mask for each class of an image."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli.data.images import Pixels
from wsss_cli.inspect.mask_export.files import write_compact_json
from wsss_cli.inspect.mask_export.label_maps import LabelMaps
from wsss_cli.inspect.mask_export.regions import Mask, classes_of, run_lengths
from wsss_cli.tracking import Track

# Bits of a value, and those that a run's length may have: the header says which.
_WORD = 8
_SIZES = (3, 4, 8, 16)
_CHANNELS = 4


def write(maps: LabelMaps, track: Track) -> None:
    """Write a task for each image.

    Raises:
        WsssError: A label map cannot be read, or the disk is full.
    """
    tasks = []
    for image_id, label_map in maps.read(track):
        regions = [
            _region(label_map, label, maps.class_names[label - 1])
            for label in classes_of(label_map)
        ]
        maps.regions += len(regions)
        photograph = f"{maps.config.photographs}{maps.photograph_name(image_id)}"
        prediction = {"model_version": "wsss", "result": regions}
        tasks.append({"data": {"image": photograph}, "predictions": [prediction]})
    write_compact_json(maps.config.out, tasks)


def _region(label_map: Pixels, label: int, name: str) -> dict[str, Any]:
    height, width = label_map.shape
    return {
        "id": f"class-{label}",
        "type": "brushlabels",
        "from_name": "tag",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": packed(label_map == label), "brushlabels": [name]},
    }


def packed(mask: Mask) -> list[int]:
    """Bytes of Label Studio's run lengths of a mask.

    The values 0 and 255 row by row, each four times as if it were a pixel's colour and opacity: 32
    bits say how many, 5 and four times 4 bits the widths below, less 1. A run is a 1, two bits that
    choose the width of its length, the length less 1, and the value.
    """
    runs = [_CHANNELS * run for run in run_lengths(mask.ravel())]
    bits = [f"{_CHANNELS * mask.size:032b}", f"{_WORD - 1:05b}"]
    bits += [f"{size - 1:04b}" for size in _SIZES]
    for place, run in enumerate(runs):
        value = f"{255 * (place % 2):0{_WORD}b}"
        for length in _pieces(run):
            choice = next(n for n, size in enumerate(_SIZES) if length <= 1 << size)
            bits.append(f"1{choice:02b}{length - 1:0{_SIZES[choice]}b}{value}")
    text = "".join(bits)
    digits = np.frombuffer(text.encode(), np.uint8) - ord("0")
    numbers: npt.NDArray[np.uint8] = np.packbits(digits)
    return [int(number) for number in numbers]


def _pieces(run: int) -> list[int]:
    """Lengths that add up to a run, none longer than the widest can say."""
    longest = 1 << _SIZES[-1]
    whole, rest = divmod(run, longest)
    return [longest] * whole + ([rest] if rest else [])
