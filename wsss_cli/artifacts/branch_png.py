"""Pictures of what each branch of a network does: rows of titled tiles with numbers under them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.artifacts.heatmap_png import heatmap
from wsss_cli.artifacts.label_png import voc_palette

Pixels = npt.NDArray[np.uint8]

# Value in the mask, name and colour of each zone: ordered as jet orders low to high, and told
# apart by the colour-blind (Okabe and Ito 2008).
ZONES = (
    (0, "attention", (213, 94, 0)),
    (1, "potential", (240, 228, 66)),
    (-1, "background", (0, 114, 178)),
)
# Of the grey image in the drawing of zones: as in heatmaps.
GREY = 0.2

TILE = 160  # the longer side of a tile, in pixels
NARROWEST = 130  # of a column: as wide as its longest line of text
MARGIN = 10
TITLE_HEIGHT = 26
LINE_HEIGHT = 16
LINES = 3
TEXT, FAINT = (25, 25, 25), (120, 120, 120)


@dataclass(frozen=True)
class Tile:
    """One picture of a row.

    Attributes:
        pixels: (H, W, 3) RGB; scaled to the size of a tile.
        lines: At most three short lines to write under it.
        colours: Colours of the squares before the lines, where they are a legend.
    """

    pixels: Pixels
    lines: Sequence[str] = ()
    colours: Sequence[tuple[int, int, int]] = ()


def heat_tile(image: Pixels, attention: npt.NDArray[np.float32], lines: Sequence[str]) -> Tile:
    """Attention over its image.

    Args:
        image: (H, W, 3) RGB.
        attention: (H, W) or smaller, in [0, 1]; a smaller map shows its positions as squares.
        lines: To write under it.
    """
    return Tile(heatmap(image, _enlarged(attention, image)), lines)


def zone_tile(image: Pixels, zones: npt.NDArray[np.float32]) -> Tile:
    """The three zones over the image, with a legend that says how large each one is.

    Args:
        image: (H, W, 3) RGB.
        zones: (h, w) with 0, +1 and -1, drawn as squares.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None]
    large = _enlarged(zones, image)
    painted = np.zeros((*large.shape, 3), np.float32)
    for value, _, colour in ZONES:
        painted[large == value] = colour
    mixed = (1 - GREY) * painted + GREY * grey
    return Tile(
        np.rint(mixed).astype(np.uint8),
        [f"{name} {(zones == value).mean():.0%}" for value, name, _ in ZONES],
        [colour for _, _, colour in ZONES],
    )


def label_tile(label_map: Pixels, lines: Sequence[str]) -> Tile:
    """An (H, W) label map in VOC's colours."""
    return Tile(voc_palette()[label_map], lines)


def write_rows(path: Path, rows: Sequence[Mapping[str, Tile]], note: str) -> None:
    """Write rows of tiles as one PNG, each title once above its column.

    Args:
        path: The PNG.
        rows: Tiles by title; a row may lack some, whose places stay empty.
        note: A line below everything; may be empty.
    """
    picture = compose(rows, note)
    buffer = io.BytesIO()
    # 256 colours are a third of the bytes, and dithering would cost half of that again.
    small = picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(buffer, format="PNG", optimize=True)
    write_bytes(path, buffer.getvalue())


def compose(rows: Sequence[Mapping[str, Tile]], note: str) -> Image.Image:
    """Arrange the tiles of :func:`write_rows`."""
    titles = _columns(rows)
    fitted = [{title: _fit(tile.pixels) for title, tile in row.items()} for row in rows]
    wide = max(NARROWEST, *(tile.shape[1] for row in fitted for tile in row.values()))
    heights = [max(tile.shape[0] for tile in row.values()) for row in fitted]
    below = LINES * LINE_HEIGHT + 2 * MARGIN
    size = (
        MARGIN + len(titles) * (wide + MARGIN),
        TITLE_HEIGHT + sum(heights) + len(rows) * below + (LINE_HEIGHT + MARGIN) * bool(note),
    )
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    heading, writing = ImageFont.load_default(15), ImageFont.load_default(13)
    for column, title in enumerate(titles):
        where = (MARGIN + column * (wide + MARGIN), TITLE_HEIGHT / 2)
        draw.text(where, title, TEXT, heading, anchor="lm")
    top = TITLE_HEIGHT
    for row, tiles, height in zip(rows, fitted, heights, strict=True):
        for column, title in enumerate(titles):
            if title not in row:
                continue
            left = MARGIN + column * (wide + MARGIN)
            picture.paste(Image.fromarray(tiles[title]), (left, top))
            _write_lines(draw, row[title], (left, top + height + 4), writing)
        top += height + below
    draw.text((MARGIN, top + LINE_HEIGHT / 2), note, FAINT, writing, anchor="lm")
    return picture


def _write_lines(
    draw: ImageDraw.ImageDraw,
    tile: Tile,
    corner: tuple[int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    left, top = corner
    indent = LINE_HEIGHT if tile.colours else 0
    for number, line in enumerate(tile.lines):
        middle = top + number * LINE_HEIGHT + LINE_HEIGHT // 2
        draw.text((left + indent, middle), line, TEXT, font, anchor="lm")
    for number, colour in enumerate(tile.colours):
        y = top + number * LINE_HEIGHT
        draw.rectangle((left, y + 3, left + 10, y + 13), colour)


def _columns(rows: Sequence[Mapping[str, Tile]]) -> list[str]:
    """Every title once, in an order that agrees with each row's."""
    titles: list[str] = []
    for row in rows:
        at = 0
        for title in row:
            if title in titles:
                at = titles.index(title) + 1
            else:
                titles.insert(at, title)
                at += 1
    return titles


def _fit(pixels: Pixels) -> Pixels:
    """Scale so that the longer side is a tile's."""
    height, width = pixels.shape[:2]
    scale = TILE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return pixels
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cv2.resize(pixels, size, interpolation=way).astype(np.uint8, copy=False)


def _enlarged(small: npt.NDArray[np.float32], image: Pixels) -> npt.NDArray[np.float32]:
    """To the image's size, each value a square."""
    size = image.shape[1::-1]
    large = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return large.astype(np.float32, copy=False)
