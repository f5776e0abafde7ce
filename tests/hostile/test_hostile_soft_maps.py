"""Folders of numpy arrays: pickles, lying headers, inflating archives."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endurance import endures, hostile, spoiled
from hypothesis import given
from hypothesis import strategies as st
from test_hostile_checkpoints import Runs

from wsss_cli.artifacts.soft_map_folder import SoftMapFolder

READER = "numpy soft maps"
MAPS = np.full((4, 3, 5), 0.25, np.float32)


def _saved(array: Any, *, packed: bool = False, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, array) if packed else np.save(buffer, array, **options)
    return buffer.getvalue()


def _read(tmp_path: Path, content: bytes, suffix: str = ".npy") -> Any:
    folder = tmp_path / f"maps{suffix}"
    folder.mkdir(exist_ok=True)
    (folder / f"a{suffix}").write_bytes(content)
    return [
        endures(READER, lambda said=said: SoftMapFolder(folder, 4, logits=said).read("a"))
        for said in (False, True)
    ]


def _header(text: str, version: int = 1) -> bytes:
    body = text.encode("latin1") + b"\n"
    length = len(body).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + body


def test_good_ones_are_read(tmp_path: Path) -> None:
    assert _read(tmp_path, _saved(MAPS))[0] is not None
    assert _read(tmp_path, _saved(MAPS, packed=True), ".npz")[0] is not None


def test_pickles_are_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    array = np.array([Runs(made)], object)
    for content in (_saved(array, allow_pickle=True), pickle.dumps(Runs(made))):
        assert _read(tmp_path, content) == [None, None]
        assert _read(tmp_path, content, ".npz") == [None, None]
    assert not made.exists()


@pytest.mark.parametrize(
    "content",
    [
        _header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1000000, 1000000), }"),
        _header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 30000, 30000), }"),
        _header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, -1, 5), }"),
        _header("{'descr': '<f4', 'fortran_order': False, 'shape': (2**70, 4, 5), }"),
        _header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 60 + ", 4, 5), }"),
        _header("{'descr': '|O', 'fortran_order': False, 'shape': (4, 3, 5), }"),
        _header(
            "{'descr': [('a', '<f4', (10000, 10000))], 'fortran_order': False, 'shape': (4, 3, 5)}"
        ),
        _header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3, 5)"),
        _header("(" * 200),
        _header("(" * 5000),
        _header("'''"),
        _header("{'a': 1L}"),
        _header("\x00"),
        _header("__import__('os').mkdir('made')"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        b"\x93NUMPY\x09\x00",
        b"PK\x03\x04",
        b"",
    ],
)
def test_these_are_refused(tmp_path: Path, content: bytes) -> None:
    assert _read(tmp_path, content) == [None, None]
    assert not (tmp_path / "made").exists()


def test_archive_that_inflates_is_refused(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped,
        zipped.open("a.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(_header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 8448, 8192), }"))
        for _ in range(264):
            entry.write(b"\0" * 2**22)
    assert len(archive.getvalue()) < 2**23
    assert _read(tmp_path, archive.getvalue(), ".npz") == [None, None]


@hostile
@given(
    content=spoiled(_saved(MAPS))
    | spoiled(_saved(MAPS.astype(np.float16)))
    | st.binary(max_size=40)
)
def test_spoiled_arrays_are_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, content)


@hostile
@given(content=spoiled(_saved(MAPS, packed=True)))
def test_spoiled_archives_are_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, content, ".npz")


@hostile
@given(text=st.text("{}()[]',:<f4 shapedcrtn_oLFT0123456789#\\\"\n", max_size=40))
def test_any_header_is_endured(tmp_path: Path, text: str) -> None:
    _read(tmp_path, _header(text))
