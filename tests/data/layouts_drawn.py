"""Small data sets drawn in every layout but VOC's."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (48, 64)


def picture(path: Path, seed: int, size: tuple[int, int] = SIZE) -> Path:
    """A noisy picture of (H, W) pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def csv_folder(folder: Path, lines: Sequence[str], names: Sequence[str]) -> Path:
    """Pictures beside a ``labels.csv`` of these lines."""
    for seed, name in enumerate(names):
        picture(folder / name, seed)
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def coco_json(
    path: Path,
    images: Mapping[int, str],
    annotations: Sequence[Mapping[str, object]],
    categories: Mapping[int, str],
) -> Path:
    """An annotation file; annotations lack their ids only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "images": [
            {"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
            for number, name in images.items()
        ],
        "annotations": [{"id": 100 + at, **one} for at, one in enumerate(annotations)],
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
    }
    path.write_text(json.dumps(content))
    return path


def box(x: float, y: float, width: float, height: float) -> list[list[float]]:
    """A rectangle as COCO's polygons."""
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def coco_folder(root: Path) -> Path:
    """Categories 3, 7 and 90; an image with overlapping objects and a crowd, one without any."""
    categories = {90: "toothbrush", 3: "car", 7: "train"}
    crowd = {"size": list(SIZE), "counts": [0, 10 * SIZE[0], (SIZE[1] - 10) * SIZE[0]]}
    for name, numbers in (("train2017", (9, 25, 30)), ("val2017", (42,))):
        for number in numbers:
            picture(root / name / f"{number:012d}.jpg", number)
    coco_json(
        root / "annotations" / "instances_train2017.json",
        {number: f"{number:012d}.jpg" for number in (25, 9, 30)},
        [
            {"image_id": 9, "category_id": 7, "segmentation": box(20, 10, 10, 10), "iscrowd": 0},
            {"image_id": 9, "category_id": 90, "segmentation": box(5, 5, 40, 30), "iscrowd": 0},
            {"image_id": 9, "category_id": 3, "segmentation": crowd, "iscrowd": 1},
            {"image_id": 25, "category_id": 3, "segmentation": box(0, 0, 4, 4), "iscrowd": 0},
        ],
        categories,
    )
    coco_json(
        root / "annotations" / "instances_val2017.json",
        {42: "000000000042.jpg"},
        [{"image_id": 42, "category_id": 7, "segmentation": box(1, 1, 5, 5), "iscrowd": 0}],
        categories,
    )
    (root / "annotations" / "captions_val2017.json").write_text("{}")
    return root
