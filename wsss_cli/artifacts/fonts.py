"""A font that has the letters of class names, in whatever language they are."""

from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

# Files of a system's fonts that are tried where matplotlib's own has not all letters.
_MOST_FONTS = 500


@lru_cache(maxsize=16)
def font_for(letters: frozenset[str]) -> Path | None:
    """The font file that has all of these letters, None where no font on this machine has."""
    default = _own_font()
    if _lacking(default, letters) == set():
        return default
    from matplotlib.font_manager import findSystemFonts

    for path in sorted(findSystemFonts())[:_MOST_FONTS]:
        if _lacking(Path(path), letters) == set():
            return Path(path)
    return None


def drawable(names: Iterable[str]) -> tuple[Path, dict[str, bool]]:
    """A font, and which of the names it can draw.

    Returns:
        The file of a font that has the letters of all names, else that of matplotlib's own; and of
        each name whether its letters are in it.
    """
    names = list(names)
    everything = font_for(frozenset("".join(names)))
    font = everything or _own_font()
    return font, {name: not _lacking(font, frozenset(name)) for name in names}


@lru_cache(maxsize=64)
def sized(font: Path, pixels: int) -> ImageFont.FreeTypeFont:
    """The font so many pixels high."""
    return ImageFont.truetype(str(font), pixels)


def _own_font() -> Path:
    """DejaVu Sans, which comes with matplotlib: Latin, Greek, Cyrillic, Arabic and more."""
    spec = find_spec("matplotlib")  # without importing it
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


def _lacking(font: Path, letters: Iterable[str]) -> set[str]:
    """Letters that a font file lacks; all of them where it cannot be read."""
    return {letter for letter in letters if ord(letter) not in _characters(font)}


@lru_cache(maxsize=_MOST_FONTS)
def _characters(font: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(font)).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()
