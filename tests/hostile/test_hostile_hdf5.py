"""Attention and score files: links and data that lead elsewhere, wrong types, huge shapes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from endurance import ODD_NAMES, endures, hostile
from hypothesis import given
from hypothesis import strategies as st

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.score_file import ScoreFile

SECRET = "secret.bin"


def _read(path: Path, kind: type[AttentionFile] | type[ScoreFile]) -> list[Any] | None:
    reader = "HDF5 attention" if kind is AttentionFile else "HDF5 scores"

    def every() -> list[Any]:
        with kind(path) as file:
            file.fingerprint()
            return [file.read(image_id) for image_id in file.image_ids]

    return endures(reader, every)


def _read_both(path: Path) -> tuple[list[Any] | None, list[Any] | None]:
    return _read(path, AttentionFile), _read(path, ScoreFile)


def _good(file: h5py.File, name: str = "a") -> h5py.Group:
    group = file.create_group(name)
    group["maps"] = np.full((2, 4, 5), 0.5, np.float16)
    group["class_ids"] = np.array([1, 3], np.uint8)
    group["scores"] = np.full((4, 4, 5), -1, np.float16)
    group.attrs["height"], group.attrs["width"] = 4, 5
    return group


def test_good_one_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        _good(file)
    attention, scores = _read_both(tmp_path / "a.h5")
    assert attention is not None
    assert scores is not None


def _external_data(group: h5py.Group, name: str, outside: Path) -> None:
    """The bytes of another file as pixels."""
    group.create_dataset(name, (2, 4, 5), "<f2", external=[(str(outside / SECRET), 0, 80)])


def _virtual_data(group: h5py.Group, name: str, outside: Path) -> None:
    with h5py.File(outside / "other.h5", "w") as other:
        other["x"] = np.full((2, 4, 5), 0.25, np.float16)
    layout = h5py.VirtualLayout((2, 4, 5), np.float16)
    layout[:] = h5py.VirtualSource(str(outside / "other.h5"), "x", (2, 4, 5))
    group.create_virtual_dataset(name, layout)


def _external_link(group: h5py.Group, name: str, outside: Path) -> None:
    with h5py.File(outside / "other.h5", "w") as other:
        other["x"] = np.full((2, 4, 5), 0.25, np.float16)
    group[name] = h5py.ExternalLink(str(outside / "other.h5"), "/x")


def _soft_link(group: h5py.Group, name: str, outside: Path) -> None:
    del outside
    group[name] = h5py.SoftLink("/b/maps")


@pytest.mark.parametrize("lead", [_external_data, _virtual_data, _external_link, _soft_link])
@pytest.mark.parametrize("name", ["maps", "scores", "class_ids", "logits"])
def test_data_that_lies_elsewhere_is_refused(
    tmp_path: Path, lead: Callable[[h5py.Group, str, Path], None], name: str
) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / SECRET).write_bytes(np.full(40, 0.25, "<f2").tobytes())
    with h5py.File(inside / "a.h5", "w") as file:
        group = _good(file)
        if name in group:
            del group[name]
        lead(group, name, outside)
    assert _read(inside / "a.h5", ScoreFile if name == "scores" else AttentionFile) is None


@pytest.mark.parametrize(
    "target", ["../outside/other.h5", "ABSOLUTE", "shards/../../outside/other.h5"]
)
def test_link_out_of_the_folder_is_refused(tmp_path: Path, target: str) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    (inside / "shards").mkdir(parents=True)
    outside.mkdir()
    with h5py.File(outside / "other.h5", "w") as file:
        _good(file)
    target = str(outside / "other.h5") if target == "ABSOLUTE" else target
    with h5py.File(inside / "attention.h5", "w") as file:
        file["a"] = h5py.ExternalLink(target, "/a")
    assert _read_both(inside / "attention.h5") == (None, None)


def test_link_to_a_shard_that_links_on_is_refused(tmp_path: Path) -> None:
    """Each file's links may look harmless; where the group was found in the end is what counts."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    with h5py.File(outside / "other.h5", "w") as file:
        _good(file)
    with h5py.File(inside / "shard.h5", "w") as file:
        file["a"] = h5py.ExternalLink(str(outside / "other.h5"), "/a")
    with h5py.File(inside / "attention.h5", "w") as file:
        file["a"] = h5py.ExternalLink("shard.h5", "/a")
    assert _read_both(inside / "attention.h5") == (None, None)


@pytest.mark.parametrize(
    "link", [h5py.SoftLink("/a"), h5py.SoftLink("/nowhere"), h5py.SoftLink("/")]
)
def test_links_in_circles_are_refused(tmp_path: Path, link: h5py.SoftLink) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = link
    assert _read_both(tmp_path / "a.h5") == (None, None)


HUGE = [(1, 2**30, 2**30), (254, 2**14, 2**14), (2**40, 1, 1), (1, 0, 5), (2, 2**31, 3)]


@pytest.mark.parametrize("shape", HUGE)
@pytest.mark.parametrize("name", ["maps", "scores", "class_ids", "logits"])
def test_declared_shapes_are_not_believed(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    """A chunked array of any size without a single chunk takes a few bytes."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = _good(file)
        group.attrs["height"], group.attrs["width"] = 2**14, 2**13
        if name in group:
            del group[name]
        whole = tuple(min(side, 64) for side in shape)
        kind = np.int64 if name == "class_ids" else np.float32
        flat = shape if name in ("maps", "scores") else (shape[0] * max(1, shape[1]),)
        chunks = whole if len(flat) == 3 else (1,)
        group.create_dataset(name, flat, kind, chunks=chunks if 0 not in flat else None)
    assert (tmp_path / "a.h5").stat().st_size < 2**20
    assert _read(tmp_path / "a.h5", ScoreFile if name == "scores" else AttentionFile) is None


@pytest.mark.parametrize(
    "name", [n for n in ODD_NAMES if n not in ("", ".", "a\0b") and n[0] not in "/\ud800"]
)
def test_any_name_is_endured(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        _good(file, name)
    _read_both(tmp_path / "a.h5")


_arrays = st.one_of(
    st.tuples(
        st.sampled_from(("f2", "f4", "f8", "i1", "u8", "?", "c16", "S3", "V4", "U3")),
        st.lists(st.integers(0, 3), max_size=4),
        st.sampled_from((0, 0.5, 1, -1, 2, np.nan, np.inf, -np.inf)),
    )
)


def _array(given: tuple[str, list[int], float]) -> Any:
    kind, shape, value = given
    if kind in ("S3", "U3"):
        return np.full(shape, b"abc", "S3")
    if kind == "V4":
        return np.zeros(shape, [("x", "f4")])
    with np.errstate(invalid="ignore"):
        return np.full(shape, value).astype(kind)


_attribute = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=4).filter(lambda text: "\0" not in text),
    st.lists(st.integers(0, 5), max_size=3),
    st.binary(min_size=1, max_size=4).map(np.void),
)


@hostile
@given(
    parts=st.dictionaries(
        st.sampled_from(("maps", "class_ids", "logits", "scores", "height", "class_names")),
        _arrays,
        max_size=5,
    ),
    attributes=st.dictionaries(st.sampled_from(("height", "width", "schema")), _attribute),
    of_file=st.dictionaries(st.sampled_from(("schema", "class_names")), _attribute),
    bare=st.booleans(),
)
def test_any_types_and_shapes_are_endured(
    tmp_path: Path,
    parts: dict[str, Any],
    attributes: dict[str, Any],
    of_file: dict[str, Any],
    bare: bool,
) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(of_file)
        if bare:
            file["a"] = _array(("f4", [2, 2], 0.5))
        else:
            group = _good(file)
            for name, given_array in parts.items():
                if name in group:
                    del group[name]
                group[name] = _array(given_array)
            group.attrs.update(attributes)
        _good(file, "b")
    _read_both(path)
