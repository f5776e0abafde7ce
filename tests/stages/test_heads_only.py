"""``train --heads-only``: heads learn from features for which every image passes the trunk once."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc, logged
from PIL import Image
from torch.nn import functional

from wsss_cli import ranks
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.common import settings
from wsss_cli.configs.methods import METHODS, learns_from_saliency
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.images import read_image
from wsss_cli.data.loading import training_positions
from wsss_cli.data.resizing import resize_image
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.methods.network_file import build_network, load_network
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import Trunk
from wsss_cli.stages import train
from wsss_cli.stages.train import features, training
from wsss_cli.stages.train.held_out import Measuring
from wsss_cli.tracking import Silent

ABLE = [name for name, method in METHODS.items() if method.from_features]


def _config(voc: TinyVoc, run: Path, weights: str, **changes: Any) -> TrainConfig:
    small: dict[str, Any] = {
        "method": "cam",
        "backbone": "tiny",
        "iterations": 6,
        "batch_size": 4,
        "crop": 48,
        "lr": 0.05,
        "amp": "off",
        "heads_only": True,
        "checkpoint_every": 1,
    }
    return TrainConfig(run=run, data=voc.root, weights=weights, **{**small, **changes})


def _network(run: Path) -> dict[str, torch.Tensor]:
    return load_network(run / "train" / "checkpoint.pt")[0].state_dict()


def test_a_linear_head_learns_as_by_hand(voc: TinyVoc, tmp_path: Path, weights: str) -> None:
    """Two steps of the solver written out: features of squares, half of them mirrored."""
    config = _config(
        voc, tmp_path, weights, head_channels=0, iterations=2, weight_decay=0.01, held_out=0.0
    )
    plan = train.prepare(config, Silent())
    torch.manual_seed(config.seed)
    network = build_network(config, 3, plan.weights).eval()
    begun = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weight, bias = (begun[f"head_a.score.{name}"].clone() for name in ("weight", "bias"))
    speed = [torch.zeros_like(weight), torch.zeros_like(bias)]
    mirrored = 0
    for batch in training_positions(len(plan.image_ids), 4, config.seed, 0, 2):
        seen, labels = [], torch.from_numpy(plan.labels[[index for _, index in batch]]).float()
        for sample, index in batch:
            pixels = resize_image(read_image(voc.image(plan.image_ids[index])), (48, 48))
            with torch.no_grad():
                one = network.trunk(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0]
            one = one.half().float()
            if np.random.default_rng((config.seed, sample)).random() < 0.5:
                one, mirrored = one.flip(2), mirrored + 1
            seen.append(one.mean(dim=(1, 2)))
        x = torch.stack(seen)  # (4, K): a linear head commutes with the mean over positions
        error = (x @ weight[:, :, 0, 0].T + bias).sigmoid() - labels
        gradients = [(error.T @ x / 4)[:, :, None, None] + 0.01 * weight, error.mean(dim=0)]
        for value, moving, gradient, rate in zip(
            (weight, bias), speed, gradients, (0.05, 0.1), strict=True
        ):
            moving.mul_(0.9).add_(gradient)
            value.sub_(rate * moving)
    assert 0 < mirrored < 8
    train.run(config, track=Silent())
    found = _network(tmp_path)
    torch.testing.assert_close(found["head_a.score.weight"], weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["head_a.score.bias"], bias, rtol=1e-4, atol=1e-5)
    assert not torch.equal(found["head_a.score.weight"], begun["head_a.score.weight"])
    for name, tensor in begun.items():
        assert name.startswith("head") or torch.equal(found[name], tensor), name


@pytest.mark.parametrize("method", ABLE)
def test_every_method_that_can_learns_and_leaves_nothing_behind(
    voc: TinyVoc, tmp_path: Path, weights: str, method: str
) -> None:
    saliency = {"saliency": voc.saliency} if learns_from_saliency(method) else {}
    config = _config(voc, tmp_path, weights, method=method, iterations=10, **saliency)
    report = train.run(config, track=Silent())
    assert report.values["losses"].keys() == METHODS[method].losses.keys()
    assert {path.name for path in (tmp_path / "train").iterdir()} == {
        ".lock",
        "checkpoint.pt",
        "manifest.json",
        "metrics.jsonl",
    }
    image = torch.rand(1, 3, 40, 64) * 255
    network, _, _ = load_network(tmp_path / "train" / "checkpoint.pt")
    assert network.attention(image, torch.eye(3)[:1]).maps.shape[-2:] == (5, 8)


def _counted(monkeypatch: pytest.MonkeyPatch, stop_after: int | None = None) -> list[int]:
    """Counts the images that pass a trunk; more than so many at once are a Ctrl-C."""
    passes: list[int] = []
    forward = Trunk.forward

    def counted(self: Trunk, images: torch.Tensor) -> torch.Tensor:
        if images.device.type != "meta":
            if stop_after is not None and sum(passes) >= stop_after:
                raise KeyboardInterrupt
            passes.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(Trunk, "forward", counted)
    return passes


def test_stopped_on_the_way_every_image_passes_once(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    settings = {"method": "seenet", "iterations": 8}
    with pytest.MonkeyPatch.context() as patch:
        passes = _counted(patch)
        train.run(_config(voc, tmp_path / "whole", weights, **settings), track=Silent())
    # Twelve to learn from, and the four of the list val, measured ever so often.
    assert sum(passes) == 12 + 4

    config = _config(voc, tmp_path / "parts", weights, **settings)
    with pytest.MonkeyPatch.context() as patch:
        passes = _counted(patch, stop_after=8)
        with pytest.raises(KeyboardInterrupt) as stop:
            train.run(config, track=Silent())
    assert sum(passes) == 8
    assert any("features.bin" in note for note in stop.value.__notes__)
    other = replace(config, crop=32)
    with pytest.raises(UsageError, match="crop"):
        train.run(other, track=Silent())

    def three(*arguments: Any) -> Any:
        for number, batch in enumerate(features.feature_batches(*arguments)):
            if number == 3:
                raise KeyboardInterrupt
            yield batch

    with pytest.MonkeyPatch.context() as patch:
        passes = _counted(patch)
        patch.setattr(training, "feature_batches", three)
        with pytest.raises(KeyboardInterrupt):
            train.run(config, track=Silent())
        assert sum(passes) == 8
        state = torch.load(tmp_path / "parts" / "train" / "resume.pt", weights_only=True)
        assert {name.split(".")[0] for name in state["network"]} == {"head_a", "head_b"}
        patch.setattr(training, "feature_batches", features.feature_batches)
        train.run(config, track=Silent())
        assert sum(passes) == 8
    first, second = _network(tmp_path / "whole"), _network(tmp_path / "parts")
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert len(logged(tmp_path / "parts" / "train")) == len(logged(tmp_path / "whole" / "train"))


def test_damaged_features_pass_again(voc: TinyVoc, tmp_path: Path, weights: str) -> None:
    settings = {"iterations": 4, "held_out": 0.0}
    train.run(_config(voc, tmp_path / "whole", weights, **settings), track=Silent())
    config = _config(voc, tmp_path / "parts", weights, **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "feature_batches", lambda *_: iter(()))
        with pytest.raises(StopIteration):
            train.run(config, track=Silent())
    path = tmp_path / "parts" / "train" / "features.bin"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1  # of the last image
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        passes, notes = _counted(patch), list[str]()
        patch.setattr(Silent, "note", lambda _, text: notes.append(text))
        train.run(config, track=Silent())
    assert 0 < sum(passes) < 12
    assert any("damaged" in note and str(path) in note for note in notes)
    first, second = _network(tmp_path / "whole"), _network(tmp_path / "parts")
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("gone", [False, True])
def test_stopped_at_its_very_end_the_map_is_that_of_the_features(
    voc: TinyVoc, tmp_path: Path, weights: str, gone: bool
) -> None:
    config = _config(voc, tmp_path / "whole", weights, iterations=10)
    whole = train.run(config, track=Silent()).values
    config = replace(config, run=tmp_path / "stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "last_losses", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train.run(config, track=Silent())
    if gone:
        (tmp_path / "stopped" / "train" / "features.bin").unlink()
    notes: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        passes = _counted(patch)
        patch.setattr(Silent, "note", lambda _, text: notes.append(text))
        values = train.run(config, track=Silent()).values
    # Without the features, the four of the list val pass the trunk for the mAP.
    assert sum(passes) == (4 if gone else 0)
    assert any("may differ in its last digits" in note for note in notes) is gone
    if not gone:
        for name in ("classification", "classification_loss", "losses"):
            assert values[name] == whole[name]
    first, second = (_network(tmp_path / name) for name in ("whole", "stopped"))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_settings_of_the_heads_learn_from_the_same_features(
    voc: TinyVoc, tmp_path: Path, weights: str, overwrite: bool
) -> None:
    """Stopped in the pass, nothing else is lost; stopped after it, ``--overwrite`` is asked for."""
    config = _config(voc, tmp_path, weights)
    other = replace(config, lr=0.02, method="seenet", overwrite=overwrite)
    with pytest.MonkeyPatch.context() as patch:
        _counted(patch, stop_after=None if overwrite else 8)
        if overwrite:
            patch.setattr(training, "feature_batches", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError if overwrite else KeyboardInterrupt):
            train.run(config, track=Silent())
    if overwrite:
        shutil.copy(tmp_path / "train" / "features.bin", tmp_path / "train" / "resume.pt")
        with pytest.raises(UsageError, match="--overwrite"):
            train.prepare(replace(other, overwrite=False), Silent())
    train.prepare(other, Silent()).directory.begin(overwrite=overwrite)
    assert not (tmp_path / "train" / "resume.pt").exists()
    with pytest.raises(UsageError, match="crop"):
        train.prepare(replace(config, crop=32), Silent())
    with pytest.MonkeyPatch.context() as patch:
        passes = _counted(patch)
        train.run(replace(other, overwrite=False), track=Silent())
    assert sum(passes) == (0 if overwrite else 8)
    assert read_manifest(tmp_path / "train")["settings"]["method"] == "seenet"


@pytest.mark.parametrize("order", [slice(1, None), slice(None, None, -1)])
def test_other_images_to_measure_make_other_features(
    own_voc: TinyVoc, tmp_path: Path, weights: str, order: slice
) -> None:
    """The list val is no input of the training, yet its images are in the file."""
    config = _config(own_voc, tmp_path / "run", weights)
    with pytest.MonkeyPatch.context() as patch:
        _counted(patch, stop_after=12)
        with pytest.raises(KeyboardInterrupt):
            train.run(config, track=Silent())
    val = own_voc.val_ids[order]
    own_voc.split("val").write_text("".join(f"{i}\n" for i in val))
    with pytest.MonkeyPatch.context() as patch:
        passes = _counted(patch)
        train.run(config, track=Silent())
    assert sum(passes) == 12 + len(val)


def test_features_of_another_version_of_the_stage_are_not_learned_from(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    plan = train.prepare(_config(voc, tmp_path, weights), Silent())
    plan.directory.path.mkdir(parents=True)
    network = build_network(plan.config, 3, plan.weights)
    features.pass_images(plan, network, None, Silent())
    assert features.cache_of(plan).done() == 16
    directory = replace(plan.directory, stage_version=plan.directory.stage_version + 1)
    assert features.cache_of(replace(plan, directory=directory)).done() == 0


def test_half_of_the_views_are_mirrored_with_their_saliency(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    config = _config(voc, tmp_path, weights, method="eps", saliency=voc.saliency, crop=64)
    plan = train.prepare(config, Silent())
    network = build_network(config, 3, plan.weights)
    plan.directory.path.mkdir(parents=True)
    on_features = features.pass_images(plan, network, None, Silent())
    positions = training_positions(len(plan.image_ids), 4, config.seed, 2, config.iterations)
    mirrored = 0
    assert plan.saliency is not None
    with plan.saliency.opened() as saliency:
        batches = list(features.feature_batches(plan, on_features, saliency, 2))
    for batch, (seen, labels, maps) in zip(positions, batches, strict=True):
        for row, (sample, index) in enumerate(batch):
            image_id = plan.image_ids[index]
            x = torch.from_numpy(np.array(on_features.rows[index])).float()
            grey = np.asarray(Image.open(voc.saliency / f"{image_id}.png"), np.float32) / 255
            flip = np.random.default_rng((config.seed, sample)).random() < 0.5
            mirrored += flip
            assert torch.equal(seen[row], x.flip(2) if flip else x)
            assert labels[row].tolist() == plan.labels[index].tolist()
            assert maps[row].shape == (64, 64)
            means = np.array_split(grey[:, ::-1] if flip else grey, 2, axis=1)
            for found, half in zip(maps[row].chunk(2, dim=1), means, strict=True):
                assert float(found.mean()) == pytest.approx(half.mean(), abs=0.02)
    assert 4 < mirrored < 12


def test_measured_from_features_is_measured_from_photographs(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    config = _config(voc, tmp_path, weights, iterations=20)
    plan = train.prepare(config, Silent())
    report = train.run(config, track=Silent())
    network, _, _ = load_network(tmp_path / "train" / "checkpoint.pt")
    assert plan.measured is not None
    measuring = Measuring.of(config, plan.data_set, plan.measured, plan.device, plan.precision)
    expected = measuring.measure(network).mean
    assert report.values["classification"]["map"] == pytest.approx(expected, abs=1e-6)


def test_snapshots_hold_the_whole_network(voc: TinyVoc, tmp_path: Path, weights: str) -> None:
    train.run(_config(voc, tmp_path, weights, snapshot_every=3), track=Silent())
    end = _network(tmp_path)
    for name, tensor in (("000003.pt", False), ("000006.pt", True)):
        network, _, _ = load_network(tmp_path / "train" / "snapshots" / name)
        found = network.state_dict()
        assert found.keys() == end.keys()
        assert torch.equal(found["head_a.score.weight"], end["head_a.score.weight"]) == tensor


def test_another_head_starts_from_this_one(voc: TinyVoc, tmp_path: Path, weights: str) -> None:
    train.run(_config(voc, tmp_path / "cam", weights, head_channels=0), track=Silent())
    start = tmp_path / "cam" / "train" / "checkpoint.pt"
    config = replace(
        _config(voc, tmp_path / "more", weights, head_channels=0, lr=1e-12, weight_decay=0.0),
        weights=None,
        start=start,
    )
    train.run(replace(config, heads_only=False, run=tmp_path / "tuned"), track=Silent())
    train.run(config, track=Silent())
    for run in ("more", "tuned"):
        for name, tensor in _network(tmp_path / "cam").items():
            if "running" not in name and "num_batches" not in name:
                found = _network(tmp_path / run)[name]
                torch.testing.assert_close(found, tensor, rtol=0, atol=1e-6)
    with pytest.raises(WsssError, match="--head-channels"):
        train.prepare(replace(config, head_channels=8), Silent())


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ABLE])
def test_a_method_that_looks_at_pixels_is_refused(method: str) -> None:
    with pytest.raises(UsageError, match=f"--heads-only.*{method}"):
        TrainConfig(method=method, heads_only=True)


@pytest.mark.parametrize("name", ["scale_low", "scale_high", "colour_jitter"])
def test_what_changes_the_views_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')}.*--heads-only"):
        TrainConfig(heads_only=True, **{name: 1.0})


def test_what_cannot_be_is_refused_before_any_work(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(voc, tmp_path / "run", weights)
    with pytest.raises(UsageError, match="--weights"):
        train.prepare(replace(config, weights="none"), Silent())
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(WsssError, match=r"16 images.*free") as error:
        train.prepare(config, Silent())
    assert str(tmp_path / "run" / "train") in str(error.value)
    monkeypatch.undo()
    monkeypatch.setattr(ranks, "world", lambda: 2)
    monkeypatch.setattr(ranks, "agreed", lambda decide: decide())
    with pytest.raises(UsageError, match=r"--heads-only.*torchrun"):
        train.prepare(config, Silent())
    assert not (tmp_path / "run").exists()


def test_a_trained_network_needs_no_features(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(voc, tmp_path, weights, iterations=10)
    train.run(config, track=Silent())
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    (tmp_path / "train" / "metrics.jsonl").unlink()
    assert not train.run(config, track=Silent()).up_to_date


def test_fingerprint_of_other_trainings_is_as_it_was() -> None:
    assert "heads_only" not in settings(TrainConfig())
    only = settings(TrainConfig(heads_only=True))
    assert only["heads_only"]
    assert only == settings(TrainConfig(heads_only=True, frozen_blocks=3))


def test_dry_run_counts_the_features(
    wsss: Command, voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    command = f"train --data {voc.root} --backbone tiny --method cam --weights {weights} --crop 64"
    command += f" --iterations 4 --batch-size 4 --run {tmp_path / 'run'} --dry-run"
    command += " --heads-only --head-channels 0"
    estimate = wsss(*command.split(), "--json").values["estimate"]
    features = 16 * 96 * 8 * 8 * 2  # of twelve images to learn from and four of val
    trunk, head = 4 * 135_960, 4 * (96 + 1) * 3
    # A head is in the checkpoint, and with its momentum in two states.
    assert estimate["bytes_on_disk"] == pytest.approx(features + trunk + 5 * head, abs=200)


def test_unfinished_one_shows_what_it_keeps(
    wsss: Command, voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    config = _config(voc, tmp_path, weights)
    with pytest.MonkeyPatch.context() as patch:
        _counted(patch, stop_after=4)
        with pytest.raises(KeyboardInterrupt):
            train.run(config, track=Silent())
    assert "features.bin" in read_manifest(tmp_path / "train")["owned"]
    assert "--heads-only" in wsss("show", tmp_path).out
    shown = wsss("show", tmp_path / "train" / "features.bin", "--json").values
    assert shown["facts"] == {"images": 4, "channels": 96, "height": 6, "width": 6}
    assert "--heads-only" in shown["advice"]
    broken = tmp_path / "features.bin"
    broken.write_bytes(b"wsss features 1\n" + bytes(200))
    assert wsss("show", broken).code == 1


def test_linear_head_is_one_convolution() -> None:
    torch.manual_seed(0)
    head = ClassHead(8, 5, None, 0).train()
    assert sum(each.numel() for each in head.parameters()) == (8 + 1) * 5
    features_, columns = torch.randn(3, 8, 6, 6), torch.tensor([4, 0, 4])
    expected = functional.conv2d(features_, head.score.weight, head.score.bias)
    assert torch.equal(head(features_), expected)
    torch.testing.assert_close(
        head.class_map(features_, columns), expected[torch.arange(3), columns]
    )


@pytest.mark.parametrize("crop", [48, 32])
def test_features_that_lie_alone_are_taken_or_written_over(
    voc: TinyVoc, tmp_path: Path, weights: str, crop: int
) -> None:
    """A comparison that was stopped in between has left them, perhaps for other settings."""
    here, there = (_config(voc, tmp_path / name, weights) for name in ("here", "there"))
    train.run(here, track=Silent(), later_trainings=[there])
    left = tmp_path / "there" / "train" / "features.bin"
    assert left.exists()
    train.run(replace(there, crop=crop), track=Silent())
    assert not left.exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_features_left_for_heads_alone_are_removed_by_another_training(
    voc: TinyVoc,
    tmp_path: Path,
    weights: str,
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
) -> None:
    here, there = (_config(voc, tmp_path / name, weights) for name in ("here", "there"))
    train.run(here, track=Silent(), later_trainings=[there])
    left = tmp_path / "there" / "train" / "features.bin"
    assert left.exists()
    with monkeypatch.context() as patch:
        patch.setattr(ranks, "world", lambda: processes)
        patch.setattr(ranks, "agreed", lambda decide: decide())
        plan = train.prepare(replace(there, heads_only=False), Silent())
        assert plan.directory.state() == "new"
    plan.directory.begin()
    assert not left.exists()


@pytest.mark.parametrize("heads_only", [True, False])
def test_a_file_of_that_name_that_holds_no_features_is_refused(
    voc: TinyVoc, tmp_path: Path, weights: str, heads_only: bool
) -> None:
    config = _config(voc, tmp_path, weights, heads_only=heads_only)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "features.bin").write_text("mine")
    with pytest.raises(UsageError, match=r"features\.bin"):
        train.run(config, track=Silent())
    assert (tmp_path / "train" / "features.bin").read_text() == "mine"


def test_a_later_training_that_cannot_be_does_not_end_this_one(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    here, there = (_config(voc, tmp_path / name, weights) for name in ("here", "there"))
    lost = replace(there, run=tmp_path / "lost", data=tmp_path / "nowhere")
    report = train.run(here, track=Silent(), later_trainings=[lost, there])
    assert report.values["iterations"] == here.iterations
    assert (tmp_path / "there" / "train" / "features.bin").exists()


def test_features_that_fill_the_disk_are_handed_on(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (_config(voc, tmp_path / name, weights) for name in ("here", "there"))
    usage, pass_images = shutil.disk_usage(tmp_path), training.pass_images

    def passing(*arguments: Any) -> Any:
        on_features = pass_images(*arguments)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
        return on_features

    monkeypatch.setattr(training, "pass_images", passing)
    train.run(here, track=Silent(), later_trainings=[there])
    assert (tmp_path / "there" / "train" / "features.bin").exists()


def test_later_trainings_of_other_features_are_not_looked_at(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = _config(voc, tmp_path / "here", weights)
    others = {
        "crop": replace(here, crop=64),
        "blocks": replace(here, method="sipe"),
        "batch": replace(here, batch_size=2),
        "whole": replace(here, heads_only=False),
    }
    there = replace(here, run=tmp_path / "there", method="seenet", lr=0.1, iterations=9)
    planned: list[str] = []
    real = train.plan_training

    def spy(config: TrainConfig, *rest: Any) -> Any:
        planned.append(config.run.name)
        return real(config, *rest)

    monkeypatch.setattr(train, "plan_training", spy)
    later = [*(replace(each, run=tmp_path / name) for name, each in others.items()), there]
    train.run(here, track=Silent(), later_trainings=later)
    assert planned == ["there"]
    assert (tmp_path / "there" / "train" / "features.bin").exists()
