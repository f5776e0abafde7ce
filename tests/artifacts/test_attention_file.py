"""Attention in HDF5: the layout promised to readers, round trips, refusals."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from wsss_cli.artifacts.attention_file import (
    LAYOUT,
    AttentionFile,
    ImageAttention,
    write_shard,
)
from wsss_cli.artifacts.image_groups import shard_path, write_index
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.errors import WsssError


def _attention(seed: int, classes: tuple[int, ...] = (2, 3)) -> ImageAttention:
    rng = np.random.default_rng(seed)
    maps = rng.random((len(classes), 6, 8)).astype(np.float16)
    logits = rng.normal(size=3).astype(np.float32)
    return ImageAttention(maps, np.array(classes, np.uint8), (6, 8), logits)


def _write(directory: Path) -> list[list[str]]:
    shards = [["a", "b.1"], ["c"]]
    for number, image_ids in enumerate(shards):
        with write_shard(shard_path(directory, number)) as write:
            for image_id in image_ids:
                write(image_id, _attention(ord(image_id[0])))
    write_index(directory, LAYOUT, shards, ["x", "y", "z"])
    return shards


def test_maps_written_in_shards_come_back_through_the_index(tmp_path: Path) -> None:
    _write(tmp_path)
    with AttentionFile(tmp_path / "attention.h5") as file:
        assert file.image_ids == ["a", "b.1", "c"]
        assert file.class_names == ("x", "y", "z")
        for image_id in file.image_ids:
            found, expected = file.read(image_id), _attention(ord(image_id[0]))
            assert np.array_equal(found.maps, expected.maps)
            assert np.array_equal(found.class_ids, expected.class_ids)
            assert np.array_equal(found.logits, expected.logits)
            assert found.size == (6, 8)


def test_plain_h5py_reads_a_map_by_its_path(tmp_path: Path) -> None:
    _write(tmp_path)
    with h5py.File(tmp_path / "attention.h5", "r") as file:
        maps = file["b.1/maps"]
        assert maps.shape == (2, 6, 8)
        assert maps.dtype == np.float16
        assert file["b.1/class_ids"].dtype == np.uint8
        assert dict(file["b.1"].attrs) == {"schema": 1, "height": 6, "width": 8}
        assert list(file.attrs["class_names"]) == ["x", "y", "z"]
        assert file.attrs["schema"] == 1


def test_directory_may_be_moved(tmp_path: Path) -> None:
    _write(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    with AttentionFile(tmp_path / "there" / "attention.h5") as file:
        assert file.read("c").maps.shape == (2, 6, 8)


def test_equal_maps_give_equal_bytes(tmp_path: Path) -> None:
    _write(tmp_path / "one")
    _write(tmp_path / "two")
    for name in ("attention.h5", "shards/00000.h5", "shards/00001.h5"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_shard_has_its_name_only_when_whole(tmp_path: Path, error: BaseException) -> None:
    path = shard_path(tmp_path, 0)
    with pytest.raises(type(error)), write_shard(path) as write:
        write("a", _attention(0))
        raise error
    assert not list(tmp_path.rglob("*.h5*"))


def _foreign(path: Path, **datasets: object) -> Path:
    """A file as another tool may write it: no attributes at all."""
    with h5py.File(path, "w") as file:
        for name, value in {"maps": np.zeros((1, 2, 2)), "class_ids": [1], **datasets}.items():
            if value is not None:
                file[f"a/{name}"] = value
    return path


def test_foreign_file_without_attributes_is_read(tmp_path: Path) -> None:
    maps = np.linspace(0, 1, 12, dtype=np.float64).reshape(1, 3, 4)
    path = _foreign(tmp_path / "f.h5", maps=maps, class_ids=np.array([17], np.int64))
    with AttentionFile(path) as file:
        assert file.class_names is None
        found = file.read("a")
    assert np.array_equal(found.maps, maps)
    assert found.class_ids.tolist() == [17]
    assert found.class_ids.dtype == np.uint8
    assert found.size == (3, 4)
    assert found.logits is None


def test_foreign_file_may_record_a_larger_image(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "f.h5")
    with h5py.File(path, "a") as file:
        file["a"].attrs["height"], file["a"].attrs["width"] = 20, 30
    with AttentionFile(path) as file:
        assert file.read("a").size == (20, 30)


@pytest.mark.parametrize(
    ("maps", "class_ids"),
    [
        (np.zeros((0, 20, 30), np.float16), np.zeros(0, np.uint8)),
        (np.zeros((0, 2, 3), np.float64), np.zeros(0, np.int64)),
        (np.zeros((0, 0, 0)), []),
        (np.zeros(0), np.zeros(0)),
    ],
)
def test_foreign_file_may_have_images_of_none_of_the_classes(
    tmp_path: Path, maps: object, class_ids: object
) -> None:
    path = _foreign(tmp_path / "f.h5", maps=maps, class_ids=class_ids)
    with h5py.File(path, "a") as file:
        file["a"].attrs["height"], file["a"].attrs["width"] = 20, 30
    with AttentionFile(path) as file:
        found = file.read("a")
        assert file.outline("a").class_ids.tolist() == []
    assert found.maps.shape == (0, 20, 30)
    assert found.size == (20, 30)


def test_image_of_no_class_must_say_its_size(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "f.h5", maps=np.zeros(0), class_ids=[])
    with AttentionFile(path) as file, pytest.raises(WsssError, match=r"image a .*0 x 0"):
        file.read("a")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["background", "cat"], "'background'.*label 0"),
        (["_ignore_", "cat"], "'_ignore_'.*255"),
        (["cat", "Cat"], "'cat' and 'Cat'"),
    ],
)
def test_foreign_class_names_may_not_hold_the_background(
    tmp_path: Path, names: list[str], said: str
) -> None:
    path = _foreign(tmp_path / "f.h5")
    with h5py.File(path, "a") as file:
        file.attrs["class_names"] = names
    with pytest.raises(WsssError, match=rf"f\.h5: its attribute class_names.*{said}"):
        AttentionFile(path, ["cat"])


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ({"maps": None}, "maps"),
        ({"class_ids": None}, "class_ids"),
        ({"maps": np.zeros((2, 2))}, "should be"),
        ({"maps": np.zeros(())}, "a "),
        ({"maps": np.zeros((2, 2, 2))}, r"\(2, 2, 2\) and class_ids \(1,\)"),
        ({"maps": np.zeros((1, 2, 2), np.uint8)}, "uint8; they should be floats"),
        ({"maps": np.full((1, 2, 2), 1.5)}, r"1\.5; they should be in 0\.\.1"),
        ({"maps": np.full((1, 2, 2), -0.1)}, r"-0\.1"),
        ({"maps": np.full((1, 2, 2), np.nan)}, "nan"),
        ({"class_ids": [0]}, r"class ids \[0\]"),
        ({"class_ids": [255]}, r"class ids \[255\]"),
        ({"class_ids": [-1]}, r"class ids \[-1\]"),
    ],
)
def test_group_that_is_not_in_the_layout_is_refused_by_file_and_image(
    tmp_path: Path, datasets: dict[str, object], message: str
) -> None:
    path = _foreign(tmp_path / "f.h5", **datasets)
    with AttentionFile(path) as file, pytest.raises(WsssError, match=message) as refusal:
        file.read("a")
    assert "f.h5: image a" in str(refusal.value)


def test_class_id_beyond_the_named_classes_is_refused(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "f.h5", class_ids=[3])
    with h5py.File(path, "a") as file:
        file.attrs["class_names"] = ["x", "y"]
    with AttentionFile(path) as file, pytest.raises(WsssError, match=r"\[3\].*1\.\.2"):
        file.read("a")


def test_image_that_is_not_in_the_file_is_refused(tmp_path: Path) -> None:
    with AttentionFile(_foreign(tmp_path / "f.h5")) as file, pytest.raises(WsssError, match="b"):
        file.read("b")


def test_dataset_in_place_of_a_group_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["a"] = np.zeros((1, 2, 2))
    with AttentionFile(tmp_path / "f.h5") as file, pytest.raises(WsssError, match="image a"):
        file.read("a")


def _no_file(path: Path) -> None:
    del path


def _no_hdf5(path: Path) -> None:
    path.write_bytes(b"no HDF5")


def _empty(path: Path) -> None:
    h5py.File(path, "w").close()


def _newer(path: Path) -> None:
    _foreign(path)
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = 2


def _truncated(path: Path) -> None:
    _foreign(path, maps=np.zeros((1, 100, 100)))
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_no_file, "does not exist"),
        (_no_hdf5, "not a readable HDF5 file"),
        (_truncated, "not a readable HDF5 file"),
        (_empty, "holds no image"),
        (_newer, "schema 2"),
    ],
)
def test_file_that_is_no_attention_file_is_refused(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "attention.h5")
    with pytest.raises(WsssError, match=message):
        AttentionFile(tmp_path / "attention.h5")


_WAYS_TO_IMAGES: tuple[Callable[[AttentionFile], object], ...] = (
    lambda file: file.read("a"),
    lambda file: file.read("b"),
    lambda file: file.image_ids,
    lambda file: file.require(["a"]),
    lambda file: file.fingerprint(),
)


@pytest.mark.parametrize("absolute", [False, True])
def test_link_that_leaves_the_folder_is_refused(tmp_path: Path, absolute: bool) -> None:
    secret = _foreign(tmp_path / "secret.h5")
    (tmp_path / "inside").mkdir()
    target = str(secret) if absolute else "../secret.h5"
    with h5py.File(tmp_path / "inside" / "attention.h5", "w") as file:
        file["a"] = h5py.ExternalLink(target, "/a")
        file["b"] = h5py.SoftLink("/a")
    secret.write_text("no HDF5, as whoever opened it would find")
    with AttentionFile(tmp_path / "inside" / "attention.h5") as index:
        for follow in _WAYS_TO_IMAGES:
            with pytest.raises(WsssError, match=r"secret\.h5, outside its own folder"):
                follow(index)


def test_shard_that_is_lost_is_named_by_whoever_wants_its_images(tmp_path: Path) -> None:
    _write(tmp_path)
    shard_path(tmp_path, 1).unlink()
    with AttentionFile(tmp_path / "attention.h5") as file:
        assert file.read("a").size == (6, 8)
        for follow in (lambda file: file.read("c"), *_WAYS_TO_IMAGES[2:]):
            with pytest.raises(WsssError, match=r"missing: shards/00001\.h5"):
                follow(file)


def test_index_of_a_stage_that_lost_a_shard_is_refused_at_once(tmp_path: Path) -> None:
    directory = StageDirectory(
        path=tmp_path,
        stage="attend",
        stage_version=1,
        settings={},
        inputs={},
        owned=("attention.h5", "shards/*.h5"),
        details={},
    )
    directory.begin()
    _write(tmp_path)
    directory.complete({})
    with AttentionFile(tmp_path / "attention.h5") as file:
        assert file.image_ids == ["a", "b.1", "c"]
    shard_path(tmp_path, 1).unlink()
    with pytest.raises(WsssError, match=r"1 of 2 files.*shards/00001\.h5.*wsss attend"):
        AttentionFile(tmp_path / "attention.h5")


@pytest.mark.parametrize("as_written", [False, True])
def test_images_are_listed_in_the_order_of_h5py(tmp_path: Path, as_written: bool) -> None:
    with h5py.File(tmp_path / "a.h5", "w", track_order=as_written) as file:
        for image_id in ("b", "é", "a", "c.1", "C"):
            file.create_group(image_id)
    with h5py.File(tmp_path / "a.h5") as file:
        expected = list(file)
    with AttentionFile(tmp_path / "a.h5") as attention:
        assert attention.image_ids == expected


def test_names_of_other_images_are_not_looked_at_for_one(tmp_path: Path) -> None:
    """So that opening a million of them takes no time; whoever lists them is told."""
    path = _foreign(tmp_path / "attention.h5")
    with h5py.File(path, "a") as file:
        file["..hidden"] = h5py.ExternalLink("nowhere.h5", "/a")
    with AttentionFile(path) as file:
        assert file.image_count == 2
        assert len(file.read("a").maps)
        assert ["a" in file, "b" in file, "..hidden" in file, "a/maps" in file] == [
            *(True, False, False, False)
        ]
        with pytest.raises(WsssError, match=r"\.\.hidden"):
            file.image_ids  # noqa: B018 - it is made when it is asked for


@pytest.mark.parametrize("absolute", [False, True])
def test_link_inside_a_group_that_leaves_the_folder_is_refused(
    tmp_path: Path, absolute: bool
) -> None:
    secret = _foreign(tmp_path / "secret.h5")
    (tmp_path / "inside").mkdir()
    target = str(secret) if absolute else "../secret.h5"
    with h5py.File(tmp_path / "inside" / "attention.h5", "w") as file:
        file["a/class_ids"] = [1]
        file["a/maps"] = h5py.ExternalLink(target, "/a/maps")
    with (
        pytest.raises(WsssError),
        AttentionFile(tmp_path / "inside" / "attention.h5") as file,
    ):
        file.read("a")
