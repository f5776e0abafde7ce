"""``wsss attend``: the views of an image, how they become one, and at which size that is kept."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TinyVoc
from PIL import Image

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import settings
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import read_image
from wsss_cli.data.layouts import find_data_set
from wsss_cli.data.resizing import resize_image
from wsss_cli.inspect.estimates.by_stage import estimate_stage
from wsss_cli.methods.network_file import load_network
from wsss_cli.ops.attention import fuse_on_grid, sum_views
from wsss_cli.ops.colour_refinement import refine_by_colour
from wsss_cli.ops.image_prototypes import redrawn
from wsss_cli.stages import attend, proxy
from wsss_cli.stages.attend.network_attention import attention_of
from wsss_cli.tracking import Silent

VIEWS = {"keep_aspect": True, "size": 48, "scales": (1.0, 0.75), "merge": "sum", "amp": "off"}


@pytest.mark.parametrize(
    ("size", "views"),
    [
        ((48, 64), [(48, 64), (36, 48)]),
        ((64, 48), [(64, 48), (48, 36)]),
        ((50, 50), [(48, 48), (36, 36)]),
        ((10, 80), [(48, 384), (36, 288)]),
        ((79, 10), [(379, 48), (284, 36)]),
        ((333, 500), [(48, 72), (36, 54)]),
    ],
)
def test_shorter_side_is_the_size_and_the_aspect_stays(
    size: tuple[int, int], views: list[tuple[int, int]]
) -> None:
    config = AttendConfig(keep_aspect=True, size=48, scales=(1.0, 0.75))
    assert config.view_sizes(size) == views
    assert replace(config, keep_aspect=False).view_sizes(size) == [(48, 48), (36, 36)]


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.mark.parametrize("size", [(1, 1000), (10, 81), (3000, 7)])
def test_longer_images_are_squeezed_to_eight_times_their_shorter_side(
    size: tuple[int, int],
) -> None:
    config = AttendConfig(keep_aspect=True, size=48, scales=(1.0, 0.75))
    views = [(48, 384), (36, 288)] if size[0] < size[1] else [(384, 48), (288, 36)]
    assert config.view_sizes(size) == views


def test_strips_are_named_attended_and_need_no_more_memory_than_their_views(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    root = tmp_path / "VOC2012"
    shutil.copytree(voc.root, root)
    config = AttendConfig(
        run=tmp_path / "run", data=root, checkpoint=lively_checkpoint, **{**VIEWS, "size": 224}
    )
    of_all = estimate_stage("attend", attend.prepare(config, Silent()), "new").memory_bytes
    strips = voc.train_ids[:2]
    for image_id, shape in zip(strips, [(1, 1000), (1000, 1)], strict=True):
        path = root / "JPEGImages" / voc.image(image_id).name
        Image.open(path).resize(shape).save(path)
    told = Told()
    plan = attend.prepare(config, told)
    assert estimate_stage("attend", plan, "new").memory_bytes < 2 * of_all
    (note,) = [note for note in told.notes if "--keep-aspect" in note]
    assert all(image_id in note for image_id in strips)
    assert not any(image_id in note for image_id in voc.train_ids[2:])
    attend.run(replace(config, size=48), track=Silent())
    with AttentionFile(config.run / "attend" / "attention.h5") as file:
        sizes = {image_id: file.read(image_id).maps.shape[1:] for image_id in strips}
    assert list(sizes.values()) == [(1000, 1), (1, 1000)]


@pytest.fixture
def sizes(voc: TinyVoc, tmp_path: Path) -> DataSet:
    """The drawn data set with photographs of several sizes, two of them alike but for a pixel."""
    root = tmp_path / "VOC2012"
    shutil.copytree(voc.root, root)
    for number, image_id in enumerate(voc.train_ids):
        path = root / "JPEGImages" / voc.image(image_id).name
        shape = [(64, 48), (48, 64), (60, 45), (61, 45)][number % 4]
        Image.open(path).resize(shape).save(path)
    return find_data_set(root)


def test_maps_are_those_of_each_image_alone_whatever_shares_its_batch(
    voc: TinyVoc, sizes: DataSet, lively_checkpoint: Path, tmp_path: Path
) -> None:
    config = AttendConfig(
        run=tmp_path / "run", data=sizes.root, checkpoint=lively_checkpoint, batch_size=5, **VIEWS
    )
    attend.run(config, track=Silent())
    network, _, _ = load_network(lively_checkpoint)
    labels = sizes.labels(voc.train_ids)
    with AttentionFile(config.run / "attend" / "attention.h5") as file:
        for image_id, row in zip(voc.train_ids, labels, strict=True):
            image = read_image(sizes.image_path(image_id))
            size = image.shape[0], image.shape[1]
            maps = []
            for view in config.view_sizes(size):
                pixels = torch.from_numpy(resize_image(image, view)).permute(2, 0, 1)[None]
                with torch.inference_mode():
                    shown = torch.from_numpy(row[None]).float()
                    maps.append(attention_of(network, pixels, shown, flip=True).maps)
            expected = sum_views(maps, size).numpy()
            attention = file.read(image_id)
            assert attention.size == size
            np.testing.assert_allclose(attention.maps, expected, atol=2e-3)


def test_colours_and_prototypes_come_after_the_network(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    """Each view is redrawn by itself; colours are compared on the grid on which views meet."""
    config = AttendConfig(
        run=tmp_path,
        data=voc.root,
        checkpoint=lively_checkpoint,
        prototypes=True,
        colour_steps=3,
        **VIEWS,
    )
    attend.run(config, track=Silent())
    network, _, _ = load_network(lively_checkpoint)
    labels = torch.from_numpy(find_data_set(voc.root).labels(voc.train_ids)).float()
    with AttentionFile(tmp_path / "attend" / "attention.h5") as file:
        for image_id, row in zip(voc.train_ids, labels, strict=True):
            image = read_image(voc.image(image_id))
            views = []
            for view in config.view_sizes((48, 64)):
                upright = torch.from_numpy(resize_image(image, view)).permute(2, 0, 1)[None]
                for pixels, mirrored in ((upright, False), (upright.flip(-1), True)):
                    with torch.inference_mode():
                        seen = network.attention(pixels, row[None])
                    drawn = redrawn(fuse_on_grid(seen.maps), seen.features[0])
                    views.append((drawn.flip(-1) if mirrored else drawn)[:, None])
            colours = torch.from_numpy(image).permute(2, 0, 1)
            expected = refine_by_colour(sum_views(views, (48, 64)), colours, 3)
            np.testing.assert_allclose(file.read(image_id).maps, expected.numpy(), atol=2e-3)


def test_maps_of_a_large_image_follow_its_colours_at_its_size(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    root = tmp_path / "VOC2012"
    shutil.copytree(voc.root, root)
    image_id = voc.train_ids[0]
    path = root / "JPEGImages" / voc.image(image_id).name
    Image.open(path).resize((300, 200)).save(path)
    config = AttendConfig(
        run=tmp_path / "run",
        data=root,
        checkpoint=lively_checkpoint,
        prototypes=True,
        colour_steps=3,
        **VIEWS,
    )
    attend.run(config, track=Silent())
    with AttentionFile(tmp_path / "run" / "attend" / "attention.h5") as file:
        attention = file.read(image_id)
    assert attention.maps.shape[1:] == (200, 300)
    assert attention.maps.max() > 0.1


def test_large_images_meet_on_a_smaller_grid_for_their_colours_alone() -> None:
    assert AttendConfig(colour_steps=1).map_size((375, 500)) == (375, 500)
    assert AttendConfig(colour_steps=1).colour_size((375, 500)) == (108, 144)
    assert AttendConfig(colour_steps=1).colour_size((40, 60)) == (40, 60)


def test_results_older_than_both_options_stay_what_they_are() -> None:
    assert not settings(AttendConfig()).keys() & {"prototypes", "colour_steps"}
    given = settings(AttendConfig(prototypes=True, colour_steps=2))
    assert given["prototypes"] is True and given["colour_steps"] == 2


def test_merge_that_is_not_given_is_the_methods_own(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    config = AttendConfig(run=tmp_path, data=voc.root, checkpoint=lively_checkpoint, size=48)
    assert attend.prepare(config, Silent()).merge == "max"
    assert attend.prepare(replace(config, merge="sum"), Silent()).merge == "sum"


@pytest.fixture
def kept(voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path) -> dict[float | None, Path]:
    """The same attention at the sides of the image and at a quarter of them."""
    runs = {}
    for scale in (None, 0.25):
        config = AttendConfig(
            run=tmp_path / str(scale),
            data=voc.root,
            checkpoint=lively_checkpoint,
            size=64,
            amp="off",
            map_scale=scale,
            heatmaps=True,
        )
        attend.run(config, track=Silent())
        runs[scale] = config.run
    return runs


def _file(run: Path) -> AttentionFile:
    return AttentionFile(run / "attend" / "attention.h5")


def test_small_maps_show_what_the_large_ones_show(
    voc: TinyVoc, kept: dict[float | None, Path]
) -> None:
    with _file(kept[None]) as large_file, _file(kept[0.25]) as small_file:
        for image_id in voc.train_ids:
            large, small = large_file.read(image_id), small_file.read(image_id)
            assert large.size == small.size == (48, 64)
            assert small.maps.shape == (len(large.maps), 12, 16)
            assert small.class_ids.tolist() == large.class_ids.tolist()
            blocks = large.maps.astype(np.float32).reshape(-1, 12, 4, 16, 4)
            middle = blocks[:, :, 1:3, :, 1:3].mean(axis=(2, 4))
            np.testing.assert_allclose(small.maps, middle, atol=0.05)


def test_what_reads_small_maps_enlarges_them(
    voc: TinyVoc, kept: dict[float | None, Path], tmp_path: Path
) -> None:
    label_maps = {}
    for scale, run in kept.items():
        config = ProxyConfig(
            run=tmp_path / f"proxy {scale}",
            attention=run / "attend" / "attention.h5",
            saliency=voc.saliency,
        )
        proxy.run(config, track=Silent())
        paths = sorted((config.run / "proxy" / "labels").iterdir())
        label_maps[scale] = np.stack([read_label_map(path) for path in paths])
        with Image.open(next((run / "attend" / "heatmaps").iterdir())) as drawn:
            assert drawn.size == (64, 48)
    assert label_maps[0.25].shape == label_maps[None].shape
    assert (label_maps[0.25] != label_maps[None]).mean() < 0.02


def test_rounds_merge_maps_of_different_sizes(
    voc: TinyVoc, kept: dict[float | None, Path], lively_checkpoint: Path, tmp_path: Path
) -> None:
    """The merged maps have this round's size, and are nowhere below those of the round before."""
    config = AttendConfig(
        run=tmp_path / "second",
        data=voc.root,
        checkpoint=lively_checkpoint,
        size=64,
        amp="off",
        map_scale=0.25,
        erase=kept[0.25] / "attend" / "attention.h5",
    )
    attend.run(config, track=Silent())
    attend.run(
        replace(config, run=tmp_path / "of large", erase=kept[None] / "attend" / "attention.h5"),
        track=Silent(),
    )
    with _file(kept[0.25]) as first, _file(config.run) as second:
        for image_id in voc.train_ids:
            assert (second.read(image_id).maps >= first.read(image_id).maps).all()
    with _file(tmp_path / "of large") as merged:
        assert merged.read(voc.train_ids[0]).maps.shape[1:] == (12, 16)


def test_the_default_stays_out_of_the_fingerprint_and_the_estimate_counts_what_is_kept(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    config = AttendConfig(run=tmp_path, data=voc.root, checkpoint=lively_checkpoint, size=64)
    plans = {
        scale: attend.prepare(replace(config, map_scale=scale), Silent())
        for scale in (None, 0.25, 0.5)
    }
    assert len({plan.directory.fingerprint for plan in plans.values()}) == 3
    assert "map_scale" not in plans[None].directory.settings
    written = {
        scale: estimate_stage("attend", plan, "new").bytes_on_disk for scale, plan in plans.items()
    }
    assert written[None] == 4 * written[0.5] == 16 * written[0.25]


@pytest.mark.parametrize(
    ("scale", "size", "expected"),
    [(None, (333, 500), (333, 500)), (0.25, (333, 500), (83, 125)), (0.01, (30, 400), (1, 4))],
)
def test_a_map_has_a_pixel_at_least(
    scale: float | None, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert AttendConfig(map_scale=scale).map_size(size) == expected
