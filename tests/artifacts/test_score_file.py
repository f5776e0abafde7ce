"""Soft scores in HDF5: the layout promised to readers, round trips, refusals."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from wsss_cli.artifacts.image_groups import shard_path, write_index
from wsss_cli.artifacts.score_file import LAYOUT, ImageScores, ScoreFile, write_shard
from wsss_cli.errors import WsssError

NAMES = ["x", "y"]


def _scores(seed: int, impossible: int | None = None) -> ImageScores:
    scores = -np.random.default_rng(seed).random((3, 4, 5)).astype(np.float16)
    if impossible is not None:
        scores[impossible] = -np.inf
    return ImageScores(scores, (30, 37))


IMAGES = {"a": _scores(1), "b.1": _scores(2, impossible=2), "c": _scores(3)}


def _write(directory: Path) -> Path:
    shards = [["a", "b.1"], ["c"]]
    for number, image_ids in enumerate(shards):
        with write_shard(shard_path(directory, number)) as write:
            for image_id in image_ids:
                write(image_id, IMAGES[image_id])
    write_index(directory, LAYOUT, shards, NAMES)
    return directory / "scores.h5"


def test_scores_written_in_shards_come_back_through_the_index(tmp_path: Path) -> None:
    with ScoreFile(_write(tmp_path), NAMES) as file:
        assert file.image_ids == list(IMAGES)
        assert file.class_names == ("x", "y")
        for image_id, expected in IMAGES.items():
            found = file.read(image_id)
            assert found.scores.dtype == np.float32
            assert np.array_equal(found.scores, expected.scores.astype(np.float32))
            assert found.size == (30, 37)


def test_plain_h5py_reads_scores_by_their_path(tmp_path: Path) -> None:
    with h5py.File(_write(tmp_path), "r") as file:
        assert file["b.1/scores"].shape == (3, 4, 5)
        assert file["b.1/scores"].dtype == np.float16
        assert dict(file["b.1"].attrs) == {"schema": 1, "height": 30, "width": 37}
        assert list(file.attrs["class_names"]) == NAMES


def test_equal_scores_have_equal_bytes_and_fingerprints(tmp_path: Path) -> None:
    one, two = _write(tmp_path / "one"), _write(tmp_path / "two")
    for name in ("scores.h5", "shards/00000.h5", "shards/00001.h5"):
        assert (one.parent / name).read_bytes() == (two.parent / name).read_bytes()
    with ScoreFile(one) as first, ScoreFile(two) as second:
        before = first.fingerprint()
        assert second.fingerprint() == before
    with write_shard(shard_path(two.parent, 1)) as write:
        write("c", _scores(4))
    with ScoreFile(two) as second:
        assert second.fingerprint() != before


def _foreign(path: Path, scores: np.ndarray, **attributes: int) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("a")
        group["scores"] = scores
        group.attrs.update({"height": 30, "width": 37, **attributes})
    return path


def test_logits_of_another_tool_are_read(tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(0, 9, (7, 4, 5))
    with ScoreFile(_foreign(tmp_path / "a.h5", logits)) as file:
        assert file.class_names is None
        assert np.array_equal(file.read("a").scores, logits.astype(np.float32))


def _spoilt(where: tuple[int, ...], value: float) -> np.ndarray:
    scores = np.zeros((3, 4, 5), np.float32)
    scores[where] = value
    return scores


@pytest.mark.parametrize(
    ("scores", "attributes", "named"),
    [
        (np.zeros((3, 4)), {}, "should be (L, h, w)"),
        (np.zeros((1, 4, 5)), {}, "should be (L, h, w)"),
        (np.zeros((3, 0, 5)), {}, "should be (L, h, w)"),
        (np.zeros((4, 4, 5)), {}, "scores of 4 labels; 2 classes and the background make 3"),
        (np.zeros((3, 4, 5), int), {}, "should be floats"),
        (np.zeros((3, 4, 5)), {"height": 0}, "0 x 37"),
        (_spoilt((1, 2, 3), np.nan), {}, "not finite"),
        (_spoilt((1, 2, 3), -np.inf), {}, "not finite"),
        (_spoilt((1,), np.inf), {}, "not finite"),
        (_spoilt((), -np.inf), {}, "not finite"),
    ],
)
def test_scores_out_of_layout_are_refused(
    tmp_path: Path, scores: np.ndarray, attributes: dict[str, int], named: str
) -> None:
    with (
        ScoreFile(_foreign(tmp_path / "a.h5", scores, **attributes), NAMES) as file,
        pytest.raises(WsssError) as refusal,
    ):
        file.read("a")
    assert named in str(refusal.value)
    assert "image a" in str(refusal.value)


def _without_size(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a/scores"] = np.zeros((3, 4, 5))


def _as_link(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = h5py.SoftLink("/b")
        group = file.create_group("b")
        group["scores"] = h5py.ExternalLink("other.h5", "/x")


@pytest.mark.parametrize(
    ("spoil", "named"), [(_without_size, "cannot be read"), (_as_link, "as a link instead")]
)
def test_group_that_is_none_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], named: str
) -> None:
    spoil(tmp_path / "a.h5")
    with ScoreFile(tmp_path / "a.h5") as file, pytest.raises(WsssError) as refusal:
        file.read("a")
    assert named in str(refusal.value)


def test_other_classes_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path)
    with pytest.raises(WsssError, match=r"x, y.* x, z"):
        ScoreFile(path, ["x", "z"])
    with pytest.raises(WsssError, match=r"`wsss segment --probabilities`.*--scores FILE"):
        ScoreFile(tmp_path / "no.h5")
    with ScoreFile(path) as file, pytest.raises(WsssError, match=r"\b1 of 2\b.*z"):
        file.require(["a", "z"])
