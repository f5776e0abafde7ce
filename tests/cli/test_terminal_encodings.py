"""Names that a terminal cannot show end no command, and neither do bytes that are no text."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Command, clean_environment, script
from pixels_drawn import labelled, mask

from wsss_cli.artifacts.atomic import read_json, write_json
from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.cli.terminal import escape_what_cannot_be_shown

NAMES = {"a": "\u732b", "b": "ma\u00df", "c": ""}


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "cp1252"}, {"LANG": "C", "LC_ALL": "C"}],
    ids=["cp1252", "LANG=C"],
)
def test_names_are_escaped_where_the_terminal_lacks_them(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    data = labelled(root / "data", NAMES, {i: mask(1) for i in NAMES if i == "b"})
    done = subprocess.run(
        [script(), "data", "check", str(data)],
        capture_output=True,
        env=clean_environment(environment),
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"Error" not in done.stderr
    assert rb"caf\udce9" in done.stdout or b"caf\xe9" in done.stdout
    assert rb"\u732b" in done.stdout or "\u732b".encode() in done.stdout


def test_chain_in_a_folder_whose_name_is_no_text(wsss: Command, tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    data = labelled(root / "data", NAMES)
    trained = wsss(
        *("train", "--data", data, "--run", root / "run", "--backbone", "tiny"),
        *("--iterations", "1", "--batch-size", "2", "--crop", "32", "--json"),
    )
    assert trained.code == 0, trained.err
    assert Path(trained.values["directory"]) == root / "run" / "train"
    assert wsss("attend", "--run", root / "run", "--size", "32").code == 0
    shown = wsss("show", "--run", root / "run", "--json")
    assert shown.code == 0, shown.err


def test_json_keeps_names_that_are_no_text(tmp_path: Path) -> None:
    content = {"data": "caf\udce9", "class_names": ["\u732b"]}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content
    assert len(fingerprint(content)) == 64


def test_streams_of_a_host_program_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    escape_what_cannot_be_shown()
    print("\u732b", flush=True)
    assert narrow.buffer.getvalue() == b"\\u732b\n"  # type: ignore[attr-defined]
