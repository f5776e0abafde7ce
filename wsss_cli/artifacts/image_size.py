"""Sizes of images as files record them, which may be anything."""

from math import prod

# The limit at which Pillow suspects a decompression bomb.
_MOST_PIXELS = 178_956_970


# Values of an image's arrays: 20 maps of 13 million pixels, half a gibibyte as they are stored.
_MOST_VALUES = 2**28


def is_holdable(shape: tuple[int, ...], item_bytes: int) -> bool:
    """Whether an array of an image may have this shape; larger ones are never read."""
    return prod(shape) <= _MOST_VALUES and prod(shape) * item_bytes <= 4 * _MOST_VALUES


def is_believable(height: int, width: int) -> bool:
    """Whether an image may have this size; arrays of a size that is not are never made."""
    return 0 < height <= _MOST_PIXELS and 0 < width <= _MOST_PIXELS // height
