"""Draws true masks from COCO's regions.

Crowd regions, which do not separate objects, become 255. Objects are drawn over them, large ones
first, since a small object inside a larger one is usually in front of it. If the region of an
object cannot be drawn, its box becomes 255 below the others; an image has no mask if such an object
has no box either, or if no object has a region.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from wsss_cli.artifacts.image_size import is_believable
from wsss_cli.data.coco_annotations import CocoAnnotations, read_annotations
from wsss_cli.data.coco_regions import Region, read_region
from wsss_cli.data.images import Pixels, check_images
from wsss_cli.errors import WsssError, listing
from wsss_cli.labels import IGNORE

Entry = tuple[Path, int]
"""An annotation file, and an image's number in it."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom of a box, in pixels of the image; the last two are outside of it."""


@dataclass(frozen=True)
class _Object:
    """An object of an image, with a region or a box to draw."""

    label: int
    crowd: bool
    region: Region
    box: Box | None


class CocoTruth:
    """Draws the label maps of COCO's images; reads a file's regions when they are first needed."""

    def __init__(self, entries: Mapping[str, Sequence[Entry]], paths: Mapping[str, Path]) -> None:
        """Store where the annotations and photographs are.

        Args:
            entries: Annotation entries by image id; several if a file names a picture repeatedly.
            paths: Paths of the photographs by image id.
        """
        self._entries = entries
        self._paths = paths
        self._opened: dict[Path, CocoAnnotations] = {}
        self._bare: dict[Path, bool] = {}
        self._opening = Lock()

    def __contains__(self, image_id: object) -> bool:
        """Whether an image is in an annotation file."""
        return image_id in self._entries

    def __call__(self, image_id: str) -> Pixels | None:
        """Draw an (H, W) uint8 label map: 0 background, 1..C, 255 for crowds and boxes.

        Returns:
            None where the image is unknown, or an object has neither a region nor a box.

        Raises:
            WsssError: The annotated size of the image is invalid.
        """
        entries = self._entries.get(image_id, ())
        if not entries or all(self._is_bare(path) for path, _ in entries):
            return None
        size = self._size(image_id)
        objects = self._objects(image_id, size)
        if not _can_be_drawn(objects):
            return None
        height, width = size
        label_map = np.zeros(size, np.uint8)
        for item in objects:
            if item.region.fault and item.box is not None:
                left, top, right, bottom = item.box
                label_map[top:bottom, left:right] = IGNORE
        drawn = [
            (item, item.region.mask(height, width)) for item in objects if not item.region.fault
        ]
        areas = [int(mask.sum()) for _, mask in drawn]
        for position in sorted(
            range(len(drawn)), key=lambda position: (not drawn[position][0].crowd, -areas[position])
        ):
            item, mask = drawn[position]
            label_map[mask] = IGNORE if item.crowd else item.label
        return label_map

    def remarks(self) -> list[str]:
        """Report regions that cannot be drawn, and images without a mask."""
        faults: Counter[str] = Counter()
        objects = parts = flat = 0
        affected: dict[str, list[str]] = {"maskless": [], "boxed": [], "parts": []}
        for image_id in self._entries:
            try:
                of_image = self._objects(image_id, self._size(image_id))
            except WsssError:  # raised again where the mask is needed
                continue
            objects += len(of_image)
            faulty = [item.region.fault for item in of_image if item.region.fault]
            faults.update(faulty)
            left_out = sum(item.region.left_out for item in of_image)
            parts += left_out
            flat += sum(item.region.flat for item in of_image)
            if faulty:
                affected["boxed" if _can_be_drawn(of_image) else "maskless"].append(image_id)
            if left_out:
                affected["parts"].append(image_id)
        return list(_sentences(objects, faults, parts, flat, affected))

    def _objects(self, image_id: str, size: tuple[int, int]) -> list[_Object]:
        objects = []
        for path, number in self._entries[image_id]:
            annotations = self._annotations(path)
            for annotation in annotations.objects.get(number, ()):
                label = annotations.labels[annotation["category_id"]]
                region = read_region(annotation.get("segmentation"), *size)
                if label or not region.fault:  # the background is no object that could be missed
                    box = _box(annotation.get("bbox"), *size)
                    objects.append(_Object(label, bool(annotation.get("iscrowd")), region, box))
        return objects

    def _size(self, image_id: str) -> tuple[int, int]:
        """The annotated (H, W), or that of the photograph where there is none.

        Raises:
            WsssError: The annotated size is invalid, or the photograph cannot be read.
        """
        path, number = self._entries[image_id][0]
        image = self._annotations(path).images[number]
        sides = image.get("height"), image.get("width")
        if None in sides:
            return check_images([self._paths[image_id]])[0]
        height, width = map(_integer, sides)
        if height is None or width is None or not is_believable(height, width):
            raise WsssError(
                f"{path}: image {number} has the size {sides[0]} x {sides[1]}; correct it"
            )
        return height, width

    def _is_bare(self, path: Path) -> bool:
        """Whether no object of a file has a region, so that masks cannot be drawn at all."""
        if path not in self._bare:
            objects = self._annotations(path).objects.values()
            regions = (
                annotation.get("segmentation") for of_image in objects for annotation in of_image
            )
            self._bare[path] = not any(map(_has_content, regions))
        return self._bare[path]

    def _annotations(self, path: Path) -> CocoAnnotations:
        with self._opening:  # read once for all threads, since it takes seconds
            if path not in self._opened:
                self._opened[path] = read_annotations(path, regions=True)
            return self._opened[path]


def _can_be_drawn(objects: Sequence[_Object]) -> bool:
    """Whether a mask can be drawn: every object has a region, or a box to ignore.

    An image without objects is all background.
    """
    if not objects:
        return True
    faulty = [item for item in objects if item.region.fault]
    return len(faulty) < len(objects) and all(item.box is not None for item in faulty)


def _has_content(region: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether a region is not empty, valid or not."""
    if isinstance(region, list):
        return any(part not in ([], None) for part in region)
    return bool(region)


def _box(written: Any, height: int, width: int) -> Box | None:  # noqa: ANN401 - JSON
    """The pixels of a ``bbox`` (x, y, width, height) inside an image; None where it has none."""
    try:
        x, y, w, h = (float(number) for number in written)
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(map(math.isfinite, (x, y, w, h))) or w <= 0 or h <= 0:
        return None
    if max(height, width) > 1 and x >= 0 and y >= 0 and max(x + w, y + h) <= 1:
        return None  # shares of the image instead of pixels
    left, right = max(0, math.floor(x)), min(width, math.ceil(x + w))
    top, bottom = max(0, math.floor(y)), min(height, math.ceil(y + h))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _integer(number: Any) -> int | None:  # noqa: ANN401 - JSON
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _sentences(
    objects: int,
    faults: Mapping[str, int],
    parts: int,
    flat: int,
    affected: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """Report what the masks leave out.

    Args:
        objects: Number of objects.
        faults: Number of objects whose region cannot be drawn, by reason.
        parts: Number of parts of other regions that cannot be drawn.
        flat: Number of regions that are one polygon without the list around it.
        affected: Ids of images without a mask, with boxes of 255, and with missing parts.
    """
    if faults:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in faults.items())
        yield (
            f"{sum(faults.values()):,} of {objects:,} objects have no region that can be drawn "
            f"({reasons}); their labels are used all the same"
        )
    maskless, boxed = affected["maskless"], affected["boxed"]
    if maskless:
        yield f"{len(maskless):,} images have no true mask because of that: {listing(maskless)}"
    if boxed:
        yield (
            f"in the masks of {len(boxed):,} images the boxes of such objects are ignored (255): "
            f"{listing(boxed)}"
        )
    if parts:
        yield (
            f"{parts:,} parts of regions (points, lines, what lies outside) are left out of the "
            f"masks of {listing(affected['parts'])}"
        )
    if flat:
        yield f"{flat:,} regions are a flat list of numbers and read as one polygon each"
