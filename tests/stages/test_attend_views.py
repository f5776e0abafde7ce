"""``wsss attend --keep-aspect`` and ``--merge``: the views of an image, and how they become one."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TinyVoc
from PIL import Image

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import settings
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import read_image
from wsss_cli.data.layouts import find_data_set
from wsss_cli.data.resizing import resize_image
from wsss_cli.methods.network_file import load_network
from wsss_cli.ops.attention import fuse_on_grid, sum_views
from wsss_cli.ops.colour_refinement import refine_by_colour
from wsss_cli.ops.image_prototypes import redrawn
from wsss_cli.stages import attend
from wsss_cli.stages.attend import attention_of
from wsss_cli.tracking import Silent

VIEWS = {"keep_aspect": True, "size": 48, "scales": (1.0, 0.75), "merge": "sum", "amp": "off"}


@pytest.mark.parametrize(
    ("size", "views"),
    [
        ((48, 64), [(48, 64), (36, 48)]),
        ((64, 48), [(64, 48), (48, 36)]),
        ((50, 50), [(48, 48), (36, 36)]),
        ((10, 400), [(48, 1920), (36, 1440)]),
        ((333, 500), [(48, 72), (36, 54)]),
    ],
)
def test_shorter_side_is_the_size_and_the_aspect_stays(
    size: tuple[int, int], views: list[tuple[int, int]]
) -> None:
    config = AttendConfig(keep_aspect=True, size=48, scales=(1.0, 0.75))
    assert config.view_sizes(size) == views
    assert replace(config, keep_aspect=False).view_sizes(size) == [(48, 48), (36, 36)]


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


def test_large_images_meet_on_a_smaller_grid_for_their_colours_alone() -> None:
    assert AttendConfig().map_size((375, 500)) == (375, 500)
    assert AttendConfig(colour_steps=1).map_size((375, 500)) == (108, 144)
    assert AttendConfig(colour_steps=1).map_size((40, 60)) == (40, 60)


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
