"""Chunks of HDF5 arrays, looked at before the HDF5 library reads them.

Arrays of other tools may be stored in pieces that went through filters. HDF5 2.0 takes the bytes of
a checksum off any piece, and reads far beyond one that has fewer; and it inflates whatever deflate
makes of a piece, however large the piece should be.
"""

import zlib
from math import prod

import h5py

from wsss_cli.artifacts.image_size import is_holdable

_CHECKSUM_BYTES = 4
# Deflate makes at most 1032 bytes of one (zlib's technical notes), so this many become 256 MiB.
_HARMLESS_BYTES = 2**18


def require_readable(array: h5py.Dataset) -> None:
    """Refuse an array in pieces that the library should not read.

    Raises:
        ValueError: A piece is too large, shorter than its checksum, does not inflate to what it
            should be, or went through the filters in an order that nobody uses.
    """
    if array.chunks is None:
        return
    if not is_holdable(array.chunks, array.dtype.itemsize):
        raise ValueError(f"{array.name} has chunks of the shape {array.chunks}, which is too large")
    stored: list[h5py.h5d.StoreInfo] = []
    array.id.chunk_iter(stored.append)
    if array.fletcher32 and any(chunk.size < _CHECKSUM_BYTES for chunk in stored):
        raise ValueError(f"{array.name} has a chunk that is shorter than its checksum")
    plan = array.id.get_create_plist()
    filters = [plan.get_filter(place)[0] for place in range(plan.get_nfilters())]
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
