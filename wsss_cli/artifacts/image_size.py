"""Sizes of images as files record them, which may be anything."""

# The limit at which Pillow suspects a decompression bomb.
_MOST_PIXELS = 178_956_970


def is_believable(height: int, width: int) -> bool:
    """Whether an image may have this size; arrays of a size that is not are never made."""
    return 0 < height <= _MOST_PIXELS and 0 < width <= _MOST_PIXELS // height
