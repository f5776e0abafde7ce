"""``segment --heads-only``: fc6, fc7 and scores learn from features of one view of each image."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc

from wsss_cli import ranks
from wsss_cli.artifacts.feature_cache import bytes_of_features
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.common import settings
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.augmentation import JointView
from wsss_cli.data.images import read_image
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.trunks import OXFORD_MEAN, Trunk
from wsss_cli.stages import segment
from wsss_cli.stages.segment import features
from wsss_cli.stages.segment.training import untrained
from wsss_cli.stages.segment.training_views import narrow_views
from wsss_cli.tracking import Silent


def _config(voc: TinyVoc, run: Path, weights: str, **changes: Any) -> SegmentConfig:
    small: dict[str, Any] = {
        "model": "tiny",
        "supervision": "full",
        "train_split": "train",
        "iterations": 8,
        "batch_size": 4,
        "crop": 48,
        "lr": 0.01,
        "amp": "off",
        "flip": False,
        "scales": (1.0,),
        "heads_only": True,
        "checkpoint_every": 1,
    }
    return SegmentConfig(run=run, data=voc.root, weights=weights, **{**small, **changes})


def _network(run: Path) -> dict[str, torch.Tensor]:
    return segment.load_network(run / "segment" / "checkpoint.pt")[0].state_dict()


def test_features_are_those_of_the_view_that_is_drawn_with_the_images_row(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    config = _config(voc, tmp_path, weights, seed=5)
    plan = segment.prepare(config, Silent())
    fresh = untrained(plan)
    plan.directory.path.mkdir(parents=True)
    on_features = features.pass_images(plan, fresh.network, Silent())
    fill = np.round(OXFORD_MEAN).astype(np.uint8)
    for row, image_id in enumerate(plan.supervision):
        image = read_image(voc.image(image_id))
        view = JointView.draw(image.shape[:2], 48, (0.7, 1.3), np.random.default_rng((5, row)))
        pixels = torch.from_numpy(view.of_image(image, fill)).permute(2, 0, 1)[None]
        with torch.no_grad():
            expected = on_features.trunk(pixels)[0]
        torch.testing.assert_close(on_features.features(row), expected, rtol=2e-3, atol=2e-3)


def test_only_the_heads_learn_and_the_network_is_whole(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    config = _config(voc, tmp_path, weights)
    begun = untrained(segment.prepare(config, Silent())).network.state_dict()
    report = segment.run(config, track=Silent())
    found = _network(tmp_path)
    assert found.keys() == begun.keys()
    for name, tensor in begun.items():
        assert torch.equal(found[name], tensor) == name.startswith("trunk"), name
    assert report.values["training_images"] == 12
    left = {path.name for path in (tmp_path / "segment").iterdir()}
    assert left == {".lock", "checkpoint.pt", "manifest.json", "metrics.jsonl", "predictions"}
    solver = read_manifest(tmp_path / "segment")["solver"]
    assert solver["heads_only"]
    assert "frozen_blocks" not in solver


@pytest.mark.parametrize("channels", [0, 8])
def test_heads_of_other_widths_are_kept_and_predict(
    voc: TinyVoc, tmp_path: Path, weights: str, channels: int, wsss: Command
) -> None:
    config = _config(voc, tmp_path, weights, head_channels=channels)
    report = segment.run(config, track=Silent())
    found = _network(tmp_path)
    assert found["classifier.score.weight"].shape == (4, channels or 96, 1, 1)
    assert ("classifier.fc6.weight" in found) == (channels > 0)
    if not channels:
        assert report.values["initial_weights"]["fc6_fc7"] == "left out"
    checkpoint = tmp_path / "segment" / "checkpoint.pt"
    assert wsss("show", checkpoint, "--json").values["facts"]["head_channels"] == channels
    first = [p.read_bytes() for p in sorted((tmp_path / "segment" / "predictions").iterdir())]
    run = tmp_path / "again"
    views: dict[str, Any] = {"scales": (1.0,), "flip": False, "amp": "off"}
    segment.run(
        SegmentConfig(run=run, data=voc.root, checkpoint=checkpoint, **views), track=Silent()
    )
    place = run / "segment" / "predictions"
    assert first == [p.read_bytes() for p in sorted(place.iterdir())]


def test_scores_of_a_linear_head_are_linear_in_the_features() -> None:
    network = deeplab_largefov.build("tiny", 3, 0).eval()
    images = torch.rand(1, 3, 48, 64) * 255
    weight, bias = network.classifier.score.weight[:, :, 0, 0], network.classifier.score.bias
    with torch.no_grad():
        expected = torch.einsum("lk,bkhw->blhw", weight, network.trunk(images))
        torch.testing.assert_close(network.scores(images), expected + bias[None, :, None, None])


def test_learns_the_drawn_shapes(voc: TinyVoc, tmp_path: Path, weights: str) -> None:
    report = segment.run(_config(voc, tmp_path, weights, iterations=60), track=Silent())
    lines = (tmp_path / "segment" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 6
    assert report.values["losses"]["segmentation"] < 0.9


@pytest.mark.parametrize("beside", ["nothing", "pixel_weights", "label_correction"])
def test_stopped_on_the_way_every_image_passes_once(
    voc: TinyVoc, tmp_path: Path, weights: str, beside: str
) -> None:
    changes: dict[str, Any] = {}
    if beside == "pixel_weights":
        changes = {"pixel_weights": voc.saliency}
    elif beside == "label_correction":
        changes = {"label_correction": "adele", "iterations": 18}
    passes: list[int] = []
    forward = Trunk.forward

    def counted(self: Trunk, images: torch.Tensor) -> torch.Tensor:
        if images.device.type != "meta" and images.shape[-1] == config.crop:
            if stop_after is not None and sum(passes) >= stop_after:
                raise KeyboardInterrupt
            passes.append(len(images))
        return forward(self, images)

    stop_after: int | None = None
    config = _config(voc, tmp_path / "whole", weights, **changes)
    segment.run(config, track=Silent())
    parts = replace(config, run=tmp_path / "parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trunk, "forward", counted)
        stop_after = 8
        with pytest.raises(KeyboardInterrupt):
            segment.run(parts, track=Silent())
        assert "features.bin" in read_manifest(tmp_path / "parts" / "segment")["owned"]
        stop_after = None
        with pytest.raises(UsageError, match="crop"):
            segment.run(replace(parts, crop=32), track=Silent())
        passes.clear()
        segment.run(parts, track=Silent())
        assert sum(passes) == 4
    first, second = _network(tmp_path / "whole"), _network(tmp_path / "parts")
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_features_of_another_version_of_the_stage_are_not_learned_from(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    plan = segment.prepare(_config(voc, tmp_path, weights), Silent())
    plan.directory.path.mkdir(parents=True)
    features.pass_images(plan, untrained(plan).network, Silent())
    assert features.cache_of(plan).done() == 12
    directory = replace(plan.directory, stage_version=plan.directory.stage_version + 1)
    assert features.cache_of(replace(plan, directory=directory)).done() == 0


def test_stopped_inside_a_batch_the_batches_are_the_same(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(voc, tmp_path, weights, batch_size=5)
    plan = segment.prepare(config, Silent())
    plan.directory.path.mkdir(parents=True)
    whole = features.pass_images(plan, untrained(plan).network, Silent()).rows.copy()
    cache = features.cache_of(plan)
    cache.keep(7)
    with cache.path.open("ab") as file:
        file.write(b"a part of the next one")
    batches: list[int] = []
    forward = Trunk.forward

    def counted(self: Trunk, images: torch.Tensor) -> torch.Tensor:
        if images.device.type != "meta":
            batches.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(Trunk, "forward", counted)
    rows = features.pass_images(plan, untrained(plan).network, Silent()).rows
    assert batches == [5, 2]
    np.testing.assert_array_equal(rows, whole)


def test_what_cannot_be_is_refused_before_any_work(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(voc, tmp_path / "run", weights)
    with pytest.raises(UsageError, match="--weights"):
        replace(config, weights="none")
    with pytest.raises(UsageError, match="--weights"):
        segment.prepare(replace(config, weights=None), Silent())
    monkeypatch.setattr(ranks, "world", lambda: 2)
    monkeypatch.setattr(ranks, "agreed", lambda decide: decide())
    with pytest.raises(UsageError, match=r"--heads-only.*torchrun"):
        segment.prepare(config, Silent())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "setting", ['preset = "quick"', "heads-only = true", 'label-correction = "adele"']
)
def test_a_trained_network_predicts_whatever_a_file_sets_for_training(
    voc: TinyVoc, tmp_path: Path, weights: str, wsss: Command, setting: str
) -> None:
    segment.run(_config(voc, tmp_path, weights, iterations=1), track=Silent())
    (tmp_path / "wsss.toml").write_text(f"[segment]\n{setting}\n")
    line = ["segment", "--checkpoint", tmp_path / "segment" / "checkpoint.pt", "--data", voc.root]
    line += ["--run", tmp_path / "again", "--config", tmp_path / "wsss.toml", "--scales", "1"]
    outcome = wsss(*line)
    assert outcome.code == 0, outcome.err
    assert "corrected" not in outcome.out + outcome.err


def test_a_lost_prediction_needs_no_features(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(voc, tmp_path, weights, iterations=1)
    segment.run(config, track=Silent())
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    next((tmp_path / "segment" / "predictions").iterdir()).unlink()
    assert not segment.run(config, track=Silent()).up_to_date
    assert len([*(tmp_path / "segment" / "predictions").iterdir()]) == 4
    with pytest.raises(WsssError, match=r"12 images.*free"):
        segment.prepare(replace(config, overwrite=True), Silent())


def test_what_is_known_of_a_training_outlives_its_log(
    voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    config = _config(voc, tmp_path, weights, iterations=10)
    before = segment.run(config, track=Silent()).values
    assert before["losses"]
    (tmp_path / "segment" / "metrics.jsonl").unlink()
    after = segment.run(config, track=Silent()).values
    for name in ("losses", "training_seconds", "initial_weights"):
        assert after[name] == before[name]
    assert after["seconds"] >= after["training_seconds"] > 0
    # Another training is another result, of which nothing was known.
    other = segment.run(replace(config, iterations=1, overwrite=True), track=Silent()).values
    assert other["losses"] == {}


@pytest.mark.parametrize("killed", [False, True])
def test_features_are_gone_before_predictions_begin(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    config = _config(voc, tmp_path, weights, iterations=1)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(segment, "predict", stop)
    with pytest.raises(KeyboardInterrupt):
        segment.run(config, track=Silent())
    if killed:  # after the network was written
        (tmp_path / "segment" / "features.bin").write_bytes(bytes(1000))
        with pytest.raises(KeyboardInterrupt):
            segment.run(config, track=Silent())
    assert (tmp_path / "segment" / "checkpoint.pt").exists()
    assert not (tmp_path / "segment" / "features.bin").exists()


def test_no_room_is_told_before_any_work(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(WsssError, match=r"12 images.*free"):
        segment.prepare(_config(voc, tmp_path / "run", weights), Silent())


def test_the_room_of_other_features_is_free(
    voc: TinyVoc, tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = segment.prepare(_config(voc, tmp_path, weights), Silent())
    plan.directory.path.mkdir(parents=True)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    cache = features.cache_of(plan)
    cache.path.write_bytes(bytes(bytes_of_features(12, cache.shape) - 100))
    features.require_features(plan)
    cache.path.write_bytes(bytes(bytes_of_features(12, cache.shape) - 101))
    with pytest.raises(WsssError, match=r"12 images.*free"):
        features.require_features(plan)


def test_fingerprint_of_other_trainings_is_as_it_was() -> None:
    assert "heads_only" not in settings(SegmentConfig())
    only = settings(SegmentConfig(heads_only=True))
    assert only["heads_only"]
    assert only == settings(SegmentConfig(heads_only=True, frozen_blocks=3))


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [([(375, 500)] * 3, None), ([(300, 400), (3000, 4000), (3000, 4000)], "0.056")],
)
def test_crops_that_show_little_of_a_photograph_are_told(
    sizes: list[tuple[int, int]], shown: str | None
) -> None:
    config = SegmentConfig(crop=225, scale_low=0.5, scale_high=0.5)
    remark = narrow_views(config, sizes)
    assert (remark is None) == (shown is None)
    if remark is not None and shown is not None:
        # 225 of 1500 rows and of 2000 columns.
        assert "2% of a photograph of 3000 x 4000" in remark
        assert f"--scale-low {shown} --scale-high {shown}" in remark


def test_dry_run_counts_the_features(
    wsss: Command, voc: TinyVoc, tmp_path: Path, weights: str
) -> None:
    command = f"segment --data {voc.root} --model tiny --supervision full --train-split train"
    command += f" --weights {weights} --crop 64 --iterations 4 --batch-size 4"
    command += f" --run {tmp_path / 'run'} --dry-run --json"
    whole = wsss(*command.split()).values["estimate"]
    heads = wsss(*command.split(), "--heads-only").values["estimate"]
    trunk, kept = 4 * 135_960, 12 * 96 * 8 * 8 * 2
    # The states to go on from hold no trunk, nor its momentum.
    assert heads["bytes_on_disk"] - whole["bytes_on_disk"] == pytest.approx(
        kept - 4 * trunk, abs=200
    )
