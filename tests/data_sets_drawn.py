"""Small data sets as people have them: other names of files and lists, regions of all kinds."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog")
COLOURS = ((220, 60, 40), (40, 60, 220))
SIZE = (48, 64)
# A square of 24 pixels with its corner at x 20, y 12: as a polygon, and as x, y, width, height.
POLYGON = [20, 12, 44, 12, 44, 36, 20, 36]
BBOX = [20, 12, 24, 24]
MISSING = object()
"""A region that is not written at all."""


def photograph(path: Path, seed: int = 0, size: tuple[int, int] = SIZE, **options: Any) -> Path:
    """A JPEG of (H, W) pixels under whatever name: noise, with the coloured square."""
    pixels = np.random.default_rng(seed).integers(90, 150, (*size, 3), dtype=np.uint8)
    pixels[12:36, 20:44] = COLOURS[seed % 2]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="JPEG", **options)
    return path


def square_mask(label: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W) label map of the square."""
    mask = np.zeros(size, np.uint8)
    mask[12:36, 20:44] = label
    return mask


def voc_set(
    root: Path,
    ids: Sequence[str] = tuple(f"p{i:02d}" for i in range(6)),
    *,
    ending: str = ".jpg",
    lines: Sequence[str] | None = None,
    lists: str | None = "ImageSets/Segmentation",
) -> Path:
    """A VOC tree of images that show cat and dog in turn; four lines are train, the rest val."""
    (root / "SegmentationClass").mkdir(parents=True)
    (root / "Annotations").mkdir()
    for seed, image_id in enumerate(ids):
        photograph(root / "JPEGImages" / f"{image_id}{ending}", seed)
        name = CLASSES[seed % 2]
        (root / "Annotations" / f"{image_id}.xml").write_text(
            f"<annotation><object><name>{name}</name></object></annotation>"
        )
        mask = Image.fromarray(square_mask(1 + seed % 2))
        mask.save(root / "SegmentationClass" / f"{image_id}.png")
    (root / "classes.txt").write_text("cat\ndog\n")
    if lists is not None:
        lines = ids if lines is None else lines
        (root / lists).mkdir(parents=True)
        for name, some in (("train", lines[:4]), ("val", lines[4:])):
            (root / lists / f"{name}.txt").write_text("\n".join(some) + "\n", encoding="utf-8")
    return root


def coco_set(
    root: Path,
    region: Callable[[int], Any] = lambda number: [POLYGON],
    files: Sequence[str] = tuple(f"im{i}.jpg" for i in range(4)),
    on_disk: Sequence[str] | None = None,
    **more: Any,
) -> Path:
    """A COCO tree with an object in each image, cat and dog in turn.

    Args:
        root: Where.
        region: The segmentation of each image's object; ``MISSING`` leaves it out.
        files: File names as the annotations have them.
        on_disk: The same as they are below ``images``.
        more: Further entries of every object.
    """
    for number, name in enumerate(on_disk or files):
        photograph(root / "images" / name, number)
    objects = []
    for number in range(len(files)):
        one = {
            "id": 10 + number,
            "image_id": number,
            "category_id": 1 + number % 2,
            "bbox": BBOX,
            "iscrowd": 0,
            "segmentation": region(number),
            **more,
        }
        objects.append({key: value for key, value in one.items() if value is not MISSING})
    content = {
        "images": [
            {"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
            for number, name in enumerate(files)
        ],
        "annotations": objects,
        "categories": [{"id": 1 + at, "name": name} for at, name in enumerate(CLASSES)],
    }
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_default.json").write_text(json.dumps(content))
    return root


def class_folders(root: Path, folders: Sequence[str], count: int = 2) -> Path:
    """Different photographs in each of the folders."""
    for at, folder in enumerate(folders):
        for number in range(count):
            seed = 10 * at + number
            photograph(root / folder / f"{folder.replace('/', '_')}_{number}.jpg", seed)
    return root
