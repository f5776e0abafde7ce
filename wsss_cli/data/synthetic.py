"""Draws the small data set of ``wsss demo``: a PASCAL VOC tree that needs no download.

Every object is made for the study of adversarial erasing. It has one *striking part* (small, high
contrast, a pattern found on one class only), which a plain classifier finds sufficient and so is
all that its class activation map marks, and a *plain body* several times as large, whose hue and
outline are weaker cues of the same class: with the part erased, the class can still be told.
Backgrounds are textured and say nothing about the class.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.label_png import write_label_map

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Pattern = Callable[[FloatArray, FloatArray], ByteArray]

IMAGE_SIZES = ((120, 160), (120, 160), (160, 120), (160, 120), (128, 128))  # height, width
# Objects are drawn this many times larger and averaged down. Odd, so that an image pixel has a
# middle sample, which says whose pixel it is in the label map.
SUPERSAMPLING = 3
VOID_LABEL = 255
JPEG_QUALITY = 90
HUE_JITTER_DEGREES = 22.0  # class hues are about 70 degrees apart: neighbours overlap at times
MAX_HIDDEN_SHARE = 0.2  # of an object, by the objects drawn after it
COMPANION_WEIGHT = 4.0  # how much likelier a companion class is than any other second class


@dataclass(frozen=True)
class ClassLook:
    """What the objects of one class have in common.

    Objects are described in local coordinates: x to the right, y down, the object within [-1, 1].

    Attributes:
        name: The class name.
        hue: Typical hue of the body, in degrees.
        pieces: Polygons that make up the body, in drawing order, each with its brightness in per
            cent of the body colour.
        part_centre: Where the striking part sits.
        part_pattern: Given coordinates in which the part is about the unit disc, says for each
            point: 0 outside the part, 1 or 2 for the first or second of `part_colours`.
        part_colours: Two contrasting colours, blue, green, red in [0, 255].
        companions: The classes it is often seen with. Each class has two and is one of two, so
            that all classes stay equally frequent.
    """

    name: str
    hue: float
    pieces: tuple[tuple[FloatArray, int], ...]
    part_centre: tuple[float, float]
    part_pattern: Pattern
    part_colours: tuple[tuple[int, int, int], tuple[int, int, int]]
    companions: tuple[str, str]


@dataclass(frozen=True)
class Scene:
    """One drawn image and what is known about it.

    Attributes:
        image: Height x width x 3, blue, green, red.
        instances: Height x width; 0 for background, k for a visible pixel of object k - 1.
        object_classes: Index in `CLASS_NAMES` of each object.
        saliency: Height x width, an imperfect saliency map.
    """

    image: ByteArray
    instances: ByteArray
    object_classes: tuple[int, ...]
    saliency: ByteArray


def _polygon(*points: tuple[float, float]) -> FloatArray:
    return np.array(points, np.float32)


def _arc(cx: float, cy: float, rx: float, ry: float, start: int = 0, stop: int = 360) -> FloatArray:
    angle = np.deg2rad(np.linspace(start, stop, 33))
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], 1).astype(np.float32)


def _leaf_half(side: int) -> FloatArray:
    t = np.linspace(0, 1, 25)
    return np.stack([side * 0.62 * np.sin(np.pi * t) ** 0.9, 1.72 * t - 1], 1).astype(np.float32)


def _in_square(x: FloatArray, y: FloatArray) -> npt.NDArray[np.bool_]:
    return np.maximum(np.abs(x), np.abs(y)) < 0.886  # a square with the area of the unit disc


def _rings(x: FloatArray, y: FloatArray) -> ByteArray:
    radius = np.hypot(x, y)
    return np.where(radius < 1, 1 + ((radius > 0.36) & (radius < 0.72)), 0).astype(np.uint8)


def _checks(x: FloatArray, y: FloatArray) -> ByteArray:
    odd = (np.floor(x / 0.59 + 0.5) + np.floor(y / 0.59 + 0.5)) % 2
    return np.where(_in_square(x, y), 1 + odd, 0).astype(np.uint8)


def _stripes(x: FloatArray, y: FloatArray) -> ByteArray:
    return np.where(_in_square(x, y), 1 + np.floor((y + 0.886) / 0.355) % 2, 0).astype(np.uint8)


def _sunburst(x: FloatArray, y: FloatArray) -> ByteArray:
    ray = np.floor(np.arctan2(y, x) / (np.pi / 5)) % 2
    radius = np.hypot(x, y)
    return np.where(radius < 1, 1 + ray * (radius > 0.3), 0).astype(np.uint8)


def _ladybird(x: FloatArray, y: FloatArray) -> ByteArray:
    spots = np.hypot(np.abs(x) - 0.45, np.abs(y - 0.15) - 0.35) < 0.24
    dark = spots | (y < -0.5) | (np.abs(x) < 0.09)
    return np.where(np.hypot(x, y) < 1, 1 + dark, 0).astype(np.uint8)


_LOOKS = (
    ClassLook(
        name="fish",
        hue=190,
        pieces=(
            (_polygon((0.4, 0), (1, -0.5), (0.84, 0), (1, 0.5)), 84),
            (_polygon((-0.35, -0.38), (0.2, -0.76), (0.3, -0.34)), 84),
            (_arc(-0.18, 0, 0.82, 0.52), 100),
        ),
        part_centre=(-0.52, -0.04),
        part_pattern=_rings,
        part_colours=((15, 15, 15), (245, 250, 250)),
        companions=("leaf", "mug"),
    ),
    ClassLook(
        name="kite",
        hue=265,
        pieces=(
            (_polygon((0, 0.55), (-0.3, 0.72), (-0.3, 1), (0.3, 0.72), (0.3, 1)), 80),
            (_polygon((0, -1), (-0.74, -0.27), (0, 0.66)), 100),
            (_polygon((0, -1), (0.74, -0.27), (0, 0.66)), 90),
        ),
        part_centre=(0, -0.42),
        part_pattern=_checks,
        part_colours=((20, 20, 20), (60, 225, 250)),
        companions=("leaf", "lamp"),
    ),
    ClassLook(
        name="lamp",
        hue=45,
        pieces=(
            (_polygon((-0.09, -0.1), (0.09, -0.1), (0.09, 0.85), (-0.09, 0.85)), 72),
            (_arc(0, 0.86, 0.46, 0.14), 84),
            (_polygon((-0.36, -1), (0.36, -1), (0.8, 0.1), (-0.8, 0.1)), 100),
        ),
        part_centre=(0.12, -0.28),
        part_pattern=_sunburst,
        part_colours=((240, 250, 255), (150, 30, 20)),
        companions=("kite", "mug"),
    ),
    ClassLook(
        name="leaf",
        hue=118,
        pieces=(
            (_polygon((-0.06, 0.6), (0.06, 0.6), (0.09, 1), (-0.05, 1)), 76),
            (_leaf_half(-1), 100),
            (_leaf_half(1), 90),
        ),
        part_centre=(-0.1, 0.16),
        part_pattern=_ladybird,
        part_colours=((25, 25, 235), (15, 10, 10)),
        companions=("fish", "kite"),
    ),
    ClassLook(
        name="mug",
        hue=338,
        pieces=(
            (
                np.concatenate(
                    [_arc(0.36, 0, 0.6, 0.52, -95, 95), _arc(0.36, 0, 0.34, 0.27, 95, -95)]
                ),
                84,
            ),
            (
                np.concatenate(
                    [_arc(-0.2, 0.7, 0.6, 0.16, 0, 180), _arc(-0.2, -0.7, 0.66, 0.16, 180, 360)]
                ),
                100,
            ),
            (_arc(-0.2, -0.7, 0.6, 0.12), 70),
        ),
        part_centre=(-0.34, 0.22),
        part_pattern=_stripes,
        part_colours=((140, 60, 10), (250, 250, 250)),
        companions=("fish", "lamp"),
    ),
)
CLASS_NAMES: tuple[str, ...] = tuple(look.name for look in _LOOKS)


def draw_voc_tree(root: Path, *, train_images: int, val_images: int, seed: int) -> None:
    """Writes the demo data set: a ``VOC2012`` tree and ``saliency_maps`` beside it.

    The image with number `index` depends on `seed` and `index` only. The validation images follow
    the training images in number.

    Args:
        root: Folder to write in; made where it does not exist.
        train_images: How many images ``train.txt`` lists.
        val_images: How many images ``val.txt`` lists.
        seed: Chooses the data set; not negative.
    """
    voc = root / "VOC2012"
    folders = ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Segmentation")
    for folder in (*(voc / name for name in folders), root / "saliency_maps"):
        folder.mkdir(parents=True, exist_ok=True)
    ids = [f"demo_{index:04d}" for index in range(train_images + val_images)]
    for index, image_id in enumerate(ids):
        scene = draw_scene(seed, index)
        jpeg = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        (voc / "JPEGImages" / f"{image_id}.jpg").write_bytes(jpeg.tobytes())
        (voc / "Annotations" / f"{image_id}.xml").write_bytes(annotation_xml(image_id, scene))
        write_label_map(voc / "SegmentationClass" / f"{image_id}.png", label_map(scene))
        png = cv2.imencode(".png", scene.saliency)[1]
        (root / "saliency_maps" / f"{image_id}.png").write_bytes(png.tobytes())
    for split, members in (("train", ids[:train_images]), ("val", ids[train_images:])):
        _write_lines(voc / "ImageSets" / "Segmentation" / f"{split}.txt", members)
    _write_lines(voc / "classes.txt", CLASS_NAMES)


def draw_scene(seed: int, index: int) -> Scene:
    """Draws image `index` of the data set that `seed` chooses."""
    rng = np.random.default_rng((seed, index))
    height, width = IMAGE_SIZES[rng.integers(len(IMAGE_SIZES))]
    # The first class goes round by number, so that every stretch of images has every class.
    object_classes = choose_classes(rng, first=index % len(CLASS_NAMES))
    size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    background = draw_background(rng, height, width)
    canvas = cv2.resize(background, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    instances = np.zeros(canvas.shape[:2], np.uint8)
    for number, class_index in enumerate(object_classes, start=1):
        longest = (0.65, 0.56, 0.46)[len(object_classes) - 1]
        side_share = float(rng.uniform(0.66 * longest, longest))
        draw_object(rng, _LOOKS[class_index], canvas, instances, number, side_share)
    image = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    image = image + rng.normal(0, 2.0, image.shape)  # a camera's noise, on objects too
    middle = SUPERSAMPLING // 2
    instances = np.ascontiguousarray(instances[middle::SUPERSAMPLING, middle::SUPERSAMPLING])
    return Scene(
        image=_to_bytes(image),
        instances=instances,
        object_classes=object_classes,
        saliency=draw_saliency(rng, instances, len(object_classes)),
    )


def choose_classes(rng: np.random.Generator, first: int) -> tuple[int, ...]:
    """Chooses the classes of the 1 to 3 objects of an image, `first` among them."""
    object_count = int(rng.choice([1, 2, 3], p=[0.4, 0.42, 0.18]))
    chosen = [first]
    while len(chosen) < object_count:
        if rng.random() < 0.3:  # another object of a class that is there already
            chosen.append(chosen[rng.integers(len(chosen))])
            continue
        companions = _LOOKS[chosen[-1]].companions
        weights = np.array([COMPANION_WEIGHT if c in companions else 1.0 for c in CLASS_NAMES])
        weights[chosen] = 0
        chosen.append(int(rng.choice(len(CLASS_NAMES), p=weights / weights.sum())))
    return tuple(int(c) for c in rng.permutation(chosen))


def draw_background(rng: np.random.Generator, height: int, width: int) -> ByteArray:
    """Draws a textured background whose colours do not depend on the classes of the image."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    family = rng.choice(["noise", "stripes", "blobs", "gradient"])
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    if family == "noise":
        weight = sum(_smooth_noise(rng, height, width, cell) * cell for cell in (32, 12, 5)) / 49
        weight = weight * 2.4 - 0.7
    elif family == "stripes":
        bend = 14 * _smooth_noise(rng, height, width, 40)
        weight = 0.5 + 0.5 * np.sin((along + bend) * (2 * np.pi / rng.uniform(7, 22)))
    elif family == "blobs":
        spots = _smooth_noise(rng, height, width, int(rng.integers(8, 18)))
        weight = 1 / (1 + np.exp(-30 * (spots - rng.uniform(0.45, 0.6))))
    else:
        weight = (along - along.min()) / np.ptp(along) + 0.5 * _smooth_noise(rng, height, width, 9)
    hue = rng.uniform(0, 360)
    ends = [
        _colour(h, rng.uniform(0.1, 0.6), value)
        for h, value in (
            (hue, rng.uniform(0.25, 0.55)),
            (hue + rng.uniform(-70, 70), rng.uniform(0.5, 0.95)),
        )
    ]
    mix = np.clip(weight, 0, 1)[..., None]
    # Fine grain over every family: a smooth patch is a sign of an object's body.
    grain = 36 * (_smooth_noise(rng, height, width, 2) - 0.5) + rng.normal(0, 7, (height, width))
    return _to_bytes(ends[0] * (1 - mix) + ends[1] * mix + grain[..., None])


def draw_object(
    rng: np.random.Generator,
    look: ClassLook,
    canvas: FloatArray,
    instances: ByteArray,
    number: int,
    side_share: float,
) -> None:
    """Draws one object into `canvas` and writes its `number` into `instances`.

    Args:
        rng: Source of the object's pose, colour and shape.
        look: The class of the object.
        canvas: The supersampled image so far.
        instances: The supersampled map of object numbers so far.
        number: The object's number.
        side_share: The longer side of the object's box as a share of that side of the image.
    """
    height, width = instances.shape
    stretch = np.exp(rng.normal(0, 0.1, 2)) * (rng.choice([-1, 1]), 1)
    taper, shear, turn = rng.normal(0, 0.12), rng.normal(0, 0.1), np.deg2rad(rng.uniform(-40, 40))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def posed(points: FloatArray) -> FloatArray:
        x, y = (points * stretch).T
        bent = np.stack([x * (1 + taper * y) + shear * y * y, y], 1)
        return np.asarray(bent @ rotation.T, np.float32)

    outline = np.concatenate([posed(points) for points, _ in look.pieces])
    low, high = outline.min(0), outline.max(0)
    scale = float(side_share / ((high - low) / (width, height)).max())
    box = np.ceil((high - low) * scale).astype(int)
    # The body's brightness, in per cent, on a patch of the object's size; 0 outside the body.
    tone = np.zeros((box[1], box[0]), np.uint8)
    for points, brightness in look.pieces:
        cv2.fillPoly(tone, [np.rint((posed(points) - low) * scale).astype(np.int32)], brightness)
    left, top = _place(rng, tone > 0, instances)

    y, x = np.mgrid[0 : box[1], 0 : box[0]].astype(np.float32)
    light = rng.uniform(-0.2, 0.2, 2)
    shade = tone / 100 * (1 + light[0] * (2 * x / box[0] - 1) + light[1] * (2 * y / box[1] - 1))
    hue = look.hue + rng.normal(0, HUE_JITTER_DEGREES)
    body = _colour(hue, rng.uniform(0.35, 0.7), rng.uniform(0.6, 0.9))
    colours = shade[..., None].astype(np.float32) * body
    # The body is to be 4 to 8 times as large as the part, in whatever shape it came out.
    radius = np.sqrt(np.count_nonzero(tone) / (1 + rng.uniform(4.5, 8)) / np.pi)
    centre = (posed(np.array([look.part_centre], np.float32))[0] - low) * scale
    offset = np.stack([x - centre[0], y - centre[1]], -1) @ rotation / radius
    part = look.part_pattern(offset[..., 0], offset[..., 1])
    for shade_number, colour in enumerate(look.part_colours, start=1):
        colours[part == shade_number] = colour

    rows, columns = slice(max(top, 0), top + box[1]), slice(max(left, 0), left + box[0])
    seen_height, seen_width = instances[rows, columns].shape
    cut = np.s_[max(-top, 0) :, max(-left, 0) :]
    seen = (tone > 0)[cut][:seen_height, :seen_width]
    canvas[rows, columns][seen] = colours[cut][:seen_height, :seen_width][seen]
    instances[rows, columns][seen] = number
