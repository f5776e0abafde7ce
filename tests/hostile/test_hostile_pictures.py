"""Photographs, saliency maps and label maps: bombs, other formats, spoiled bytes."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endurance import GIB, endures, hostile, spoiled
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wsss_cli.artifacts.label_png import odd_label_map, read_label_map
from wsss_cli.data.images import check_images, read_header, read_image, read_saliency

READERS = {
    "photographs": read_image,
    "saliency maps": read_saliency,
    "picture headers": read_header,
    "check of pictures": lambda path: check_images([path]),
    "label maps": read_label_map,
    "label maps of archives": lambda path: odd_label_map(path.read_bytes(), (9, 12), 5),
}


def _good(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 12, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


GOOD = {
    "JPEG": _good("JPEG"),
    "progressive JPEG": _good("JPEG", progressive=True),
    "JPEG in CMYK": _good("JPEG", "CMYK"),
    "PNG": _good("PNG"),
    "palette PNG": _good("PNG", "P"),
    "grey PNG": _good("PNG", "L"),
    "16-bit PNG": _good("PNG", "I;16"),
    "WebP": _good("WEBP"),
    "BMP": _good("BMP"),
    "TIFF": _good("TIFF", compression="tiff_lzw"),
    "TIFF in JPEG": _good("TIFF", compression="jpeg"),
}


def _read_by_all(tmp_path: Path, content: bytes, memory: int = GIB) -> dict[str, Any]:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    return {
        name: endures(name, lambda read=read: read(path), memory=memory)
        for name, read in READERS.items()
    }


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, rows: bytes, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), *chunks, _chunk(b"IDAT", zlib.compress(rows, 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + _chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", GOOD)
def test_good_ones_are_read(tmp_path: Path, kind: str) -> None:
    found = _read_by_all(tmp_path, GOOD[kind])
    assert found["photographs"].shape == (9, 12, 3)
    assert found["saliency maps"].shape == (9, 12)


# Made by the test that reads it: packing hundreds of megabytes takes a second.
BOMBS = {
    "declares 3.6 thousand million pixels": lambda: png(60_000, 60_000, b"\0" * 100),
    "declares more than there are numbers": lambda: png(2**31 - 1, 2**31 - 1, b""),
    "no pixel": lambda: png(0, 5, b""),
    "a chunk of four gigabytes": lambda: png(2, 2, b"\0" * 14)[:-12] + b"\xff\xff\xff\xffIDAT",
    "a comment of 200 MB in 200 KB": lambda: png(2, 2, b"\0" * 6, _inflating(b"zTXt")),
    "a colour profile of 200 MB in 200 KB": lambda: png(2, 2, b"\0" * 6, _inflating(b"iCCP")),
    "pixels of 300 MB for 100": lambda: png(10, 10, b"\0" * 300_000_000),
}


def _inflating(kind: bytes) -> bytes:
    return _chunk(kind, b"a\0\0" + zlib.compress(b"\0" * 200_000_000, 9))


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_endured(tmp_path: Path, bomb: str) -> None:
    content = BOMBS[bomb]()
    assert len(content) < 2**20
    _read_by_all(tmp_path, content)


def test_postscript_under_the_name_of_a_photograph_is_not_run(tmp_path: Path) -> None:
    """Pillow would hand it to Ghostscript, a language that can write files."""
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with Image.open(path) as image:
        assert image.format == "EPS"
    found = _read_by_all(tmp_path, content)
    assert all(found[name] is None for name in READERS if name != "label maps of archives")


@pytest.mark.parametrize("kind", ["GIF", "PCX", "TGA", "ICO", "SGI", "IM", "MSP"])
def test_formats_that_no_data_set_has_are_refused(tmp_path: Path, kind: str) -> None:
    mode = "1" if kind == "MSP" else "RGB"
    path = tmp_path / "a.jpg"
    path.write_bytes(_good(kind, mode))
    assert endures("photographs", lambda: read_image(path)) is None


@pytest.mark.parametrize("kind", GOOD)
def test_spoiled_pictures_are_endured(tmp_path: Path, kind: str) -> None:
    @hostile
    @given(content=spoiled(GOOD[kind]))
    def endured(content: bytes) -> None:
        _read_by_all(tmp_path, content)

    endured()


@hostile
@given(content=st.binary(max_size=100))
def test_any_bytes_are_endured(tmp_path: Path, content: bytes) -> None:
    _read_by_all(tmp_path, content)


def test_empty_file_and_folder_are_refused(tmp_path: Path) -> None:
    assert _read_by_all(tmp_path, b"")["photographs"] is None
    for name, read in READERS.items():
        if name != "label maps of archives":
            assert endures(name, lambda read=read: read(tmp_path)) is None
