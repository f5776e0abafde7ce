"""Photographs with predictions drawn on them: coloured areas, outlines and names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.artifacts.fonts import drawable, sized
from wsss_cli.artifacts.label_png import voc_palette
from wsss_cli.errors import WsssError

Pixels = npt.NDArray[np.uint8]

# How much of a class's colour lies over its area.
FILL = 0.35
HEAT = 0.65
QUALITY = 90
# Of the picture's sides, where it has pixels enough for that.
_LINE, _LETTER = 1 / 350, 1 / 32
_SMALLEST_LETTER, _LARGEST_LETTER = 9, 120
# Regions smaller than this share of the picture, or than the letters of their name, get no name of
# their own beside the largest one of their class.
_NAMED_SHARE = 0.002
_PALETTE = voc_palette()


@dataclass(frozen=True)
class Drawing:
    """How the classes of a network are drawn.

    Attributes:
        class_names: Names of classes 1..C.
        texts: What stands for each: its name, or its number where no font has its letters.
        font: File of the font.
    """

    class_names: tuple[str, ...]
    texts: tuple[str, ...]
    font: Path

    @classmethod
    def of(cls, class_names: Sequence[str]) -> "Drawing":
        """Choose a font for the names."""
        font, is_drawable = drawable(class_names)
        texts = [
            name if is_drawable[name] else f"{i}" for i, name in enumerate(class_names, start=1)
        ]
        return cls(tuple(class_names), tuple(texts), font)

    @property
    def undrawable(self) -> list[str]:
        """Names of which no font here has the letters."""
        pairs = zip(self.class_names, self.texts, strict=True)
        return [name for name, text in pairs if name != text]

    def labels(self, image: Pixels, label_map: Pixels) -> Pixels:
        """Draw a label map over its photograph.

        Args:
            image: (H, W, 3) RGB.
            label_map: (H, W), 0 background, 1..C classes.

        Returns:
            (H, W, 3) RGB.
        """
        blended = cv2.addWeighted(image, 1 - FILL, _PALETTE[label_map], FILL, 0)
        drawn = np.where((label_map == 0)[:, :, None], image, blended).astype(np.uint8)
        width = _line_width(label_map.shape)
        tags = []
        for class_id in np.unique(label_map).tolist():
            if not 1 <= class_id <= len(self.class_names):
                continue
            mask = (label_map == class_id).astype(np.uint8)
            contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
            # A light line below the coloured one tells it from dark and from equal surroundings.
            cv2.drawContours(drawn, contours, -1, (255, 255, 255), width + 2, cv2.LINE_AA)
            cv2.drawContours(drawn, contours, -1, _colour(class_id), width, cv2.LINE_AA)
            tags += [(position, class_id, self.texts[class_id - 1]) for position in _places(mask)]
        return self._tagged(drawn, tags)

    def heat(
        self, image: Pixels, maps: Mapping[int, npt.NDArray[np.float32]], texts: Mapping[int, str]
    ) -> Pixels:
        """Draw attention over its photograph, each class in its colour.

        Args:
            image: (H, W, 3) RGB.
            maps: (h, w) in [0, 1] by class id; smaller ones are enlarged.
            texts: What to write beside the name of each class.

        Returns:
            (H, W, 3) RGB; where classes compete the stronger one is drawn.
        """
        height, width = image.shape[:2]
        strongest = np.zeros((height, width), np.float32)
        labels = np.zeros((height, width), np.uint8)
        tags = []
        for class_id, attention in maps.items():
            large = cv2.resize(attention, (width, height), interpolation=cv2.INTER_LINEAR)
            ahead = large > strongest
            labels[ahead], strongest[ahead] = class_id, large[ahead]
            peak = np.unravel_index(int(attention.argmax()), attention.shape)
            y = int((peak[0] + 0.5) * height / attention.shape[0])
            x = int((peak[1] + 0.5) * width / attention.shape[1])
            tags.append(((x, y), class_id, f"{self.texts[class_id - 1]} {texts[class_id]}".strip()))
        weight = (HEAT * strongest)[:, :, None]
        colours = _PALETTE[labels].astype(np.float32)
        drawn = (1 - weight) * image + weight * colours
        return self._tagged(np.rint(drawn).astype(np.uint8), tags)

    def _tagged(self, pixels: Pixels, tags: Sequence[tuple[tuple[int, int], int, str]]) -> Pixels:
        """Write names on boxes of their classes' colours, each within the picture."""
        height, width = pixels.shape[:2]
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        draw = ImageDraw.Draw(picture)
        taken: list[tuple[int, int, int, int]] = []
        for (x, y), class_id, text in tags:
            fitted = self._fitted(draw, text, _letter_size(pixels.shape), width)
            if fitted is None:
                continue  # no room for a letter
            text, size, box_width, box_height = fitted
            if box_height > height:
                continue
            left = min(max(0, x - box_width // 2), width - box_width)
            top = _free(left, y - box_height // 2, box_width, box_height, height, taken)
            box = (left, top, left + box_width - 1, top + box_height - 1)
            taken.append(box)
            colour = _colour(class_id)
            draw.rectangle(box, fill=colour)
            middle = (left + box_width / 2, top + box_height / 2)
            draw.text(middle, text, _ink(colour), sized(self.font, size), anchor="mm")
        return np.array(picture)

    def _fitted(
        self, draw: ImageDraw.ImageDraw, text: str, size: int, width: int
    ) -> tuple[str, int, int, int] | None:
        """A text and its size in pixels that fit, with its box: smaller letters, then fewer."""
        while True:
            font = sized(self.font, size)
            needed = int(draw.textlength(text, font=font)) + 1 + size // 2
            if needed <= width:
                return text, size, needed, size + size // 3
            if size > _SMALLEST_LETTER:
                size = max(_SMALLEST_LETTER, size - max(1, size // 8))
            elif len(text.rstrip("…")) > 1:
                text = text.rstrip("…")[:-1] + "…"
            else:
                return None


def write_overlay(path: Path, pixels: Pixels) -> None:
    """Write an (H, W, 3) RGB overlay as JPEG; atomically."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    try:
        done, jpeg = cv2.imencode(".jpg", pixels[:, :, ::-1], quality)
    except cv2.error:
        done = False
    if not done:
        raise WsssError(f"{path} cannot be written: JPEG holds at most 65,500 pixels a side")
    write_bytes(path, jpeg.tobytes())


def _line_width(shape: tuple[int, ...]) -> int:
    return max(1, round(max(shape[:2]) * _LINE))


def _letter_size(shape: tuple[int, ...]) -> int:
    return min(_LARGEST_LETTER, max(_SMALLEST_LETTER, round(max(shape[:2]) * _LETTER)))


def _colour(class_id: int) -> tuple[int, int, int]:
    red, green, blue = _PALETTE[class_id].tolist()
    return red, green, blue


def _ink(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black on light colours, white on dark ones."""
    red, green, blue = colour
    light = 0.299 * red + 0.587 * green + 0.114 * blue > 140
    return (0, 0, 0) if light else (255, 255, 255)


def _places(mask: Pixels) -> list[tuple[int, int]]:
    """(x, y) in the middle of each large region, of the largest one in any case."""
    count, regions, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= 1:
        return []
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = [int(i) + 1 for i in np.argsort(-areas) if areas[i] >= _NAMED_SHARE * mask.size]
    letters = _letter_size(mask.shape) ** 2 * 2
    named = [region for region in large[1:] if areas[region - 1] > letters]
    places = []
    for region in [int(areas.argmax()) + 1, *named]:
        left, top, wide, high = (int(stats[region, i]) for i in range(4))
        inside = (regions[top : top + high, left : left + wide] == region).astype(np.uint8)
        # The pixel that is deepest inside; the frame counts as an edge.
        depth = cv2.distanceTransform(
            cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3
        )
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        places.append((left + int(x) - 1, top + int(y) - 1))
    return places


def _free(
    left: int,
    top: int,
    wide: int,
    high: int,
    height: int,
    taken: Sequence[tuple[int, int, int, int]],
) -> int:
    """The top of a box near where it should be, below or above the boxes that are there."""
    top = min(max(0, top), height - high)
    for way in (1, -1):
        at = top
        while 0 <= at <= height - high:
            hit = [
                box
                for box in taken
                if box[0] < left + wide and left <= box[2] and box[1] < at + high and at <= box[3]
            ]
            if not hit:
                return at
            at = max(b[3] for b in hit) + 1 if way == 1 else min(b[1] for b in hit) - high
    return top
