"""Draw the small data set of ``wsss demo``: a PASCAL VOC tree that needs no download.

Every object is made for the study of adversarial erasing. It has one *striking part* (small, high
contrast, a pattern found on one class only), which suffices a plain classifier and so is all that
its class activation map marks; and a *plain body* several times as large, whose hue and outline
are weaker cues of the same class: with the part erased, the class can still be told. Backgrounds
are textured and say nothing about the class.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.artifacts.plain_png import write_png
from wsss_cli.labels import IGNORE

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

IMAGE_SIZES = ((120, 160), (120, 160), (160, 120), (160, 120), (128, 128))  # height, width
# Objects are drawn this many times larger and averaged down. Odd, so that an image pixel has a
# middle sample, which says whose pixel it is in the label map.
SUPERSAMPLING = 3
# The longer side of an object's box, as a share of that side of the image, by how many there are.
SIDE_SHARES = {1: (0.5, 0.75), 2: (0.42, 0.66), 3: (0.34, 0.54)}
HUE_JITTER_DEGREES = 22.0  # class hues are about 70 degrees apart: neighbours overlap at times
MAX_HIDDEN_SHARE = 0.2  # of an object, by any one object drawn after it
COMPANION_WEIGHT = 4.0  # how much likelier a companion is than any other second class


@dataclass(frozen=True)
class ClassLook:
    """What the objects of one class have in common.

    Objects are described in local coordinates: x to the right, y down, the object within [-1, 1].

    Attributes:
        name: The class name.
        hue: Typical hue of the body, in degrees.
        part_centre: Where the striking part sits.
        part_pattern: Given coordinates in which the part is about the unit disc, says for each
            point: 0 outside the part, 1 or 2 for the first or second of `part_colours`.
        part_colours: Two contrasting colours; blue, green, red.
        pieces: Polygons that make up the body, in drawing order, each with its brightness in per
            cent of the body colour.
    """

    name: str
    hue: float
    part_centre: tuple[float, float]
    part_pattern: Callable[[FloatArray, FloatArray], ByteArray]
    part_colours: tuple[tuple[int, int, int], tuple[int, int, int]]
    pieces: tuple[tuple[FloatArray, int], ...]


@dataclass(frozen=True)
class Scene:
    """One drawn image, with its imperfect saliency map and the truth about it.

    `instances` holds 0 for background and k for a visible pixel of the k-th object, whose class
    is ``CLASS_NAMES[object_classes[k - 1]]``. `image` is blue, green, red.
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


def _in_square(x: FloatArray, y: FloatArray) -> BoolArray:
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


_KITE_TAIL = _polygon((0, 0.55), (-0.3, 0.72), (-0.3, 1), (0.3, 0.72), (0.3, 1))
_LAMP_STAND = _polygon((-0.09, -0.1), (0.09, -0.1), (0.09, 0.85), (-0.09, 0.85))
_LAMP_SHADE = _polygon((-0.36, -1), (0.36, -1), (0.8, 0.1), (-0.8, 0.1))
_MUG_HANDLE = [_arc(0.36, 0, 0.6, 0.52, -95, 95), _arc(0.36, 0, 0.34, 0.27, 95, -95)]
_MUG_WALL = [_arc(-0.2, 0.7, 0.6, 0.16, 0, 180), _arc(-0.2, -0.7, 0.66, 0.16, 180, 360)]
_BLACK, _WHITE, _YELLOW = (15, 15, 15), (250, 250, 250), (60, 225, 250)
_LOOKS = (
    ClassLook("fish", 190, (-0.52, -0.04), _rings, (_BLACK, _WHITE), (
        (_polygon((0.4, 0), (1, -0.5), (0.84, 0), (1, 0.5)), 84),
        (_polygon((-0.35, -0.38), (0.2, -0.76), (0.3, -0.34)), 84),
        (_arc(-0.18, 0, 0.82, 0.52), 100),
    )),
    ClassLook("kite", 265, (0, -0.42), _checks, (_BLACK, _YELLOW), (
        (_KITE_TAIL, 80),
        (_polygon((0, -1), (-0.74, -0.27), (0, 0.66)), 100),
        (_polygon((0, -1), (0.74, -0.27), (0, 0.66)), 90),
    )),
    ClassLook("lamp", 45, (0.12, -0.28), _sunburst, (_WHITE, (150, 30, 20)), (
        (_LAMP_STAND, 72),
        (_arc(0, 0.86, 0.46, 0.14), 84),
        (_LAMP_SHADE, 100),
    )),
    ClassLook("leaf", 118, (-0.1, 0.16), _ladybird, ((25, 25, 235), _BLACK), (
        (_polygon((-0.06, 0.6), (0.06, 0.6), (0.09, 1), (-0.05, 1)), 76),
        (_leaf_half(-1), 100),
        (_leaf_half(1), 90),
    )),
    ClassLook("mug", 338, (-0.34, 0.22), _stripes, ((140, 60, 10), _WHITE), (
        (np.concatenate(_MUG_HANDLE), 84),
        (np.concatenate(_MUG_WALL), 100),
        (_arc(-0.2, -0.7, 0.6, 0.12), 70),
    )),
)  # fmt: skip
CLASS_NAMES: tuple[str, ...] = tuple(look.name for look in _LOOKS)


def draw_voc_data_set(root: Path, *, train_images: int, val_images: int, seed: int) -> None:
    """Write the demo data set: a ``VOC2012`` tree and ``saliency_maps`` beside it.

    Image number `index` depends on `seed` and `index` only; the validation images follow the
    training images in number.

    Args:
        root: Folder to write in; made where it does not exist.
        train_images: How many images ``train.txt`` lists.
        val_images: How many images ``val.txt`` lists.
        seed: Chooses the data set; not negative.
    """
    voc = root / "VOC2012"
    ids = [f"demo_{index:04d}" for index in range(train_images + val_images)]
    for index, image_id in enumerate(ids):
        scene = draw_scene(seed, index)
        jpeg = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        write_bytes(voc / "JPEGImages" / f"{image_id}.jpg", jpeg.tobytes())
        write_bytes(voc / "Annotations" / f"{image_id}.xml", annotation_xml(image_id, scene))
        write_label_map(voc / "SegmentationClass" / f"{image_id}.png", label_map(scene))
        write_png(root / "saliency_maps" / f"{image_id}.png", scene.saliency)
    _write_lines(voc / "ImageSets" / "Segmentation" / "train.txt", ids[:train_images])
    _write_lines(voc / "ImageSets" / "Segmentation" / "val.txt", ids[train_images:])
    _write_lines(voc / "classes.txt", CLASS_NAMES)


def draw_scene(seed: int, index: int) -> Scene:
    """Draw image `index` of the data set that `seed` chooses."""
    rng = np.random.default_rng((seed, index))
    height, width = IMAGE_SIZES[rng.integers(len(IMAGE_SIZES))]
    # The first class goes round by number, so that every stretch of images has every class.
    object_classes = choose_classes(rng, first=index % len(CLASS_NAMES))
    size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    background = draw_background(rng, height, width)
    canvas = cv2.resize(background, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    instances = np.zeros(canvas.shape[:2], np.uint8)
    for number, class_index in enumerate(object_classes, start=1):
        side_share = rng.uniform(*SIDE_SHARES[len(object_classes)])
        draw_object(rng, _LOOKS[class_index], canvas, instances, number, side_share)
    image = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    image = image + rng.normal(0, 2, image.shape)  # a camera's noise, on objects too
    middle = slice(SUPERSAMPLING // 2, None, SUPERSAMPLING)
    instances = np.ascontiguousarray(instances[middle, middle])
    saliency = draw_saliency(rng, instances, len(object_classes))
    return Scene(_to_bytes(image), instances, object_classes, saliency)


def choose_classes(rng: np.random.Generator, first: int) -> tuple[int, ...]:
    """Choose the classes of the 1 to 3 objects of an image, `first` among them.

    The companions of a class are its neighbours in `CLASS_NAMES`, taken as a ring: so every class
    has two and is one of two, and all stay equally frequent.
    """
    count = len(CLASS_NAMES)
    classes = [first]
    for _ in range(rng.choice(3, p=[0.4, 0.42, 0.18])):
        if rng.random() < 0.3:  # another object of a class that is there already
            classes.append(classes[rng.integers(len(classes))])
            continue
        weights = np.ones(count)
        weights[[(classes[-1] - 1) % count, (classes[-1] + 1) % count]] = COMPANION_WEIGHT
        weights[classes] = 0
        classes.append(int(rng.choice(count, p=weights / weights.sum())))
    return tuple(int(index) for index in rng.permutation(classes))


def draw_background(rng: np.random.Generator, height: int, width: int) -> ByteArray:
    """Draw a textured background, two colours mixed, that tells nothing about the classes."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    family = rng.choice(["noise", "stripes", "blobs", "gradient"])
    if family == "noise":
        octaves = sum(_smooth_noise(rng, height, width, cell) * cell for cell in (32, 12, 5))
        weight = octaves / 49 * 2.4 - 0.7
    elif family == "stripes":
        bend = 14 * _smooth_noise(rng, height, width, 40)
        weight = 0.5 + 0.5 * np.sin((along + bend) * (2 * np.pi / rng.uniform(7, 22)))
    elif family == "blobs":
        spots = _smooth_noise(rng, height, width, int(rng.integers(8, 18)))
        weight = 1 / (1 + np.exp(-30 * (spots - rng.uniform(0.45, 0.6))))
    else:
        weight = (along - along.min()) / np.ptp(along) + 0.5 * _smooth_noise(rng, height, width, 9)
    hue = rng.uniform(0, 360)
    dark = _colour(hue, rng.uniform(0.1, 0.6), rng.uniform(0.25, 0.55))
    bright = _colour(hue + rng.uniform(-70, 70), rng.uniform(0.1, 0.6), rng.uniform(0.5, 0.95))
    mix = np.clip(weight, 0, 1)[..., None]
    # Fine grain over every family: only the body of an object is smooth.
    grain = 36 * (_smooth_noise(rng, height, width, 2) - 0.5) + rng.normal(0, 7, (height, width))
    return _to_bytes(dark * (1 - mix) + bright * mix + grain[..., None])


def draw_object(
    rng: np.random.Generator,
    look: ClassLook,
    canvas: FloatArray,
    instances: ByteArray,
    number: int,
    side_share: float,
) -> None:
    """Draw one object into `canvas` and write its `number` into `instances`.

    Args:
        rng: Source of the object's pose, shape and colour.
        look: The class of the object.
        canvas: The supersampled image so far.
        instances: The supersampled map of object numbers so far.
        number: The object's number.
        side_share: The longer side of the object's box as a share of that side of the image.
    """
    stretch = np.exp(rng.normal(0, 0.1, 2)) * (rng.choice([-1, 1]), 1)
    taper, bend, turn = rng.normal(0, 0.12), rng.normal(0, 0.1), np.deg2rad(rng.uniform(-40, 40))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def posed(points: FloatArray) -> FloatArray:
        x, y = (points * stretch).T
        bent = np.stack([x * (1 + taper * y) + bend * y * y, y], 1)
        return np.asarray(bent @ rotation.T, np.float32)

    outline = np.concatenate([posed(points) for points, _ in look.pieces])
    low, extent = outline.min(0), np.ptp(outline, axis=0)
    scale = side_share * (instances.shape[::-1] / extent).min()
    width, height = np.ceil(extent * scale).astype(int)
    # The body's brightness in per cent, in the object's own box; 0 outside the body.
    tone = np.zeros((height, width), np.uint8)
    for points, brightness in look.pieces:
        cv2.fillPoly(tone, [np.rint((posed(points) - low) * scale).astype(np.int32)], brightness)
    inside = tone > 0

    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = rng.uniform(-0.2, 0.2, 2)
    shade = tone / 100 * (1 + light[0] * (2 * x / width - 1) + light[1] * (2 * y / height - 1))
    hue = look.hue + rng.normal(0, HUE_JITTER_DEGREES)
    colours = shade[..., None] * _colour(hue, rng.uniform(0.35, 0.7), rng.uniform(0.6, 0.9))
    # In whatever shape it came out, the body is to be 4 to 8 times as large as the part.
    radius = np.sqrt(inside.sum() / (1 + rng.uniform(4, 8)) / np.pi)
    centre = (posed(_polygon(look.part_centre))[0] - low) * scale
    offset = np.stack([x - centre[0], y - centre[1]], -1) @ rotation / radius
    part = look.part_pattern(offset[..., 0], offset[..., 1])
    for value, colour in enumerate(look.part_colours, start=1):
        colours[part == value] = colour

    region = find_place(rng, inside, instances)
    canvas[region][inside] = colours[inside]
    instances[region][inside] = number


def find_place(
    rng: np.random.Generator, mask: BoolArray, instances: ByteArray
) -> tuple[slice, slice]:
    """Find rows and columns for an object where it hides little of the objects drawn before it.

    Args:
        rng: Source of the places to try.
        mask: The object's pixels, in its own box.
        instances: The map of object numbers so far, larger than `mask`.

    Returns:
        The first place that hides at most `MAX_HIDDEN_SHARE` of every earlier object, or of the
        places tried the one that hides least.
    """
    height, width = mask.shape
    areas = np.bincount(instances.ravel(), minlength=2)[1:]
    candidates: list[tuple[float, tuple[slice, slice]]] = []
    for _ in range(30):
        top = int(rng.integers(instances.shape[0] - height + 1))
        left = int(rng.integers(instances.shape[1] - width + 1))
        region = (slice(top, top + height), slice(left, left + width))
        hidden = np.bincount(instances[region][mask], minlength=len(areas) + 1)[1:]
        candidates.append((float((hidden / np.maximum(areas, 1)).max()), region))
        if candidates[-1][0] <= MAX_HIDDEN_SHARE:
            break
    return min(candidates, key=lambda share_and_place: share_and_place[0])[1]


def draw_saliency(rng: np.random.Generator, instances: ByteArray, object_count: int) -> ByteArray:
    """Draw a saliency map as flawed as a saliency network's; 255 where surest of an object.

    Edges are soft and displaced, the confidence varies, objects and parts of bodies are missed and
    background is taken for an object.
    """
    height, width = instances.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    saliency = np.zeros((height, width), np.float32)
    for number in range(1, object_count + 1):
        mask = instances == number
        missed = rng.random() < 0.08
        strength = np.full((height, width), rng.uniform(0, 0.4) if missed else rng.uniform(0.6, 1))
        if rng.random() < 0.3:  # one side of the body is missed
            angle = rng.uniform(0, 2 * np.pi)
            along = x * np.cos(angle) + y * np.sin(angle)
            end = np.quantile(along[mask], rng.uniform(0.3, 0.6))
            strength *= 0.2 + 0.8 / (1 + np.exp((end - along) / 3))
        saliency[mask] = strength[mask]
    if rng.random() < 0.3:  # a false blob, behind the objects
        centre, radii = rng.uniform(0, (width, height)), rng.uniform(10, 25, 2)
        blob = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1
        saliency[blob & (instances == 0)] = rng.uniform(0.4, 0.95)
    shift = [10 * (_smooth_noise(rng, height, width, 20) - 0.5) for _ in range(2)]
    moved = cv2.remap(saliency, x + shift[0], y + shift[1], cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(moved, (0, 0), rng.uniform(1.2, 3))
    haze = 0.12 * _smooth_noise(rng, height, width, 24)
    return _to_bytes(255 * np.maximum(soft, haze))


def label_map(scene: Scene) -> ByteArray:
    """Build the true label map, with the border of 255 that VOC leaves around every object."""
    labels_of_objects = np.array([0, *(index + 1 for index in scene.object_classes)], np.uint8)
    labels = labels_of_objects[scene.instances]
    # Pixels whose neighbourhood holds more than one object or background: two pixels wide.
    around = np.ones((3, 3), np.uint8)
    border = cv2.erode(scene.instances, around) != cv2.dilate(scene.instances, around)
    labels[border] = IGNORE
    return labels


def annotation_xml(image_id: str, scene: Scene) -> bytes:
    """Build the VOC annotation: one ``<object>`` per object, its box around what is seen of it."""
    root = ET.Element("annotation")
    ET.SubElement(root, "filename").text = f"{image_id}.jpg"
    size = ET.SubElement(root, "size")
    for tag, length in zip(("height", "width", "depth"), scene.image.shape, strict=True):
        ET.SubElement(size, tag).text = str(length)
    for number, class_index in enumerate(scene.object_classes, start=1):
        entry = ET.SubElement(root, "object")
        ET.SubElement(entry, "name").text = CLASS_NAMES[class_index]
        ET.SubElement(entry, "difficult").text = "0"
        box = ET.SubElement(entry, "bndbox")
        rows, columns = np.nonzero(scene.instances == number)
        edges = (columns.min(), rows.min(), columns.max(), rows.max())
        for tag, edge in zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True):
            ET.SubElement(box, tag).text = str(edge + 1)  # VOC counts pixels from 1
    ET.indent(root)
    return ET.tostring(root, encoding="unicode").encode()


def _colour(hue: float, saturation: float, value: float) -> FloatArray:
    hsv = np.array([[[hue % 360, saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0] * 255, np.float32)


def _smooth_noise(rng: np.random.Generator, height: int, width: int, cell: int) -> FloatArray:
    """Draw noise in [0, 1] with features about `cell` pixels large."""
    coarse = rng.random((height // cell + 2, width // cell + 2), np.float32)
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(noise, 0, 1), np.float32)


def _to_bytes(values: npt.NDArray[np.floating]) -> ByteArray:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
