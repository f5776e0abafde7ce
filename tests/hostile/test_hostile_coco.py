"""COCO's JSON: wrong types anywhere, names that lead elsewhere, regions without end."""

import json
from pathlib import Path
from typing import Any

import pytest
from endurance import altered, endures, hostile, json_values, spoiled
from hypothesis import given
from hypothesis import strategies as st
from test_hostile_tables import pictures, use

from wsss_cli.data.coco_regions import region_mask
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import WsssError

READER = "COCO JSON"
GOOD: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "height": 4, "width": 5},
        {"id": 2, "file_name": "c/d.png", "height": 4, "width": 5},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 7, "iscrowd": 0,
         "segmentation": [[0, 0, 4, 0, 4, 3]]},
        {"id": 2, "image_id": 2, "category_id": 9, "iscrowd": 1,
         "segmentation": {"size": [4, 5], "counts": [3, 4, 13]}},
        {"id": 3, "image_id": 2, "category_id": 9, "iscrowd": 0,
         "segmentation": {"size": [4, 5], "counts": "3d0="}},
    ],
    "categories": [{"id": 7, "name": "dog"}, {"id": 9, "name": "cat"}],
}  # fmt: skip


def _read(tmp_path: Path, content: bytes) -> Any:
    folder = pictures(tmp_path / "data")
    path = folder / "annotations.json"
    path.write_bytes(content)
    return endures(READER, lambda: use(find_data_set(path), folder) or "read")


@hostile
@given(content=altered(GOOD))
def test_anything_in_any_place_is_endured(tmp_path: Path, content: Any) -> None:
    _read(tmp_path, json.dumps(content).encode())


@hostile
@given(content=spoiled(json.dumps(GOOD).encode()) | st.binary(max_size=60))
def test_spoiled_json_is_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, content)


def _with(**image: Any) -> bytes:
    first = {**GOOD["images"][0], **image}
    return json.dumps({**GOOD, "images": [first, GOOD["images"][1]]}).encode()


def _regions(region: Any) -> bytes:
    first = {**GOOD["annotations"][0], "segmentation": region}
    return json.dumps({**GOOD, "annotations": [first, *GOOD["annotations"][1:]]}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000_000,
        b'{"images": 1' + b"0" * 5000 + b"}",
        _with(height=10**9, width=10**9),
        _with(height=True, width=True),
        _with(file_name="../../etc/passwd"),
        _with(file_name="/etc/passwd"),
        _with(file_name="a\0.jpg"),
        _with(file_name="x" * 5000),
        _with(file_name=""),
        _with(id=[1]),
        _with(id=1.5),
    ],
)
def test_these_are_refused(tmp_path: Path, content: bytes) -> None:
    assert _read(tmp_path, content) is None


@pytest.mark.parametrize(
    "content",
    [
        _regions([[float("nan")] * 6]),
        _regions([[1e308, -1e308, 1e308, 1e308, -1e308, 1e308]]),
        _regions([[0, -(10**400), 4, 10**400, 4, 3]]),
        _regions({"size": [4, 5], "counts": [2**62, 2**62, 20]}),
        _regions({"size": [4, 5], "counts": [2**63 - 1, 1, 20]}),
        _regions({"size": [4, 5], "counts": "~" * 20}),
        _regions({"size": [4, 5], "counts": {"a": 1}}),
        _regions("polygons"),
        _regions(None),
        _regions({"size": 5, "counts": []}),
    ],
)
def test_region_that_cannot_be_drawn_makes_no_mask(tmp_path: Path, content: bytes) -> None:
    assert _read(tmp_path, content) == "read"
    table = find_data_set(tmp_path / "data" / "annotations.json")
    assert table.true_label_map("a") is None
    assert "region" in table.about_masks()[0]


@hostile
@given(
    region=json_values
    | st.fixed_dictionaries(
        {
            "size": st.just([4, 5]),
            "counts": json_values
            | st.text(max_size=12)
            | st.lists(st.integers(-3, 2**64), max_size=6),
        }
    )
    | st.lists(st.lists(st.floats() | st.integers(-(2**70), 2**70), max_size=9), max_size=2)
)
def test_any_region_is_drawn_or_refused(region: Any) -> None:
    def draw() -> None:
        try:
            region_mask(region, 4, 5)
        except (KeyError, TypeError, ValueError, OverflowError) as error:  # as its caller does
            raise WsssError("no region") from error

    endures("COCO regions", draw)
