"""TOML files: the parts of a data set, defaults of commands, comparisons, rounds."""

from pathlib import Path

import pytest
from conftest import Command
from endurance import encodable, endures, hostile, spoiled
from hypothesis import given
from hypothesis import strategies as st
from test_hostile_tables import pictures, use

from wsss_cli.cli.comparison_file import read_comparison
from wsss_cli.cli.rounds_file import read_rounds
from wsss_cli.configs.compare import CompareConfig
from wsss_cli.configs.rounds import RoundsConfig
from wsss_cli.data.layouts import find_data_set

PARTS = b"""images = "."
labels = "labels.csv"
classes = ["dog", "cat"]
[splits]
train = "train.txt"
"""
COMPARISON = b"""seeds = [0, 1]
[train]
iterations = 3
[settings.cam]
train.method = "cam"
[settings.seenet]
train.delta_high = 0.8
"""
ROUNDS = b"""[train]
iterations = 3
split = "train"
[segment]
crop = 64
[[relabel]]
crf.uncertainty = true
[[relabel]]
proxy.rule = "masked"
"""
_values = (
    st.sampled_from(("1", "-1", "1e400", "nan", "true", "[]", "[[]]", "{}", '""', "1979-05-27",
                     "07:32:00", '["a", 1]', "{a = {b = 1}}", "99999999999999999999999"))
    | encodable.map(lambda text: '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"')
)  # fmt: skip


# Who writes the file says what is read, so its parts may lie anywhere.
def _parts(tmp_path: Path, content: bytes) -> object:
    folder = pictures(tmp_path / "data")
    (folder / "labels.csv").write_text("image,labels\na.jpg,dog\nb.jpg,cat\n")
    (folder / "train.txt").write_text("a.jpg\nb.jpg\n")
    (folder / "a.toml").write_bytes(content)
    return endures(
        "TOML of parts", lambda: use(find_data_set(folder / "a.toml"), Path("/")) or "read"
    )


def test_good_one_is_read(tmp_path: Path) -> None:
    assert _parts(tmp_path, PARTS) == "read"


@hostile
@given(content=spoiled(PARTS) | st.binary(max_size=60))
def test_spoiled_parts_are_endured(tmp_path: Path, content: bytes) -> None:
    _parts(tmp_path, content)


@hostile
@given(
    key=st.sampled_from(("images", "labels", "classes", "masks", "splits", "splits.train")),
    value=_values,
)
def test_any_part_is_endured(tmp_path: Path, key: str, value: str) -> None:
    kept = {"images": '"."', "labels": '"labels.csv"', key: value}
    _parts(tmp_path, "".join(f"{name} = {given}\n" for name, given in kept.items()).encode())


def test_rule_of_a_comparison_that_is_a_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("settings.cam.train.crop = 64\nproxy.rule = []\n")
    config = CompareConfig(file=tmp_path / "c.toml", data=tmp_path, out=tmp_path / "out")
    assert endures("TOML of comparisons", lambda: read_comparison(config)) is None


@pytest.mark.parametrize("depth", [50, 2_000])
def test_depth_is_endured(tmp_path: Path, depth: int) -> None:
    _parts(tmp_path, b"images = " + b"[" * depth + b"]" * depth)
    _parts(tmp_path, b".".join([b"a"] * depth) + b" = 1")


@hostile
@given(content=spoiled(COMPARISON) | st.binary(max_size=60))
def test_spoiled_comparison_is_endured(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    config = CompareConfig(file=path, data=tmp_path, out=tmp_path / "out")
    endures("TOML of comparisons", lambda: read_comparison(config))
    assert not (tmp_path / "out").exists()


@hostile
@given(
    key=st.sampled_from(
        (
            "seeds",
            "train.lr",
            "train.lr_steps",
            "settings.cam.seeds",
            "attend",
            "settings.cam.train.method",
            "settings.x",
            "start.iterations",
            "proxy.rule",
        )
    ),
    value=_values,
)
def test_any_setting_of_a_comparison_is_endured(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "c.toml"
    lines = {"settings.cam.train.crop": "64", key: value}
    path.write_text("".join(f"{name} = {given}\n" for name, given in lines.items()))
    config = CompareConfig(file=path, data=tmp_path, out=tmp_path / "out")
    endures("TOML of comparisons", lambda: read_comparison(config))


def _rounds(tmp_path: Path, content: bytes) -> object:
    folder = pictures(tmp_path / "data")
    (folder / "labels.csv").write_text("image,labels\na.jpg,dog\nb.jpg,cat\n")
    (folder / "train.txt").write_text("a.jpg\nb.jpg\n")
    (folder / "a.toml").write_bytes(PARTS)
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    config = RoundsConfig(file=path, data=folder / "a.toml", out=tmp_path / "out")
    outcome = endures("TOML of rounds", lambda: read_rounds(config))
    assert not (tmp_path / "out").exists()
    return outcome


def test_good_rounds_are_read(tmp_path: Path) -> None:
    rounds = _rounds(tmp_path, ROUNDS)
    assert isinstance(rounds, list)
    assert len(rounds) == 3


@hostile
@given(content=spoiled(ROUNDS) | st.binary(max_size=60))
def test_spoiled_rounds_are_endured(tmp_path: Path, content: bytes) -> None:
    _rounds(tmp_path, content)


@hostile
@given(
    key=st.sampled_from(
        (
            *("train", "train.split", "train.method", "train.backbone", "train.weights"),
            *("proxy.rule", "segment.scales", "segment.model", "relabel", "attend.size"),
        )
    ),
    value=_values,
)
def test_any_setting_of_rounds_is_endured(tmp_path: Path, key: str, value: str) -> None:
    _rounds(tmp_path, f"{key} = {value}\n".encode())


@hostile
@given(
    key=st.sampled_from(("crf", "crf.uncertainty", "proxy.rule", "segment", "segment.weights")),
    value=_values,
)
def test_any_setting_of_a_further_round_is_endured(tmp_path: Path, key: str, value: str) -> None:
    _rounds(tmp_path, f"[[relabel]]\n{key} = {value}\n".encode())


def test_spoiled_defaults_are_one_sentence(wsss: Command, tmp_path: Path) -> None:
    path = tmp_path / "d.toml"

    @hostile
    @given(content=spoiled(b'[show]\njson = true\nruns = ["x"]\n[train]\nlr = 1\n'))
    def endured(content: bytes) -> None:
        path.write_bytes(content)
        outcome = wsss("attend", "--config", path, "--run", tmp_path / "run", "--dry-run")
        endures("TOML of defaults", lambda: None)
        assert outcome.code == 2
        assert "Traceback" not in outcome.err
        assert "--debug" not in outcome.err

    endured()
