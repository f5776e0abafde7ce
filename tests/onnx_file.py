"""A saliency network of one 1x1 convolution as an ONNX file, written byte by byte.

The format is protocol buffers, of which this needs two wire types; so no test needs the onnx
package.
"""

from pathlib import Path

import numpy as np

FLOAT = 1  # of ONNX's element types


def write_weighted_channels(
    path: Path, weights: tuple[float, float, float], *, maps: int = 1, size: int = 32
) -> Path:
    """Write a network that answers with ``maps`` equal weighted sums of the three channels."""
    kernel = np.tile(np.array(weights, "<f4"), (maps, 1))  # (maps, 3)
    tensor = (
        b"".join(_number(1, side) for side in (maps, 3, 1, 1))
        + _number(2, FLOAT)
        + _bytes(8, b"kernel")
        + _bytes(9, kernel.tobytes())
    )
    node = b"".join(_bytes(1, name) for name in (b"image", b"kernel"))
    node += _bytes(2, b"map") + _bytes(3, b"conv") + _bytes(4, b"Conv")
    graph = _bytes(1, node) + _bytes(2, b"graph") + _bytes(5, tensor)
    graph += _bytes(11, _value(b"image", (1, 3, size, size)))
    graph += _bytes(12, _value(b"map", (1, maps, size, size)))
    model = _number(1, 7) + _bytes(7, graph) + _bytes(8, _number(2, 13))
    path.write_bytes(model)
    return path


def _value(name: bytes, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_bytes(1, _number(1, side)) for side in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, FLOAT) + _bytes(2, dimensions)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
