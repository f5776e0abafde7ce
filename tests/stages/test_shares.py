"""What maps show: empty attention, label maps without objects, black saliency; also resumed."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLASSES, Command, TinyVoc, classes_of
from onnx_file import write_weighted_channels
from PIL import Image

from wsss_cli.artifacts.attention_file import ImageAttention, write_shard
from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.stages import attend, proxy
from wsss_cli.stages.label_shares import LabelShares, count_pixels, warnings
from wsss_cli.tracking import Silent


class _StopAfter(Silent):
    """Stops the work once so many images are done."""

    def __init__(self, images: int) -> None:
        self.left = images

    def steps(
        self, items: Iterable[Any], *, size: Callable[[Any], int] = lambda _: 1, **_: Any
    ) -> Iterator[Any]:
        for item in items:
            yield item
            self.left -= size(item)
            if self.left <= 0:
                raise RuntimeError("stopped")


def _images_of(column: int, count: int = 12) -> int:
    return sum(column in classes_of(index) for index in range(count))


@pytest.fixture
def blind(lively_checkpoint: Path, tmp_path: Path) -> Path:
    """A network that finds discs and crosses but never a square."""
    content = read_checkpoint(lively_checkpoint, "attention")
    for name, tensor in content["network"].items():
        if name.startswith("head_") and tensor.shape[0] == len(CLASSES):  # the last layer
            tensor[0] = -1.0 if name.endswith("bias") else 0.0
    path = tmp_path / "blind.pt"
    write_checkpoint(path, "attention", content)
    return path


def test_attend_counts_empty_maps_by_class_and_warns(
    wsss: Command, voc: TinyVoc, blind: Path, tmp_path: Path
) -> None:
    where = ["--data", voc.root, "--checkpoint", blind, "--size", "64", "--amp", "off"]
    arguments = ["attend", *where, "--run", tmp_path / "run", "--heatmaps"]
    outcome = wsss(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    values, squares = outcome.values, _images_of(0)
    assert values["maps"] == sum(map(_images_of, range(3)))
    by_class = values["empty_maps_by_class"]
    assert by_class["square"] == {"empty": squares, "maps": squares}
    assert values["empty_maps"] == sum(counts["empty"] for counts in by_class.values())
    assert values["empty_heatmaps"] == values["empty_maps"]
    (warning,) = values["warnings"]
    assert f"square {squares} of {squares}" in warning
    assert f"{values['empty_maps']} of {values['maps']} maps are empty" in outcome.err
    text = wsss(*arguments).out
    assert warning in text


def test_maps_that_show_something_are_no_reason_to_warn(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    where = {"run": tmp_path, "data": voc.root, "checkpoint": lively_checkpoint}
    values = attend.run(AttendConfig(**where, size=64, amp="off"), track=Silent()).values
    assert values["warnings"] == ([] if not values["empty_maps"] else values["warnings"])
    assert values["empty_maps"] < values["maps"] / 3


def test_resumed_attend_counts_the_maps_of_earlier_shards_too(
    voc: TinyVoc, blind: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"data": voc.root, "checkpoint": blind, "size": 64, "amp": "off", "batch_size": 2}
    config = AttendConfig(run=tmp_path / "whole", **where)
    whole = attend.run(config, track=Silent()).values
    monkeypatch.setattr("wsss_cli.stages.attention_maps.SHARD_IMAGES", 5)
    stopped = replace(config, run=tmp_path / "stopped")
    with pytest.raises(RuntimeError, match="stopped"):
        attend.run(stopped, track=_StopAfter(8))
    resumed = attend.run(stopped, track=Silent()).values
    assert resumed["skipped"] == 5
    for name in ("maps", "empty_maps", "empty_maps_by_class", "warnings"):
        assert resumed[name] == whole[name]


def _attention(path: Path, voc: TinyVoc, strength: float) -> Path:
    """Attention of the whole image for the first class, and none for others."""
    with write_shard(path) as write:
        for index, image_id in enumerate(voc.train_ids):
            class_ids = np.array([column + 1 for column in classes_of(index)], np.uint8)
            maps = np.zeros((len(class_ids), 48, 64), np.float16)
            maps[class_ids == 1] = strength
            write(image_id, ImageAttention(maps, class_ids, (48, 64)))
    return path


def test_proxy_says_the_share_of_objects_beside_that_of_ignored_pixels(
    wsss: Command, voc: TinyVoc, trained: Path, lively_checkpoint: Path, tmp_path: Path
) -> None:
    run = ["--run", tmp_path, "--data", voc.root]
    assert wsss("attend", *run, "--checkpoint", lively_checkpoint, "--size", "64").code == 0
    outcome = wsss("proxy", *run, "--saliency", voc.saliency, "--json")
    assert outcome.code == 0, outcome.err
    values = outcome.values
    maps = [read_label_map(path) for path in (tmp_path / "proxy" / "labels").iterdir()]
    pixels = np.concatenate([label_map.ravel() for label_map in maps])
    objects = ((pixels > 0) & (pixels < 255)).mean()
    assert values["objects"] == pytest.approx(objects)
    assert values["ignored"] == pytest.approx((pixels == 255).mean())
    assert sum(values["objects_by_class"].values()) == pytest.approx(objects)
    assert values["labelled_images"] == 12
    assert values["without_object"] == sum(not ((m > 0) & (m < 255)).any() for m in maps)
    text = wsss("proxy", *run, "--saliency", voc.saliency).out
    assert f"{objects:.1%} of the pixels are objects" in text


@pytest.mark.parametrize(
    ("grey", "strength", "share"), [(0, 0.0, 0.0), (255, 1.0, 1.0)], ids=["none", "all"]
)
def test_proxy_warns_where_nothing_or_everything_is_object(
    wsss: Command, voc: TinyVoc, tmp_path: Path, grey: int, strength: float, share: float
) -> None:
    (tmp_path / "flat").mkdir()
    for image_id in voc.train_ids:
        Image.new("L", (64, 48), 230 if grey else 20).save(tmp_path / "flat" / f"{image_id}.png")
    attention = tmp_path / "own.h5"
    with write_shard(attention) as write:
        for index, image_id in enumerate(voc.train_ids):
            class_ids = np.array([column + 1 for column in classes_of(index)], np.uint8)
            maps = np.full((len(class_ids), 48, 64), strength, np.float16)
            write(image_id, ImageAttention(maps, class_ids, (48, 64)))
    where = ["--run", tmp_path / "run", "--data", voc.root, "--attention", attention]
    outcome = wsss("proxy", *where, "--saliency", tmp_path / "flat", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["objects"] == share
    assert any("object" in warning for warning in outcome.values["warnings"])
    assert "warning: " in outcome.err
    assert outcome.values["without_object"] == (12 if share == 0 else 0)


@pytest.mark.parametrize("objects", [0.0, 0.001, 0.01, 1.0])
def test_images_of_none_of_the_classes_are_no_measure_of_the_objects(objects: float) -> None:
    shares = LabelShares()
    pixels = np.zeros(256, np.int64)
    for _ in range(200):
        shares.add(pixels + 1000 * (np.arange(256) == 0), [])
    pixels[:2] = 1000 - round(1000 * objects), round(1000 * objects)
    shares.add(pixels, [1])
    values = shares.values(["crack"])
    assert values["objects_where_labelled"] == pytest.approx(objects)
    assert bool(warnings(values, "label maps")) == (objects in (0.0, 1.0))


def test_proxy_names_black_saliency_maps_among_others(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    attention = _attention(tmp_path / "own.h5", voc, 1.0)
    saliency = tmp_path / "saliency"
    shutil.copytree(voc.saliency, saliency)
    for image_id in voc.train_ids[:2]:  # of 0 and 1, where the others have 20 and 230
        Image.new("L", (64, 48), 1).save(saliency / f"{image_id}.png")
    where = ["--data", voc.root, "--attention", attention]
    outcome = wsss("proxy", *where, "--run", tmp_path / "a", "--saliency", saliency, "--json")
    assert any("2 saliency maps" in warning for warning in outcome.values["warnings"])
    outcome = wsss("proxy", *where, "--run", tmp_path / "b", "--saliency", voc.saliency, "--json")
    assert not any(
        "saliency maps" in warning.split(";")[0] for warning in outcome.values["warnings"]
    )


def test_proxy_names_the_classes_that_it_never_shows_also_when_resumed(
    voc: TinyVoc, tmp_path: Path
) -> None:
    attention = _attention(tmp_path / "own.h5", voc, 1.0)
    where = {"data": voc.root, "attention": attention, "rule": "threshold"}
    config = ProxyConfig(run=tmp_path / "whole", **where)
    whole = proxy.run(config, track=Silent()).values
    assert whole["never_shown"] == {"disc": _images_of(1), "cross": _images_of(2)}
    assert any("disc" in warning and "cross" in warning for warning in whole["warnings"])
    assert set(whole["objects_by_class"]) == {"square"}
    stopped = replace(config, run=tmp_path / "stopped", workers=1)
    with pytest.raises(RuntimeError, match="stopped"):
        proxy.run(stopped, track=_StopAfter(4))
    resumed = proxy.run(stopped, track=Silent()).values
    assert resumed["skipped"] > 0
    same = ("objects", "ignored", "objects_by_class", "without_object", "never_shown", "warnings")
    assert [resumed[name] for name in same] == [whole[name] for name in same]


def test_images_without_a_class_miss_no_object() -> None:
    shares = LabelShares()
    shares.add(count_pixels(np.zeros((4, 5), np.uint8)), [])
    shares.add(count_pixels(np.full((4, 5), 2, np.uint8)), [2])
    shares.add(count_pixels(np.full((4, 5), 255, np.uint8), among=[]), [1])
    values = shares.values(["square", "disc"])
    assert (values["labelled_images"], values["without_object"]) == (2, 1)
    assert values["objects_by_class"] == {"disc": pytest.approx(1 / 3)}
    assert values["never_shown"] == {"square": 1}
    assert LabelShares().values(None)["objects"] == 0


def test_predictions_of_nothing_but_background_are_warned_of(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for index, image_id in enumerate(voc.train_ids):
        label_map = np.zeros((48, 64), np.uint8)
        label_map[24, 32] = 1 + classes_of(index)[0]  # too little to be learned
        Image.fromarray(label_map).save(masks / f"{image_id}.png")
    settings = "--model tiny --iterations 8 --batch-size 4 --crop 48 --lr 0.1 --scales 1 --no-flip"
    where = ["--data", voc.root, "--run", tmp_path / "run", "--proxy", masks]
    outcome = wsss("segment", *where, *settings.split(), "--probabilities", "--json")
    assert outcome.code == 0, outcome.err
    values = outcome.values
    assert values["objects"] == 0
    assert values["without_object"] == values["images"] == len(voc.val_ids)
    assert any("object" in warning for warning in values["warnings"])
    refined = wsss("crf", "--run", tmp_path / "run", "--preset", "oaa", "--json").values
    assert refined["objects"] == 0
    assert refined["warnings"]


def test_black_saliency_maps_are_counted(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    network = tmp_path / "black.onnx"
    write_weighted_channels(network, (0.0, 0.0, 0.0))
    where = ["--data", voc.root, "--run", tmp_path / "run", "--model", network, "--size", "32"]
    outcome = wsss("saliency", *where, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["salient"] in (0.0, 1.0)
    assert outcome.values["warnings"]
