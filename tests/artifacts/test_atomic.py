"""Files appear whole or not at all; fingerprints are canonical."""

import errno
import json
import os
from pathlib import Path
from typing import IO

import pytest

from wsss_cli.artifacts.atomic import (
    partial_name,
    write_atomically,
    write_bytes,
    write_json,
    write_together,
)
from wsss_cli.artifacts.fingerprint import file_fingerprint, files_fingerprint, fingerprint
from wsss_cli.errors import WsssError


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _half(error: BaseException) -> object:
    def write(file: IO[bytes]) -> None:
        file.write(b"half")
        file.flush()
        raise error

    return write


def test_content_arrives_whole_in_a_folder_that_is_made(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "c.bin", b"whole")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"whole"
    assert _names(tmp_path / "a" / "b") == ["c.bin"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(1)])
def test_exception_midway_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_atomically(tmp_path / "a.bin", _half(error))
    assert _names(tmp_path) == []


def test_exception_midway_keeps_the_earlier_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"earlier")
    with pytest.raises(ValueError, match="x"):
        write_atomically(tmp_path / "a.bin", _half(ValueError("x")))
    assert (tmp_path / "a.bin").read_bytes() == b"earlier"
    assert _names(tmp_path) == ["a.bin"]


def test_final_name_is_not_there_before_the_content_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    synced: list[tuple[bool, int]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((path.exists(), os.fstat(descriptor).st_size))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_bytes(path, b"12345")
    assert (False, 5) in synced


def test_of_several_files_none_has_its_name_before_all_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {tmp_path / "in" / f"{n}.png": bytes([n]) * (n + 1) for n in range(5)}
    synced: list[tuple[int, int]] = []

    def fsync(descriptor: int) -> None:
        named = sum(path.exists() for path in contents)
        synced.append((named, os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    write_together(contents)
    assert synced == [(0, n + 1) for n in range(5)]
    assert {path: path.read_bytes() for path in contents} == contents
    assert len(_names(tmp_path / "in")) == 5


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_several_files_on_a_full_disk_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    calls = iter(range(9))

    def fsync(descriptor: int) -> None:
        if next(calls) == 2:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(WsssError, match="full"):
        write_together({tmp_path / f"{n}.png": b"x" for n in range(4)})
    assert _names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_a_sentence_that_leaves_nothing(tmp_path: Path, number: int) -> None:
    with pytest.raises(WsssError, match=r"full.*a\.bin"):
        write_atomically(tmp_path / "a.bin", _half(OSError(number, os.strerror(number))))
    assert _names(tmp_path) == []


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WsssError, match=r"a\.bin cannot be written .*; choose another folder"):
        write_bytes(tmp_path / "file" / "a.bin", b"x")


def test_temporary_name_is_hidden_in_the_same_folder_and_the_processs_own(tmp_path: Path) -> None:
    partial = partial_name(tmp_path / "a.png")
    assert partial.parent == tmp_path
    assert partial.name.startswith(".")
    assert str(os.getpid()) in partial.name
    assert partial.suffix != ".png"


def test_json_is_readable_and_ends_with_a_newline(tmp_path: Path) -> None:
    content = {"b": [1, 2.5, None], "ä": "✓"}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(text) == content
    assert text.endswith("}\n")
    assert "✓" in text


def test_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [2, 3]}) == fingerprint({"b": [2, 3], "a": 1})
    assert fingerprint({"a": 1, "b": [2, 3]}) != fingerprint({"a": 1, "b": [3, 2]})
    assert fingerprint(1) != fingerprint("1")


def test_fingerprint_of_known_content_is_its_sha256(tmp_path: Path) -> None:
    # SHA-256 of "abc", from FIPS 180-2, appendix B.1.
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_fingerprint(tmp_path / "a") == expected


def test_fingerprint_of_a_listing_sees_names_and_sizes_not_places(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a").write_bytes(b"abc")
    one, two = (files_fingerprint([tmp_path / folder / "a"]) for folder in ("one", "two"))
    assert one == two
    (tmp_path / "two" / "a").write_bytes(b"abcd")
    assert files_fingerprint([tmp_path / "two" / "a"]) != one
