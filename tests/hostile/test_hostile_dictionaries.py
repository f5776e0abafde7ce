"""Pickled dictionaries of other tools' maps: hostile pickles, lying arrays, spoiled bytes."""

import io
import os
import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from endurance import endures, hostile, spoiled
from hypothesis import given
from hypothesis import strategies as st
from test_hostile_checkpoints import Runs

from wsss_cli.artifacts.foreign_pickle import read_foreign_array
from wsss_cli.errors import WsssError

READER = "numpy dictionaries"
MAPS = np.full((2, 3, 5), 0.25, np.float32)
HEADER = io.BytesIO()
np.lib.format.write_array_header_1_0(HEADER, {"descr": "|O", "fortran_order": False, "shape": ()})


def _saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, content, allow_pickle=True)
    return buffer.getvalue()


WITH_ARRAYS = _saved({"keys": np.array([0, 2]), "high_res": MAPS})
WITH_TENSORS = _saved({"keys": torch.tensor([0, 2]), "high_res": torch.from_numpy(MAPS)})


def _read(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    return endures(READER, lambda: read_foreign_array(path))


@pytest.mark.parametrize("content", [WITH_ARRAYS, WITH_TENSORS])
def test_good_ones_are_read(tmp_path: Path, content: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays = _read(tmp_path, content)
    assert arrays["keys"].tolist() == [0, 2]
    assert np.array_equal(arrays["high_res"], MAPS)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickles_are_not_run_and_their_names_are_told(tmp_path: Path, protocol: int) -> None:
    made = tmp_path / "made"
    array = np.array({"keys": MAPS, "high_res": Runs(made)}, object)
    path = tmp_path / "a.npy"
    path.write_bytes(HEADER.getvalue() + pickle.dumps(array, protocol))
    with pytest.raises(WsssError, match="nothing in it was run"):
        read_foreign_array(path)
    assert not made.exists()


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "numpy.load", "numpy.core.multiarray.scalar"]
)
def test_no_other_name_is_looked_up(tmp_path: Path, name: str) -> None:
    module, _, function = name.rpartition(".")
    content = f"c{module}\n{function}\n(S'true'\ntR.".encode()
    path = tmp_path / "a.npy"
    path.write_bytes(HEADER.getvalue() + content)
    with pytest.raises(WsssError, match=f"asks for {name}"):
        read_foreign_array(path)


# What known names may be asked for, and must not do.
PICKLES = {
    "array of a terabyte": WITH_ARRAYS.replace(
        b"K\x02K\x03K\x05\x87", b"J\xff\xff\xff\x7fK\x03K\x05\x87"
    ),
    "memo of gigabytes": b"\x80\x04Nr" + struct.pack("<I", 2**32 - 1) + b".",
    "bytes of gigabytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "frame of gigabytes": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"x.",
    # Each holds the one before it twice, and the hash of a tuple is that of all it holds.
    "tuples of tuples as keys": b"\x80\x04}()q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"Nu.",
    "operations without end": b"\x80\x04" + b"N" * 30_000 + b".",
    "long number as a key": b"\x80\x04}\x8b" + struct.pack("<I", 9000) + b"\x7f" * 9000 + b"Ns.",
    "called number": b"\x80\x04K\x01)R.",
    "state of a dictionary": b"\x80\x04}}b.",
    "marks alone": b"\x80\x04" + b"(" * 999 + b"t.",
    "nothing to stop with": b"\x80\x04.",
    "persistent object": b"\x80\x04K\x01Q.",
    "itself": b"\x80\x04}q\x00K\x01h\x00s.",
    "type called as an array": b"cnumpy\nndarray\n)R.",
}


@pytest.mark.parametrize("kind", PICKLES)
def test_pickles_of_known_names_that_harm(tmp_path: Path, kind: str) -> None:
    content = PICKLES[kind]
    header = b"" if content.startswith(b"\x93NUMPY") else HEADER.getvalue()
    assert _read(tmp_path, header + content) is None


def test_a_tensor_does_not_reach_beyond_its_storage(tmp_path: Path) -> None:
    class Reaching:
        def __init__(self, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
            self.arguments = (MAPS_STORAGE, offset, size, stride, False, None)

        def __reduce__(self) -> Any:
            return (torch._utils._rebuild_tensor_v2, self.arguments)

    assert _read(tmp_path, _saved({"a": Reaching(0, (30,), (1,))})) is not None
    for odd in (
        Reaching(1, (30,), (1,)),
        Reaching(-1, (3,), (1,)),
        Reaching(0, (2**30, 2**30), (0, 0)),
        Reaching(0, (31,), (0,)),
        Reaching(0, (3,), (-1,)),
        Reaching(0, (3, 3), (1,)),
    ):
        assert _read(tmp_path, _saved({"a": odd})) is None


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    MAPS_STORAGE = torch.from_numpy(MAPS).storage()


def test_arrays_of_objects_and_of_no_numbers_are_refused(tmp_path: Path) -> None:
    for value in (
        np.array([{}, []], object),
        np.array(["text"]),
        np.array([1 + 2j]),
        np.zeros(2, [("a", "f4")]),
        {"inner": MAPS},
        None,
    ):
        assert _read(tmp_path, _saved({"keys": value})) is None
    assert _read(tmp_path, _saved(np.array(["text"]))) is None
    assert _read(tmp_path, _saved(np.array([{}, {}], object))) is None


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(WsssError, match="pipe"):
        read_foreign_array(tmp_path / "a.npy")


@hostile
@given(data=st.data(), good=st.sampled_from([WITH_ARRAYS, WITH_TENSORS]))
def test_spoiled_bytes(tmp_path_factory: pytest.TempPathFactory, data: Any, good: bytes) -> None:
    _read(tmp_path_factory.mktemp("spoiled"), data.draw(spoiled(good)))


@hostile
@given(content=st.binary(max_size=300))
def test_any_operations(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    _read(tmp_path_factory.mktemp("any"), HEADER.getvalue() + content)
