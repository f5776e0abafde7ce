"""Small data sets whose pictures are stored as other tools store them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (48, 64)
OBJECT = (slice(12, 36), slice(20, 44))
COLOURS = {"cat": (220, 60, 40), "dog": (40, 60, 220)}


def photograph(seed: int, name: str = "cat") -> np.ndarray:
    """(H, W, 3) noise with an object in the colour of its class."""
    pixels = np.random.default_rng(seed).integers(90, 150, (*SIZE, 3), dtype=np.uint8)
    pixels[OBJECT] = COLOURS.get(name, (240, 240, 240))
    return pixels


def mask(value: int = 1, background: int = 0) -> np.ndarray:
    """(H, W) of the object's place."""
    pixels = np.full(SIZE, background, np.uint8)
    pixels[OBJECT] = value
    return pixels


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    """Save pixels under any name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def labelled(folder: Path, labels: Mapping[str, str], masks: Mapping[str, np.ndarray] = {}) -> Path:
    """Photographs with a CSV of their labels (separated by ;), and their masks by id."""
    for seed, (image_id, names) in enumerate(labels.items()):
        save(folder / f"{image_id}.jpg", photograph(seed, names.split(";")[0]))
    rows = "".join(f"{image_id}.jpg,{names}\n" for image_id, names in labels.items())
    (folder / "labels.csv").write_text(f"image,labels\n{rows}", encoding="utf-8")
    for image_id, pixels in masks.items():
        save(folder / "masks" / f"{image_id}.png", pixels)
    return folder


CRACKS = ("c0", "c1", "c2", "n")


def cracks(folder: Path, masks: np.ndarray | None = None) -> Path:
    """Images of one class, by default with masks of 0 and 255, and one that shows nothing."""
    pixels = mask(255) if masks is None else masks
    names = {image_id: "" if image_id == "n" else "crack" for image_id in CRACKS}
    return labelled(folder, names, {i: pixels if name else 0 * pixels for i, name in names.items()})


def of_cracks(folder: Path, pixels: np.ndarray) -> Path:
    """The same map for each image of a crack, and background for the other."""
    folder_of(folder, pixels, CRACKS[:-1])
    return folder_of(folder, 0 * pixels, CRACKS[-1:])


def folder_of(folder: Path, pixels: np.ndarray, ids: Sequence[str], ending: str = ".png") -> Path:
    """The same map for several images."""
    for image_id in ids:
        save(folder / f"{image_id}{ending}", pixels)
    return folder


def cats_and_dogs(folder: Path, numbers: Mapping[str, int], count: int = 6) -> Path:
    """Images of one class each in turn, masks with the given number of each class."""
    names = {f"l{at}": ("dog", "cat")[at % 2] for at in range(count)}
    return labelled(folder, names, {i: mask(numbers[name]) for i, name in names.items()})
