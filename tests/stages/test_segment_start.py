"""What a segmentation starts from, and its solver: chosen, said, and kept in the manifest."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TinyVoc

from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.trunks import build_trunk
from wsss_cli.stages import segment
from wsss_cli.stages.optimisation.solver import polynomial_fall
from wsss_cli.stages.segment.solver import optimiser, solver_constants
from wsss_cli.tracking import Silent


class Listening(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def _config(voc: TinyVoc, run: Path, **settings: Any) -> SegmentConfig:
    small: dict[str, Any] = {"iterations": 2, "batch_size": 2, "accumulate": 2, "crop": 32}
    return SegmentConfig(
        run=run, data=voc.root, supervision="full", amp="off", **{**small, **settings}
    )


def _train_manifest(run: Path, trained: Path, **config: str) -> None:
    """A copy of a training's manifest that says something else."""
    (run / "train").mkdir(parents=True)
    content = json.loads((trained / "train" / "manifest.json").read_text("utf-8"))
    content["config"].update(config)
    (run / "train" / "manifest.json").write_text(json.dumps(content), "utf-8")


def test_solver_and_initial_weights_are_said_and_kept(voc: TinyVoc, tmp_path: Path) -> None:
    track = Listening()
    config = _config(voc, tmp_path, model="tiny", weights="none", lr=0.002)
    report = segment.run(config, track=track)
    origin = {"trunk": "none", "fc6_fc7": "new: fc6 from He, fc7 from He"}
    assert report.values["initial_weights"] == origin
    manifest = read_manifest(tmp_path / "segment")
    assert manifest["counts"]["initial_weights"] == origin
    assert manifest["solver"] == {
        "lr": 0.002,
        "lr_power": 0.9,
        "lr_factors": {"bias": 2.0, "score": 10.0, "score_bias": 20.0},
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "bias_weight_decay": 0.0,
        "iterations": 2,
        "effective_batch": 4,
        "crop": 32,
        "scale_low": 0.7,
        "scale_high": 1.3,
        "mirrored": 0.5,
        "dropout": 0.5,
        "score_std": 0.01,
        "frozen_blocks": 0,
    }
    said = " ".join(track.notes)
    for words in (
        "2 iterations of 4 images (2 x 2)",
        "lr 0.002 poly 0.9",
        "x10 for the score layer",
        "x2 for biases",
        "(x20 the score's)",
        "momentum 0.9",
        "weight decay 0.0005 (biases 0)",
        "crop 32",
        "scales 0.7 to 1.3",
        "50% mirrored",
        "tiny from none (fc6, fc7: new: fc6 from He, fc7 from He)",
    ):
        assert words in said
    again = segment.run(config, track=Silent())
    assert again.up_to_date
    assert again.values["initial_weights"] == origin


def test_prediction_alone_has_neither_solver_nor_initial_weights(
    voc: TinyVoc, tmp_path: Path
) -> None:
    segment.run(_config(voc, tmp_path / "a", model="tiny"), track=Silent())
    checkpoint = tmp_path / "a" / "segment" / "checkpoint.pt"
    track = Listening()
    report = segment.run(_config(voc, tmp_path / "b", checkpoint=checkpoint), track=track)
    assert report.values["initial_weights"] is None
    assert read_manifest(tmp_path / "b" / "segment")["solver"] is None
    assert "solver" not in " ".join(track.notes)


def test_defaults_are_the_groups_solver() -> None:
    constants = solver_constants(SegmentConfig())
    expected = {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.0005, "iterations": 16000}
    assert {name: constants[name] for name in expected} == expected
    assert (constants["effective_batch"], constants["crop"]) == (10, 321)
    assert (constants["scale_low"], constants["scale_high"]) == (0.7, 1.3)
    assert (constants["dropout"], constants["score_std"]) == (0.5, 0.01)
    split = solver_constants(SegmentConfig(batch_size=2, accumulate=5))
    assert split == constants


def test_optimiser_is_what_the_constants_say() -> None:
    config = SegmentConfig(iterations=100)
    constants = solver_constants(config)
    network = deeplab_largefov.build("tiny", 3)
    groups = optimiser(network, config).param_groups
    found = {id(p): group for group in groups for p in group["params"]}
    factors = constants["lr_factors"]
    for name, parameter in network.named_parameters():
        bias, score = name.endswith("bias"), name.startswith("classifier.score")
        wanted = {
            (False, False): 1.0,
            (True, False): factors["bias"],
            (False, True): factors["score"],
            (True, True): factors["score_bias"],
        }
        group = found[id(parameter)]
        assert group["lr_factor"] == wanted[bias, score], name
        decay = constants["bias_weight_decay"] if bias else constants["weight_decay"]
        assert (group["weight_decay"], group["momentum"]) == (decay, 0.9), name
    rate = polynomial_fall(config.lr, config.iterations)
    assert rate(0) == constants["lr"]
    assert rate(50) == pytest.approx(0.001 * 0.5**0.9)
    assert rate(99) == pytest.approx(0.001 * 0.01**0.9)


@pytest.mark.parametrize("backbone", ["vgg16", "tiny"])
def test_model_is_that_of_the_trainings_backbone_unless_given(
    voc: TinyVoc, trained: Path, tmp_path: Path, backbone: str
) -> None:
    _train_manifest(tmp_path, trained, backbone=backbone)
    chosen = segment.prepare(_config(voc, tmp_path, weights="none"), Silent()).model
    assert chosen == {"vgg16": "deeplab-largefov-vgg16", "tiny": "tiny"}[backbone]
    given = _config(voc, tmp_path, model="deeplab-largefov-resnet50")
    assert segment.prepare(given, Silent()).model == "deeplab-largefov-resnet50"


def test_weights_are_inherited_by_the_same_backbone_only(
    voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    layers = build_trunk("vgg16").features.state_dict()
    tensors = {f"features.{n}": torch.zeros(1).expand(t.shape) for n, t in layers.items()}
    path = tmp_path / "vgg16.pth"
    torch.save(tensors, path)
    run = tmp_path / "run"
    _train_manifest(run, trained, backbone="vgg16", weights=str(path))
    names = {
        model: segment.prepare(_config(voc, run, model=model), Silent()).weights.name
        for model in SEGMENTATION_MODELS
    }
    assert names == {
        "deeplab-largefov-vgg16": str(path),
        "deeplab-largefov-resnet101": "imagenet",
        "deeplab-largefov-resnet50": "imagenet",
        "tiny": "none",
    }


def test_resnet_learns_and_predicts_from_a_file(voc: TinyVoc, tmp_path: Path) -> None:
    """From torchvision's own shapes; what is kept of the normalisation is the file's."""
    torch.manual_seed(0)
    trunk = build_trunk("resnet50").features.state_dict()
    # The last scale of each block nearly off: without measured statistics, blocks add up.
    tensors = {n: t / 16 if n.endswith("bn3.weight") else t for n, t in trunk.items()}
    torch.save({**tensors, "fc.weight": torch.zeros(2, 2)}, tmp_path / "resnet50.pth")
    config = _config(
        voc,
        tmp_path / "run",
        model="deeplab-largefov-resnet50",
        weights=str(tmp_path / "resnet50.pth"),
        iterations=1,
        accumulate=1,
        scales=(1.0,),
        flip=False,
    )
    report = segment.run(config, track=Silent())
    assert report.values["written"] == len(voc.val_ids)
    network, model, _ = segment.load_network(tmp_path / "run" / "segment" / "checkpoint.pt")
    assert model == "deeplab-largefov-resnet50"
    kept = network.trunk.features.state_dict()
    for name, tensor in tensors.items():
        moved = not torch.equal(kept[name], tensor)
        assert moved == ("conv" in name or "downsample.0" in name), name
    shutil.rmtree(tmp_path / "run")  # a hundred megabytes
