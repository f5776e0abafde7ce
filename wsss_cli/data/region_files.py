"""Regions of images from any tool: SAM's masks, a picture each, or a picture of numbers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.foreign_mask import MIDDLE, read_foreign_mask
from wsss_cli.artifacts.foreign_pickle import read_foreign_array
from wsss_cli.artifacts.picture_formats import DECODING_ERRORS, open_picture
from wsss_cli.artifacts.pixel_values import deep_pixels, is_deep, stored_grey
from wsss_cli.artifacts.plain_file import NOT_PLAIN, is_plain
from wsss_cli.data.coco_regions import region_mask
from wsss_cli.data.label_folder import require_folder
from wsss_cli.data.map_sizes import require_size
from wsss_cli.errors import WsssError, listing
from wsss_cli.ops.regions import Regions

# Pixels of all regions of an image together; SAM's overlap a few times.
_MOST_PIXELS = 2**28
# What SAM writes beside its pictures; it is not read.
_TABLE = "metadata.csv"

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RegionFiles:
    """Where the regions of an image lie.

    Attributes:
        paths: One file of all regions, or pictures of one region each, which may be none.
        one_each: Whether they are pictures of one region each.
    """

    paths: list[Path]
    one_each: bool = False


def find_regions(folder: Path, image_ids: Sequence[str]) -> dict[str, RegionFiles]:
    """The files of the regions of each image.

    Args:
        folder: Holds ``ID.json``, a folder ``ID`` of pictures, ``ID.png`` or ``ID.npy``.
        image_ids: Which are needed.

    Raises:
        UsageError: There is no such folder.
        WsssError: An image has no file of regions and no folder of them, or several.
    """
    require_folder(folder, "--regions")
    regions: dict[str, RegionFiles] = {}
    for image_id in image_ids:
        files = _files(folder, image_id)
        if files is not None:
            regions[image_id] = files
    missing = [image_id for image_id in image_ids if image_id not in regions]
    if missing:
        raise WsssError(
            f"--regions {folder}: {len(missing)} of {len(image_ids)} images have no regions there: "
            f"{listing(missing, most=50)}; add ID.json, ID.png, ID.npy or a folder ID of pictures"
        )
    return regions


def region_paths(regions: Mapping[str, RegionFiles]) -> dict[str, list[Path]]:
    """The files of the regions of each image."""
    return {image_id: files.paths for image_id, files in regions.items()}


def _files(folder: Path, image_id: str) -> RegionFiles | None:
    files = [folder / f"{image_id}{suffix}" for suffix in (".json", ".png", ".npy")]
    ways = [RegionFiles([path]) for path in files if path.exists()]
    own = folder / image_id
    if own.is_dir():
        shown = sorted(path for path in own.iterdir() if not path.name.startswith("."))
        each = [path for path in shown if path.suffix == ".png"]
        # An empty folder, or one with SAM's table alone, is of an image without regions.
        if each or (not ways and all(path.name == _TABLE for path in shown)):
            ways.append(RegionFiles(each, one_each=True))
    if len(ways) > 1:
        first, second = ((way.paths or [own])[0].relative_to(folder) for way in ways[:2])
        raise WsssError(
            f"--regions {folder}: image {image_id} has both {first} and {second}; keep one of them"
        )
    return ways[0] if ways else None


def read_regions(files: RegionFiles, size: tuple[int, int]) -> Regions:
    """Read the regions of an image; those without a pixel are left out.

    Args:
        files: As :func:`find_regions` gives them.
        size: (H, W) of the image.

    Raises:
        WsssError: A file is broken or of another size, or there is too much in it.
    """
    pixels: list[Numbers] = []
    total = 0
    for members in _members(files, size):
        total += len(members)
        if total > _MOST_PIXELS:
            raise WsssError(
                f"{files.paths[0]}: its regions have more than {_MOST_PIXELS:,} pixels together; "
                "leave the largest out"
            )
        if len(members):
            pixels.append(members)
    numbers = np.repeat(np.arange(len(pixels)), [len(members) for members in pixels])
    return Regions(size, np.concatenate([np.zeros(0, np.int64), *pixels]), numbers)


def has_region(files: RegionFiles, size: tuple[int, int]) -> bool:
    """Whether an image has any region with a pixel; files are as :func:`read_regions` takes them.

    Raises:
        WsssError: The first file is broken or of another size.
    """
    return any(len(members) for members in _members(files, size))


def _members(files: RegionFiles, size: tuple[int, int]) -> Iterator[Numbers]:
    """Pixels of each region, row by row."""
    if files.one_each:
        return (_of_mask(path, size) for path in files.paths)
    first = files.paths[0]
    if first.suffix == ".json":
        return _of_json(first, size)
    return _of_array(first, _array(first), size)


def _of_mask(path: Path, size: tuple[int, int]) -> Numbers:
    """Pixels of a picture that are brighter than half of white, or at all where none is."""
    values = read_foreign_mask(path).values
    require_size(str(path), values.shape, size)
    return np.flatnonzero(values >= MIDDLE if values.max() >= MIDDLE else values)


def _of_json(path: Path, size: tuple[int, int]) -> Iterator[Numbers]:
    """SAM's masks: a list of ``{"segmentation": ...}``, or an object that has it as annotations."""
    try:
        if not is_plain(path):
            raise WsssError(f"{path} cannot be read: {NOT_PLAIN}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise WsssError(f"{path} cannot be read as JSON ({error}); make it anew") from error
    masks = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(masks, list) or not all(isinstance(mask, dict) for mask in masks):
        raise WsssError(
            f'{path} is no list of masks such as SAM writes, {{"segmentation": {{"size": [height, '
            'width], "counts": ...}}'
        )
    for number, mask in enumerate(masks):
        written = mask.get("segmentation")
        if written == []:  # no polygon, so no region
            continue
        sides = written.get("size") if isinstance(written, dict) else None
        if isinstance(sides, list) and len(sides) == 2:
            require_size(f"{path}: mask {number}", tuple(sides), size)
        try:
            yield np.flatnonzero(region_mask(written, *size))
        except ValueError as error:
            raise WsssError(
                f"{path}: the segmentation of mask {number} is {error}; make it anew"
            ) from error


def _array(path: Path) -> npt.NDArray[Any]:
    """The numbers of a picture or of a numpy file."""
    if path.suffix == ".npy":
        array = read_foreign_array(path)
        if isinstance(array, dict):
            raise WsssError(f"{path} holds a dictionary; save the one array of regions by itself")
        return array
    try:
        with open_picture(path) as image:
            if is_deep(image):
                return deep_pixels(path, image)
            if image.mode in ("L", "P"):
                return stored_grey(image)
            mode = image.mode
    except FileNotFoundError:
        raise WsssError(f"{path} does not exist") from None
    except DECODING_ERRORS as error:
        raise WsssError(f"{path} is not a readable image ({error}); restore the file") from error
    raise WsssError(
        f"{path} holds {mode} pixels; save the numbers of the regions as grey PNG of 8 or 16 "
        "bits, or as ID.npy"
    )


def _of_array(path: Path, array: npt.NDArray[Any], size: tuple[int, int]) -> Iterator[Numbers]:
    """Regions by numbers (H, W), 0 for none, or by masks (R, H, W)."""
    if array.ndim not in (2, 3) or array.dtype.kind not in "bui":
        raise WsssError(
            f"{path} has the shape {array.shape} and the type {array.dtype}; give whole numbers "
            "(height, width), a number a region and 0 for none, or masks (regions, height, width)"
        )
    require_size(str(path), array.shape[-2:], size)
    if array.ndim == 3:
        yield from map(np.flatnonzero, array)
        return
    order = np.argsort(array, axis=None, kind="stable")
    _, begins = np.unique(array.ravel()[order], return_index=True)
    for members in np.split(order, begins[1:]):
        if array.ravel()[members[0]] != 0:
            yield members
