"""The file of features: what it keeps, of what, and what it makes of a stop or a full disk."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsss_cli.artifacts import feature_cache
from wsss_cli.artifacts.feature_cache import FeatureCache, bytes_of_features
from wsss_cli.errors import WsssError

SHAPE = (3, 2, 4)


def _features(images: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 50, (images, *SHAPE)).astype(np.float32)


def test_features_come_back_in_order_as_half_floats(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "f.bin", SHAPE, "these images")
    assert cache.done() == 0
    features = _features(7)
    for part in (features[:3], features[3:4], features[4:]):
        cache.append(part)
    assert cache.done() == 7
    np.testing.assert_array_equal(cache.rows(), features.astype(np.float16))
    assert (tmp_path / "f.bin").stat().st_size == bytes_of_features(7, SHAPE)


def test_part_of_an_image_is_none_and_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "f.bin"
    cache, features = FeatureCache(path, SHAPE, 1), _features(4)
    cache.append(features[:3])
    path.write_bytes(path.read_bytes()[:-5])
    assert cache.done() == 2
    cache.append(features[2:])
    np.testing.assert_array_equal(cache.rows(), features.astype(np.float16))


def test_the_first_images_can_be_kept_alone(tmp_path: Path) -> None:
    cache, features = FeatureCache(tmp_path / "f.bin", SHAPE, 1), _features(5)
    cache.keep(0)
    assert not cache.path.exists()
    cache.append(features[:3])
    cache.keep(2)
    assert cache.done() == 2
    cache.append(features[2:])
    np.testing.assert_array_equal(cache.rows(), features.astype(np.float16))


@pytest.mark.parametrize("image", range(4))
def test_a_changed_bit_ends_what_is_intact(tmp_path: Path, image: int) -> None:
    path = tmp_path / "f.bin"
    cache = FeatureCache(path, SHAPE, 1)
    assert cache.intact() == 0
    cache.append(_features(4))
    assert cache.intact() == 4
    content = bytearray(path.read_bytes())
    record = bytes_of_features(1, SHAPE) - bytes_of_features(0, SHAPE)
    content[bytes_of_features(image, SHAPE) + record // 2] ^= 8
    path.write_bytes(content)
    assert cache.done() == 4
    assert cache.intact() == image


@pytest.mark.parametrize(
    ("shape", "identity"), [(SHAPE, ["data", 8]), ((3, 4, 2), ["data", 16]), ((1, 2, 4), [])]
)
def test_features_of_anything_else_are_not_taken(
    tmp_path: Path, shape: tuple[int, int, int], identity: object
) -> None:
    path = tmp_path / "f.bin"
    FeatureCache(path, SHAPE, ["data", 16]).append(_features(5))
    other = FeatureCache(path, shape, identity)
    assert other.done() == 0
    new = np.ones((1, *shape), np.float32)
    other.append(new)
    assert other.done() == 1
    np.testing.assert_array_equal(other.rows(), new)
    assert FeatureCache(path, SHAPE, ["data", 16]).done() == 0


@pytest.mark.parametrize("content", [b"", b"wsss", b"x" * 500])
def test_another_file_is_no_cache(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.bin"
    path.write_bytes(content)
    assert FeatureCache(path, SHAPE, 1).done() == 0


def test_what_half_floats_cannot_hold_is_their_largest(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "f.bin", (1, 1, 2), 1)
    cache.append(np.array([[[[1e9, 2.5]]]], np.float32))
    assert cache.rows().tolist() == [[[[65504.0, 2.5]]]]


def test_features_go_to_the_first_folder_that_can_take_them(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "here" / "f.bin", SHAPE, 1)
    cache.path.parent.mkdir()
    cache.append(_features(3))
    (tmp_path / "file").write_text("no folder, so nothing can be listed in it")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other").write_text("")
    for folder in ("file", "full"):
        assert not cache.move_to(FeatureCache(tmp_path / folder / "f.bin", SHAPE, 1))
        assert cache.done() == 3
    assert not cache.move_to(FeatureCache(tmp_path / "new" / "f.bin", SHAPE, 2))
    there = FeatureCache(tmp_path / "new" / "f.bin", SHAPE, 1)
    assert cache.move_to(there)
    assert (cache.done(), there.done()) == (0, 3)


def test_full_disk_is_told_and_what_there_was_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, features = FeatureCache(tmp_path / "f.bin", SHAPE, 1), _features(3)
    cache.append(features[:2])

    def full(_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(feature_cache.os, "fsync", full)
    with pytest.raises(WsssError, match="full"):
        cache.append(features[2:])
    np.testing.assert_array_equal(cache.rows()[:2], features[:2].astype(np.float16))
