"""``wsss train`` with a method that learns from saliency: what it reads, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc, train_arguments
from PIL import Image

from wsss_cli.artifacts.attention_file import ImageAttention, write_attention_file
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.images import read_image
from wsss_cli.data.layouts import find_data_set
from wsss_cli.stages.train import prepare, training
from wsss_cli.tracking import Silent


@pytest.fixture
def maps(voc: TinyVoc, tmp_path: Path) -> Path:
    """A copy of the saliency maps, to be spoilt."""
    folder = tmp_path / "maps"
    shutil.copytree(voc.saliency, folder)
    return folder


def _arguments(voc: TinyVoc, run: Path, *more: object) -> list[object]:
    return [*train_arguments(voc, run), "--method", "eps", *more]


def _views(
    voc: TinyVoc, tmp_path: Path, saliency: Path, **settings: float
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Images and their maps of three steps of a training."""
    config = TrainConfig(
        run=tmp_path / "run",
        data=voc.root,
        method="eps",
        backbone="tiny",
        saliency=saliency,
        crop=40,
        batch_size=5,
        iterations=3,
        **settings,
    )
    plan = prepare(config, Silent())
    assert plan.saliency is not None
    with plan.saliency.opened() as read:
        return [(images, maps) for images, _, maps in training._batches(plan, None, read, 0)]


def test_without_saliency_it_is_asked_for_before_torch(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    outcome = wsss(*_arguments(voc, tmp_path / "run"))
    assert outcome.code == 2
    assert "--saliency" in outcome.err
    assert "wsss saliency" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_saliency_of_another_method_is_refused(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    outcome = wsss(*train_arguments(voc, tmp_path / "run"), "--saliency", voc.saliency)
    assert outcome.code == 2
    assert "--saliency" in outcome.err
    assert "eps" in outcome.err


def test_an_image_without_its_map_is_named(
    wsss: Command, voc: TinyVoc, maps: Path, tmp_path: Path
) -> None:
    (maps / f"{voc.train_ids[2]}.png").unlink()
    outcome = wsss(*_arguments(voc, tmp_path / "run", "--saliency", maps))
    assert outcome.code == 1
    assert voc.train_ids[2] in outcome.err
    assert not (tmp_path / "run" / "train" / "checkpoint.pt").exists()


def test_a_map_with_exchanged_sides_is_refused_and_another_size_is_told(
    wsss: Command, voc: TinyVoc, maps: Path, tmp_path: Path
) -> None:
    path = maps / f"{voc.train_ids[1]}.png"
    grey = Image.open(path)
    grey.transpose(Image.Transpose.ROTATE_90).save(path)
    outcome = wsss(*_arguments(voc, tmp_path / "run", "--saliency", maps))
    assert outcome.code == 1
    assert path.name in outcome.err
    grey.resize((grey.width // 2, grey.height // 2)).save(path)
    outcome = wsss(*_arguments(voc, tmp_path / "run", "--saliency", maps))
    assert outcome.code == 0, outcome.err
    assert "1 of 12 saliency maps" in outcome.err


def test_maps_of_zeros_and_ones_are_refused(
    wsss: Command, voc: TinyVoc, maps: Path, tmp_path: Path
) -> None:
    for path in maps.glob("*.png"):
        Image.fromarray((np.array(Image.open(path)) > 127).astype(np.uint8)).save(path)
    outcome = wsss(*_arguments(voc, tmp_path / "run", "--saliency", maps))
    assert outcome.code == 1
    assert "255" in outcome.err


def test_other_maps_are_another_training_and_show_says_stale(
    wsss: Command, voc: TinyVoc, maps: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    asked = _arguments(voc, run, "--saliency", maps)
    assert wsss(*asked).code == 0
    again = wsss(*asked, "--json")
    assert again.values["status"] == "up to date"
    manifest = json.loads((run / "train" / "manifest.json").read_text())
    assert Path(manifest["inputs"]["saliency"]["path"]) == maps
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(maps / f"{voc.train_ids[0]}.png")
    assert wsss(*asked).code == 2
    shown = wsss("show", run, "--json").values["stages"]["train"]
    assert shown["inputs"]["saliency"]["state"] == "changed"


def test_maps_that_the_run_has_are_taken(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    run = tmp_path / "run"
    made = wsss("saliency", "--model", "unsupervised", "--data", voc.root, "--run", run)
    assert made.code == 0, made.err
    outcome = wsss(*_arguments(voc, run, "--json"))
    assert outcome.code == 0, outcome.err
    manifest = json.loads((run / "train" / "manifest.json").read_text())
    assert manifest["inputs"]["saliency"]["path"].endswith("run/saliency/maps")


def test_batches_have_the_part_of_the_map_that_the_image_shows(
    voc: TinyVoc, tmp_path: Path
) -> None:
    """Where the map is the red channel of the image, it still is in every view."""
    folder = tmp_path / "red"
    folder.mkdir()
    for image_id in voc.train_ids:
        red = read_image(voc.image(image_id))[:, :, 0]
        Image.fromarray(red).save(folder / f"{image_id}.png")
    for images, maps in _views(voc, tmp_path, folder, workers=0, scale_low=0.9, scale_high=1.6):
        assert maps.shape == (5, 40, 40)
        difference = (images[:, 0].float() / 255 - maps).abs()
        assert torch.quantile(difference, 0.95) < 0.08  # resized by areas and linearly


def test_one_class_is_enough(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    lines = ["image,labels,split"]
    for number, image_id in enumerate(voc.train_ids[:8]):
        shutil.copy(voc.image(image_id), photos)
        name = voc.image(image_id).name
        lines.append(f"{name},{'thing' if number % 2 else ''},train")
    (photos / "labels.csv").write_text("\n".join(lines) + "\n")
    run = tmp_path / "run"
    settings = [
        "--backbone",
        "tiny",
        "--iterations",
        "2",
        "--batch-size",
        "4",
        "--crop",
        "32",
        "--method",
        "eps",
    ]
    outcome = wsss(
        *("train", "--data", photos, "--run", run, *settings, "--saliency", voc.saliency)
    )
    assert outcome.code == 0, outcome.err
    assert wsss("attend", "--run", run).code == 0


@pytest.fixture
def teacher(voc: TinyVoc, tmp_path: Path) -> Path:
    """An attention file with two maps of each training image: its red and its green channel."""
    path = tmp_path / "teacher.h5"
    with write_attention_file(path, find_data_set(voc.root).class_names, "given") as write:
        for image_id in voc.train_ids:
            image = read_image(voc.image(image_id)).astype(np.float16) / 255
            maps = np.moveaxis(image[:, :, :2], 2, 0)
            write(image_id, ImageAttention(maps, np.array([1, 2], np.uint8), image.shape[:2]))
    return path


def test_a_network_is_taught_by_the_strongest_map_of_another(
    voc: TinyVoc, teacher: Path, tmp_path: Path
) -> None:
    """Where the maps are channels of the image, every view holds the larger, with 0.3 made 0.5."""
    for images, maps in _views(voc, tmp_path, teacher):
        strongest = images[:, :2].amax(dim=1).float() / 255
        difference = ((strongest * 5 / 3).clamp(max=1) - maps).abs()
        assert torch.quantile(difference, 0.95) < 0.08


def test_another_teacher_is_another_training_and_show_says_stale(
    wsss: Command, voc: TinyVoc, teacher: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    asked = _arguments(voc, run, "--saliency", teacher)
    outcome = wsss(*asked)
    assert outcome.code == 0, outcome.err
    assert wsss(*asked, "--json").values["status"] == "up to date"
    shown = wsss("show", run, "--json").values["stages"]["train"]
    assert shown["inputs"]["saliency"]["state"] == "same"
    with h5py.File(teacher, "r+") as file:
        file[f"{voc.train_ids[0]}/maps"][:] = 0
    shown = wsss("show", run, "--json").values["stages"]["train"]
    assert shown["inputs"]["saliency"]["state"] == "changed"


def test_heads_alone_are_taught_too(
    wsss: Command, voc: TinyVoc, lively_checkpoint: Path, teacher: Path, tmp_path: Path
) -> None:
    outcome = wsss(
        *_arguments(voc, tmp_path / "run", "--saliency", teacher, "--heads-only"),
        *("--start", lively_checkpoint),
    )
    assert outcome.code == 0, outcome.err


def _without(file: h5py.File, image_id: str) -> str:
    del file[image_id]
    return image_id


def _of_other_size(file: h5py.File, image_id: str) -> str:
    file[image_id].attrs["height"] = 99
    return image_id


def _above_one(file: h5py.File, image_id: str) -> str:
    file[f"{image_id}/maps"][0, 0, 0] = 7
    return image_id


@pytest.mark.parametrize("spoil", [_without, _of_other_size, _above_one])
def test_a_teacher_that_does_not_fit_is_named_in_a_sentence(
    wsss: Command, voc: TinyVoc, teacher: Path, tmp_path: Path, spoil: Callable[..., str]
) -> None:
    with h5py.File(teacher, "r+") as file:
        named = spoil(file, voc.train_ids[3])
    outcome = wsss(*_arguments(voc, tmp_path / "run", "--saliency", teacher))
    assert outcome.code == 1
    assert named in outcome.err
    assert teacher.name in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "run/train/checkpoint.pt").exists()


def test_a_teacher_that_shows_nothing_is_refused(
    wsss: Command, voc: TinyVoc, teacher: Path, tmp_path: Path
) -> None:
    with h5py.File(teacher, "r+") as file:
        for image_id in voc.train_ids:
            file[f"{image_id}/maps"][:] = 0
    outcome = wsss(*_arguments(voc, tmp_path / "run", "--saliency", teacher))
    assert outcome.code == 1
    assert f"{teacher.name} is empty" in outcome.err


def test_a_picture_instead_of_a_folder_is_refused(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    picture = voc.saliency / f"{voc.train_ids[0]}.png"
    outcome = wsss(*_arguments(voc, tmp_path / "run", "--saliency", picture))
    assert outcome.code in (1, 2)
    assert "--saliency" in outcome.err
    assert picture.name in outcome.err
