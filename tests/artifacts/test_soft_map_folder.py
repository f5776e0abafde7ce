"""Folders of soft maps: what is read, and what is refused in one sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsss_cli.artifacts.soft_map_folder import SoftMapFolder
from wsss_cli.errors import WsssError


def _probabilities(labels: int = 3, height: int = 4, width: int = 5) -> np.ndarray:
    raw = np.random.default_rng(0).random((labels, height, width)).astype(np.float32)
    return raw / raw.sum(axis=0)


def _logits() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)


class _Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("sprung"),))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
def test_arrays_come_back_as_float32(tmp_path: Path, kind: str, dtype: type) -> None:
    maps = _probabilities().astype(dtype)
    if kind == "npy":
        np.save(tmp_path / "b.npy", maps)
    else:
        {"npz": np.savez, "compressed": np.savez_compressed}[kind](tmp_path / "b.npz", maps)
    np.save(tmp_path / "a.npy", maps)
    (tmp_path / "readme.txt").write_text("not a map")
    np.save(tmp_path / ".hidden.npy", maps)
    folder = SoftMapFolder(tmp_path, 3, logits=False)
    assert folder.image_ids == ["a", "b"]
    assert folder.read("b").dtype == np.float32
    assert np.array_equal(folder.read("b"), maps.astype(np.float32))


def test_probabilities_rounded_to_eight_bits_are_probabilities(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.round(_probabilities(21) * 255) / 255)
    assert SoftMapFolder(tmp_path, 21, logits=False).read("a").shape == (21, 4, 5)


def test_an_impossible_label_is_minus_infinity_everywhere(tmp_path: Path) -> None:
    maps = _logits()
    maps[1] = -np.inf
    np.save(tmp_path / "a.npy", maps)
    assert np.array_equal(SoftMapFolder(tmp_path, 3, logits=True).read("a"), maps)


def test_fingerprint_is_that_of_the_contents(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        np.save(folder / "a.npy", _probabilities())

    def fingerprint(path: Path) -> str:
        return SoftMapFolder(path, 3, logits=False).fingerprint()

    assert fingerprint(one) == fingerprint(two)
    np.save(two / "a.npy", _probabilities()[:, ::-1])
    assert fingerprint(one) != fingerprint(two)


def _with(place: tuple[int, int, int], value: float, maps: np.ndarray) -> np.ndarray:
    maps[place] = value
    return maps


BROKEN: list[tuple[str, bool, Any, str]] = [
    ("other labels", False, _probabilities(4), r"the shape \(4, 4, 5\); it should be \(3, h, w\)"),
    ("labels last", False, _probabilities(5, 4, 3).T, "holds no probabilities"),
    ("flat", False, np.full((3, 4), 1 / 3), r"the shape \(3, 4\)"),
    ("empty", False, np.zeros((3, 0, 5)), "the shape"),
    ("integers", False, np.ones((3, 4, 5), np.uint8), "values of type uint8"),
    ("complex", False, np.ones((3, 4, 5), np.complex64), "values of type complex64"),
    ("logits", False, _logits(), "holds no probabilities: .* pass --logits"),
    ("unnormalised", False, 2 * _probabilities(), "sums that miss 1 by 1"),
    ("nan", False, _with((1, 2, 3), np.nan, _probabilities()), "not finite"),
    ("nan logit", True, _with((1, 2, 3), np.nan, _logits()), "not finite"),
    ("infinite", True, _with((1, 2, 3), np.inf, _logits()), "not finite"),
    ("one impossible pixel", True, _with((1, 2, 3), -np.inf, _logits()), "everywhere"),
    ("no label", True, np.full((3, 4, 5), -np.inf), "not finite"),
    ("probabilities", True, _probabilities(), "holds probabilities.*; leave --logits out"),
]


@pytest.mark.parametrize(("logits", "maps", "named"), [b[1:] for b in BROKEN])
def test_odd_arrays_are_refused(tmp_path: Path, logits: bool, maps: Any, named: str) -> None:
    np.save(tmp_path / "a.npy", maps)
    with pytest.raises(WsssError, match=named) as caught:
        SoftMapFolder(tmp_path, 3, logits=logits).read("a")
    assert str(tmp_path / "a.npy") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["pickled npy", "pickled npz", "bare pickle"])
def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    trap = np.array([_Trap()], dtype=object)
    if kind == "pickled npz":
        np.savez(tmp_path / "a.npz", trap)
    elif kind == "pickled npy":
        np.save(tmp_path / "a.npy", trap)
    else:
        (tmp_path / "a.npy").write_bytes(trap.dumps())
    with pytest.raises(WsssError, match="pickle"):
        SoftMapFolder(tmp_path, 3, logits=False).read("a")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("keep", [0, 3, 40, -10])
def test_files_that_are_cut_off_are_refused(tmp_path: Path, suffix: str, keep: int) -> None:
    path = tmp_path / f"a{suffix}"
    (np.save if suffix == ".npy" else np.savez)(path, _probabilities())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WsssError, match=r"a\.np[yz]"):
        SoftMapFolder(tmp_path, 3, logits=False).read("a")


def test_a_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, _probabilities())
    path.write_bytes(path.read_bytes().replace(b"(3, 4, 5), ", b"(3, 4, 59),"))
    with pytest.raises(WsssError, match=r"a\.np[yz]"):
        SoftMapFolder(tmp_path, 3, logits=False).read("a")


def test_a_file_of_two_arrays_and_an_image_of_two_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=_probabilities(), two=_probabilities())
    with pytest.raises(WsssError, match=r"a\.npz.*\bone\b"):
        SoftMapFolder(tmp_path, 3, logits=False).read("a")
    np.save(tmp_path / "a.npy", _probabilities())
    with pytest.raises(WsssError, match=r"\.npy.*\.npz.*\ba\b"):
        SoftMapFolder(tmp_path, 3, logits=False)


def test_numbers_beyond_float32_are_refused_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    np.save(tmp_path / "a.npy", np.full((3, 2, 2), 1e300))
    with pytest.raises(WsssError, match="finite"):
        SoftMapFolder(tmp_path, 3, logits=True).read("a")
    assert not recwarn.list
