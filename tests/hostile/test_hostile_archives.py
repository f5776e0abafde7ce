"""Archives for VOC's server: names that lead out, inflating headers, spoiled bytes."""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from endurance import GIB, ODD_NAMES, endures, hostile, spoiled
from hypothesis import given
from hypothesis import strategies as st
from test_hostile_pictures import png

from wsss_cli.artifacts.submission import FOLDER, read_submission
from wsss_cli.inspect.submission import _offenders

READER = "archives"


def _archive(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _entry(name: str, content: bytes, **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for key, value in changes.items():
        setattr(entry, key, value)
    return entry, content


GOOD = _archive(_entry(f"{FOLDER}/a.png", png(2, 2, b"\0" * 6)))


def _read(tmp_path: Path, content: bytes, memory: int = GIB) -> Any:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(content)
    endures(READER, lambda: list(read_submission(path)), memory=memory)
    return endures(READER, lambda: _offenders(path, {"a": (2, 2)}, 5), memory=memory)


def test_good_one_is_read(tmp_path: Path) -> None:
    assert not any(_read(tmp_path, GOOD).values())


@pytest.mark.parametrize("name", [n for n in ODD_NAMES if n and "\0" not in n and n != "\ud800"])
def test_odd_names_are_named(tmp_path: Path, name: str) -> None:
    found = _read(tmp_path, _archive(_entry(name, b"x")))
    assert any(found.values())
    assert list(tmp_path.iterdir()) == [tmp_path / "a.tar.gz"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_not_followed(tmp_path: Path, kind: bytes) -> None:
    entry = _entry(f"{FOLDER}/a.png", b"", type=kind, linkname="/etc/passwd")
    found = _read(tmp_path, _archive(entry))
    assert any("no plain files" in what for what in found)


def _zeros(header: bytes, count: int) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as packed:
        packed.write(header)
        for _ in range(count // 2**22):
            packed.write(b"\0" * 2**22)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_headers_that_inflate_are_refused(tmp_path: Path, kind: bytes) -> None:
    """A long name may be as long as its header says, and is read at once."""
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, 2**29 - 2**22
    content = _zeros(entry.tobuf(tarfile.GNU_FORMAT), 2**29)
    assert len(content) < 2**23
    assert _read(tmp_path, content) is None


def test_entry_that_inflates_is_named(tmp_path: Path) -> None:
    entry = tarfile.TarInfo(f"{FOLDER}/a.png")
    entry.size = 2**28 + 2**22
    content = _zeros(entry.tobuf(), 2**28 + 2**22)
    found = _read(tmp_path, content + gzip.compress(b"\0" * 1024))
    assert any("far too large" in what for what in found)


@hostile
@given(content=spoiled(GOOD) | st.binary(max_size=60))
def test_spoiled_archives_are_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, content)


@hostile
@given(content=spoiled(gzip.decompress(GOOD)[:2048]))
def test_spoiled_entries_are_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, gzip.compress(content, 1))
