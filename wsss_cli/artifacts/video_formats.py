"""Formats of videos that are opened, told by their content.

FFmpeg, which OpenCV hands a file to, also knows lists of other files, addresses and devices: a text
that is called ``holiday.mp4`` could make it open whatever the text names.
"""

from pathlib import Path

from wsss_cli.artifacts.plain_file import is_plain

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".3gp"})
# FFmpeg's readers of these formats, by one of the names that each goes by.
DEMUXERS = ("mov", "avi", "matroska")
_LONGEST_HEAD = 12
# Boxes that a film of the MP4 and QuickTime family begins with.
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def is_video(path: Path) -> bool:
    """Whether a file begins as MP4, MOV, AVI, MKV or WebM.

    Raises:
        OSError: It cannot be read.
    """
    if not is_plain(path):
        return False
    with path.open("rb") as file:
        head = file.read(_LONGEST_HEAD)
    if head[4:8] in _BOXES:
        # HEIF pictures are boxes too.
        return head[4:8] != b"ftyp" or head[8:12] not in _STILL_BRANDS
    return head[:4] == b"\x1aE\xdf\xa3" or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")


_STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis", b"hevc")
