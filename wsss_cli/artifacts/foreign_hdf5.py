"""Checks HDF5 files from elsewhere for what the HDF5 library must not be given.

:func:`require_readable` is asked before an attribute or an array is read. HDF5 2.0 can be led
astray in three ways, and nothing interrupts it:

- Strings of any length lie apart from their attribute, in collections: a head, then objects one
  after another, each with its length, and what is left over as object 0 (HDF5 File Format
  Specification 3.0, III.E "Disk Format: Level 1E - Global Heap"). The library walks through a
  collection before it takes a string out, and an object 0 of length 0 keeps it there for ever.
- It takes the bytes of a checksum off any chunk, and reads far beyond one that has fewer.
- It inflates whatever deflate makes of a chunk, however large the chunk should be.
"""

import mmap
import zlib
from functools import lru_cache
from math import prod
from pathlib import Path

import h5py

from wsss_cli.artifacts.image_size import is_holdable

_MOST_BYTES = 2**20  # names of 254 classes are a hundredth of it
_HEAD = b"GCOL\x01"  # signature and version of a collection
_HEAD_BYTES = 16
_OBJECT_BYTES = 16  # number (2), references (2), nothing (4), length (8)
_WORD = 2**64
_CHECKSUM_BYTES = 4
# Deflate makes at most 1032 bytes of one (zlib's technical notes), so this many become 256 MiB.
_HARMLESS_BYTES = 2**18


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 files do."""
    return bool(h5py.is_hdf5(path))


def require_readable(member: h5py.Group | h5py.Dataset, attribute: str | None = None) -> None:
    """Refuse what the library should not read: an attribute of a member, else an array itself.

    Args:
        member: A file, a group or an array.
        attribute: Name of an attribute, which need not be there; None asks for the array.

    Raises:
        ValueError: An attribute is too large or of another kind, or its strings cannot be reached;
            of an array a piece is too large, shorter than its checksum, does not inflate to what it
            should be, or went through the filters in an order that nobody uses. h5py has more to
            raise.
    """
    if attribute is None:
        _require_whole_pieces(member)
    elif attribute in member.attrs:
        _require_small_attribute(member, attribute)


def _require_small_attribute(owner: h5py.Group | h5py.Dataset, name: str) -> None:
    declared = owner.attrs.get_id(name)
    if prod(declared.shape) * declared.dtype.itemsize > _MOST_BYTES:
        raise ValueError(f"its {name} has the shape {declared.shape}, which is too large")
    if declared.dtype.hasobject:
        if h5py.check_string_dtype(declared.dtype) is None:  # reading others crashes HDF5 2.0
            raise ValueError(f"its {name} is neither number nor text")
        _require_walkable(owner.file)


def _require_walkable(file: h5py.File) -> None:
    """Refuse a file whose collections of strings have no end.

    Raises:
        ValueError: Such is one, or its lengths are not of 8 bytes.
    """
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise ValueError("its addresses and lengths are not of 8 bytes")
    if _has_endless(file.filename, h5py.h5o.get_info(file.id).fileno):
        raise ValueError("a collection of strings in it has no end")


@lru_cache
def _has_endless(path: str, opening: int) -> bool:
    """Whether any collection has no end; looked at once, for the file may be large.

    Args:
        path: The file.
        opening: Number that the library gives to every opening of a file.
    """
    del opening
    with (
        Path(path).open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        start = content.find(_HEAD)
        while start >= 0:
            if _is_endless(content, start):
                return True
            start = content.find(_HEAD, start + 1)
    return False


def _is_endless(content: mmap.mmap, start: int) -> bool:
    """Whether the library's way through the collection at ``start`` comes to a stand."""
    end = start + int.from_bytes(content[start + 8 : start + _HEAD_BYTES], "little")
    at = start + _HEAD_BYTES
    while at + _OBJECT_BYTES <= min(end, len(content)):
        number = int.from_bytes(content[at : at + 2], "little")
        length = int.from_bytes(content[at + 8 : at + _OBJECT_BYTES], "little")
        padded = _OBJECT_BYTES + (length + 7) // 8 * 8
        step = (padded if number else length) % _WORD
        if step == 0:
            return True
        at += step
    return False


def _require_whole_pieces(array: h5py.Dataset) -> None:
    if array.chunks is None:
        return
    if not is_holdable(array.chunks, array.dtype.itemsize):
        raise ValueError(f"{array.name} has chunks of the shape {array.chunks}, which is too large")
    stored: list[h5py.h5d.StoreInfo] = []
    array.id.chunk_iter(stored.append)
    if array.fletcher32 and any(chunk.size < _CHECKSUM_BYTES for chunk in stored):
        raise ValueError(f"{array.name} has a chunk that is shorter than its checksum")
    plan = array.id.get_create_plist()
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    if h5py.h5z.FILTER_DEFLATE not in filters:
        return
    deflate = filters.index(h5py.h5z.FILTER_DEFLATE)
    if any(number != h5py.h5z.FILTER_FLETCHER32 for number in filters[deflate + 1 :]):
        raise ValueError(f"{array.name} is filtered further after deflate")
    for chunk in stored:
        left_out = chunk.filter_mask >> deflate & 1
        if chunk.size > _HARMLESS_BYTES and not left_out:
            _, content = array.id.read_direct_chunk(chunk.chunk_offset)
            if _is_longer_inflated(content, prod(array.chunks) * array.dtype.itemsize):
                raise ValueError(f"{array.name} has a chunk that inflates to more than it holds")


def _is_longer_inflated(content: bytes, length: int) -> bool:
    """Whether deflated bytes become more than ``length``.

    Raises:
        ValueError: They cannot be inflated.
    """
    unpacked = zlib.decompressobj()
    try:
        unpacked.decompress(content, length)
        return bool(unpacked.decompress(unpacked.unconsumed_tail, 1))
    except zlib.error as error:
        raise ValueError(f"a chunk cannot be inflated: {error}") from error
