"""Checkpoints and weights: nothing runs, and what does not fit is said."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from endurance import endures, hostile, json_values, spoiled
from hypothesis import given
from hypothesis import strategies as st

from wsss_cli.artifacts.checkpoint import FORMAT, read_checkpoint
from wsss_cli.methods.network_file import load_network
from wsss_cli.models.pretrained import initial_weights
from wsss_cli.stages.segment import network_file
from wsss_cli.tracking import Silent

READER = "checkpoints"


class Runs:
    """What a pickle may do when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def good(trained: Path) -> dict[str, Any]:
    return read_checkpoint(trained / "train" / "checkpoint.pt", "attention")


def _saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _read(tmp_path: Path, content: bytes) -> list[Any]:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    return [
        endures(READER, lambda: load_network(path)),
        endures(READER, lambda: network_file.load_network(path)),
        endures(READER, lambda: initial_weights(str(path), "tiny", Silent())),
    ]


def test_good_one_is_read(tmp_path: Path, good: dict[str, Any]) -> None:
    attention, segmentation, weights = _read(tmp_path, _saved(good))
    assert attention is not None
    assert segmentation is None
    assert weights is not None


def test_pickles_are_not_run(tmp_path: Path, good: dict[str, Any]) -> None:
    made = tmp_path / "made"
    inside = {**good, "class_names": Runs(made)}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a/data.pkl", pickle.dumps(Runs(made)))
        zipped.writestr("a/version", "3")
    for content in (pickle.dumps(Runs(made)), _saved(inside), archive.getvalue()):
        assert _read(tmp_path, content) == [None, None, None]
    assert not made.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"head_channels": 10**9, "lr_steps": [1]}},
        {"config": {"head_channels": 2**70, "lr_steps": [1]}},
        {"class_names": ["x"] * 10**5},
        {"class_names": "abc"},
        {"class_names": 5},
        {"config": {"method": "../x", "lr_steps": [1]}},
        {"config": {"backbone": "no", "lr_steps": [1]}},
        {"config": {"lr_steps": 5}},
        {"config": None},
        {"network": {}},
        {"network": None},
        {"network": {"head_a.score.weight": torch.zeros(1).expand(10**12)}},
        {"model": "../x"},
        {"kind": torch.zeros(3)},
        {"format": torch.zeros(3)},
    ],
)
def test_content_that_does_not_fit_is_refused(
    tmp_path: Path, good: dict[str, Any], changes: dict[str, Any]
) -> None:
    config = {**good["config"], **changes["config"]} if changes.get("config") else None
    content = {**good, **changes, **({"config": config} if config else {})}
    if "model" not in changes:
        assert _read(tmp_path, _saved(content))[0] is None
    content = {**content, "kind": changes.get("kind", "segmentation"), "model": "tiny", **changes}
    assert _read(tmp_path, _saved(content))[1] is None


@hostile
@given(
    changes=st.dictionaries(
        st.sampled_from(("config", "class_names", "network", "kind", "model", "format")),
        json_values | st.just(torch.zeros(2)),
        min_size=1,
    ),
    kind=st.sampled_from(("attention", "segmentation")),
)
def test_any_content_is_endured(
    tmp_path: Path, good: dict[str, Any], changes: dict[str, Any], kind: str
) -> None:
    _read(tmp_path, _saved({**good, "kind": kind, "model": "tiny", **changes}))


@hostile
@given(
    name=st.sampled_from(("lr", "head_channels", "crop", "method", "delta_low", "seed", "run")),
    value=json_values,
)
def test_any_settings_are_endured(
    tmp_path: Path, good: dict[str, Any], name: str, value: Any
) -> None:
    _read(tmp_path, _saved({**good, "config": {**good["config"], name: value}}))


def test_spoiled_files_are_endured(tmp_path: Path) -> None:
    small = _saved({"format": FORMAT, "kind": "attention", "network": {"a": torch.ones(3)}})

    @hostile
    @given(content=spoiled(small) | st.binary(max_size=60))
    def endured(content: bytes) -> None:
        _read(tmp_path, content)

    endured()


def test_archive_that_inflates_is_endured(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a/data.pkl", b"\0" * 2**27)
        zipped.writestr("a/version", "3")
    assert _read(tmp_path, archive.getvalue()) == [None, None, None]
