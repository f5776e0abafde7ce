"""Manifests: anything in any place, and declarations that would remove what is not ours."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc
from endurance import altered, endures, hostile, snapshot, spoiled
from hypothesis import given
from hypothesis import strategies as st

from wsss_cli.artifacts.stage_directory import Input, StageDirectory
from wsss_cli.cli.show_text import run_text
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.saliency import SaliencyConfig
from wsss_cli.inspect.show.run_contents import summarise
from wsss_cli.stages import inputs
from wsss_cli.stages.erasing import mined_before

READER = "manifests"


def _directory(path: Path) -> StageDirectory:
    return StageDirectory(
        path, "attend", 1, {"size": 2}, {"x": Input(path, "f")}, ("*.h5",), {"data": "d"}
    )


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = _directory(tmp_path_factory.mktemp("good") / "attend")
    with directory.claimed():
        directory.begin()
        directory.complete({"images": 3})
    found: dict[str, Any] = json.loads((directory.path / "manifest.json").read_text())
    return found


def _read(tmp_path: Path, content: bytes) -> None:
    run = tmp_path / "run"
    for stage in ("train", "attend", "saliency", "segment", "proxy"):
        (run / stage).mkdir(parents=True, exist_ok=True)
        (run / stage / "manifest.json").write_bytes(content)
    outside = tmp_path / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "dear.h5").write_bytes(b"dear")
    for read in (
        lambda: run_text(summarise(run)),
        lambda: inputs.saliency_folders(run),
        lambda: inputs.training_settings(run),
        lambda: inputs.find_attention(None, run),
        lambda: inputs.data_if_known(ProxyConfig(run=run)),
        lambda: inputs.find_data(SaliencyConfig(run=run)),
        lambda: mined_before(AttendConfig(run=run)),
        lambda: _directory(run / "attend").state(),
        lambda: _directory(run / "attend").state(overwrite=True),
    ):
        endures(READER, read)
    directory = _directory(run / "attend")
    with directory.claimed():
        endures(READER, lambda: directory.begin(overwrite=True))
    assert (outside / "dear.h5").read_bytes() == b"dear"


def test_anything_in_any_place_is_endured(tmp_path: Path, good: dict[str, Any]) -> None:
    @hostile
    @given(content=altered({**good, "config": {"split": "train"}, "counts": {"images": 3}}))
    def endured(content: Any) -> None:
        _read(tmp_path, json.dumps(content).encode())

    endured()


def test_spoiled_manifest_is_endured(tmp_path: Path, good: dict[str, Any]) -> None:
    @hostile
    @given(content=spoiled(json.dumps(good).encode()) | st.binary(max_size=40))
    def endured(content: bytes) -> None:
        _read(tmp_path, content)

    endured()


@pytest.mark.parametrize("content", [b"[" * 100_000, b"1" * 10_000_000, b'"x"', b"null"])
def test_depth_and_length_are_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, content)


@pytest.mark.parametrize(
    "pattern",
    [
        "../outside/*", "ABSOLUTE", "link/*", "link", "link/../*", "**/*", "sub/../../outside/*",
        "", ".", "..", "*", "[", "\0",
    ],
)  # fmt: skip
def test_overwriting_removes_nothing_elsewhere(
    tmp_path: Path, good: dict[str, Any], pattern: str
) -> None:
    """Whoever sends a run decides what its manifest declares."""
    outside, stage = tmp_path / "outside", tmp_path / "run" / "attend"
    outside.mkdir()
    stage.mkdir(parents=True)
    (outside / "dear.h5").write_bytes(b"dear")
    (stage / "link").symlink_to(outside)
    (stage / "sub").mkdir()
    before = snapshot(outside)
    pattern = f"{outside}/*" if pattern == "ABSOLUTE" else pattern
    manifest = {**good, "fingerprint": "another", "owned": [pattern]}
    (stage / "manifest.json").write_text(json.dumps(manifest))
    directory = _directory(stage)
    with directory.claimed():
        endures(READER, lambda: directory.begin(overwrite=True))
    assert snapshot(outside) == before
    assert (stage / "link").is_symlink()


def test_command_on_a_spoiled_run_is_one_sentence(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    path = run / "attend" / "manifest.json"
    for name in json.loads(path.read_text()):
        content = json.loads((trained / "attend" / "manifest.json").read_text())
        # A count that nobody made is shown as it stands, or missed by name.
        for value in () if name == "counts" else (None, 5, "x", [], {"a": 1}):
            path.write_text(json.dumps({**content, name: value}))
            for command in (
                ["attend", "--run", run, "--size", 64],
                ["proxy", "--run", run, "--rule", "threshold", "--dry-run"],
                ["show", run],
            ):
                outcome = wsss(*command)
                assert outcome.code in (0, 1, 2)
                assert "--debug" not in outcome.err, (command, name, value, outcome.err)
                endures(READER, lambda: None)
