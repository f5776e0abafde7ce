"""COCO's instances JSON: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014."""

from collections.abc import Iterator
from typing import Any

from wsss_cli.data.coco_regions import compressed
from wsss_cli.data.images import Pixels
from wsss_cli.inspect.mask_export.files import write_compact_json
from wsss_cli.inspect.mask_export.label_maps import LabelMaps
from wsss_cli.inspect.mask_export.regions import (
    Mask,
    classes_of,
    outlines,
    parts_of,
    run_lengths,
    with_holes,
)
from wsss_cli.tracking import Track


def write(maps: LabelMaps, track: Track) -> None:
    """Write images, categories 1..C and an annotation for each object.

    Raises:
        WsssError: A label map cannot be read, or the disk is full.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, label_map in maps.read(track):
        height, width = label_map.shape
        images.append(
            {
                "id": len(images) + 1,
                "file_name": maps.photograph_name(image_id),
                "height": height,
                "width": width,
            }
        )
        for label, mask in _objects(label_map, parts=maps.config.parts):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": label,
                    "segmentation": _polygons(mask) if maps.config.polygons else _runs(mask),
                    "area": int(mask.sum()),
                    "bbox": _box(mask),
                    "iscrowd": 0,
                }
            )
    maps.regions = len(annotations)
    categories = [{"id": n, "name": name} for n, name in enumerate(maps.class_names, start=1)]
    write_compact_json(
        maps.config.out, {"images": images, "annotations": annotations, "categories": categories}
    )


def _objects(label_map: Pixels, *, parts: bool) -> Iterator[tuple[int, Mask]]:
    for label in classes_of(label_map):
        mask = label_map == label
        for part in parts_of(mask) if parts else (mask,):
            yield label, part


def _box(mask: Mask) -> list[int]:
    """X and y of the upper left corner, width and height."""
    rows, columns = mask.nonzero()
    x, y = int(columns.min()), int(rows.min())
    return [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y]


def _polygons(mask: Mask) -> list[list[int]]:
    """The outline of each part of a mask, its holes cut in."""
    polygons = []
    for part in parts_of(mask):
        (outer,), holes = outlines(part)
        polygons.append([number for corner in with_holes(outer, holes) for number in corner])
    return polygons


def _runs(mask: Mask) -> dict[str, Any]:
    """Compressed run lengths down the columns."""
    return {"size": list(mask.shape), "counts": compressed(run_lengths(mask.T.ravel()))}
