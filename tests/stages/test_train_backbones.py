"""``wsss train`` on other trunks and output strides, and what later stages know of them."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Command, TinyVoc
from torch import Tensor

from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import UsageError
from wsss_cli.methods.network_file import build_network, load_network, write_network
from wsss_cli.models.pretrained import InitialWeights
from wsss_cli.models.trunks import build_trunk
from wsss_cli.stages import train
from wsss_cli.tracking import Silent

STEP: dict[str, Any] = {"method": "cam", "iterations": 1, "batch_size": 2, "crop": 32, "lr": 1e-3}
NAMES = ("square", "disc", "cross")


def _config(voc: TinyVoc, run: Path, **settings: Any) -> TrainConfig:
    return TrainConfig(
        run=run, data=voc.root, amp="off", held_out=0.0, **{**STEP, "weights": "none", **settings}
    )


@pytest.fixture(scope="module")
def fine(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose VGG16 has output stride 8."""
    run = tmp_path_factory.mktemp("fine")
    train.run(_config(voc, run, output_stride=8, head_channels=8), track=Silent())
    yield run
    shutil.rmtree(run)


def test_attention_of_output_stride_8_is_drawn_from_a_grid_of_8(fine: Path) -> None:
    network, config, _ = load_network(fine / "train" / "checkpoint.pt")
    assert config.stride == 8
    image = torch.rand(1, 3, 64, 96) * 255
    with torch.inference_mode():
        maps = network.attention(image, torch.eye(3)[:1]).maps
    assert maps.shape == (1, 1, 8, 12)


def test_show_says_the_output_stride(wsss: Command, fine: Path) -> None:
    facts = wsss("show", fine / "train" / "checkpoint.pt", "--json").values["facts"]
    assert (facts["backbone"], facts["output_stride"]) == ("vgg16", 8)


def test_start_of_another_output_stride_is_a_decision(
    voc: TinyVoc, fine: Path, tmp_path: Path
) -> None:
    start = fine / "train" / "checkpoint.pt"
    config = replace(_config(voc, tmp_path, head_channels=8), weights=None, start=start)
    with pytest.raises(UsageError, match="--output-stride 8"):
        train.prepare(config, Silent())
    for stride in (8, 16):
        plan = train.prepare(replace(config, output_stride=stride), Silent())
        network = build_network(plan.config, 3, plan.weights)
        assert network.trunk.stride == stride
        begun = load_network(start)[0].state_dict()["trunk.features.28.weight"]
        assert torch.equal(network.trunk.features[28].weight, begun)


def test_checkpoint_older_than_the_option_has_output_stride_16(
    wsss: Command, tmp_path: Path
) -> None:
    config = TrainConfig(method="cam", backbone="vgg16", head_channels=4)
    network = build_network(config, 3, InitialWeights())
    path = tmp_path / "checkpoint.pt"
    write_network(path, config, NAMES, network)
    stored = torch.load(path, weights_only=True)["config"]
    later = {"output_stride", "loss_reduction", "lr_policy", "warmup", "head_lr_factor"}
    assert not later & set(stored)  # as a version has written it that did not know them
    loaded, _, _ = load_network(path)
    assert loaded.trunk.stride == 16
    assert wsss("show", path, "--json").values["facts"]["output_stride"] == 16


def _resnet_file(path: Path) -> dict[str, Tensor]:
    """Torchvision's names, the last scale of each block nearly off: blocks add up."""
    torch.manual_seed(0)
    layers = build_trunk("resnet50").features.state_dict()
    tensors = {n: t / 16 if n.endswith("bn3.weight") else t for n, t in layers.items()}
    torch.save({**tensors, "fc.weight": torch.zeros(2, 2)}, path)
    return tensors


@pytest.mark.parametrize("stride", [16, 8])
def test_resnet_learns_from_a_file_and_its_normalisation_stays(
    voc: TinyVoc, tmp_path: Path, stride: int
) -> None:
    tensors = _resnet_file(tmp_path / "resnet50.pth")
    weights = str(tmp_path / "resnet50.pth")
    run = tmp_path / "run"
    config = _config(voc, run, backbone="resnet50", output_stride=stride, weights=weights)
    train.run(config, track=Silent())
    network, trained, _ = load_network(run / "train" / "checkpoint.pt")
    assert (trained.backbone, trained.stride) == ("resnet50", stride)
    kept = network.trunk.features.state_dict()
    for name, tensor in tensors.items():
        moved = not torch.equal(kept[name], tensor)
        assert moved == ("conv" in name or "downsample.0" in name), name
    image = torch.rand(1, 3, 64, 96) * 255
    with torch.inference_mode():
        maps = network.eval().attention(image, torch.eye(3)[:1]).maps
    assert maps.shape == (1, 1, 64 // stride, 96 // stride)
    shutil.rmtree(run)  # a hundred megabytes


def test_resnet_does_not_start_from_nothing(voc: TinyVoc, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--weights none"):
        train.prepare(_config(voc, tmp_path, backbone="resnet50"), Silent())


def test_frozen_blocks_of_a_resnet_keep_their_weights(voc: TinyVoc, tmp_path: Path) -> None:
    tensors = _resnet_file(tmp_path / "resnet50.pth")
    config = _config(
        voc,
        tmp_path / "run",
        backbone="resnet50",
        weights=str(tmp_path / "resnet50.pth"),
        frozen_blocks=4,
    )
    train.run(config, track=Silent())
    kept = load_network(tmp_path / "run" / "train" / "checkpoint.pt")[0].trunk.features.state_dict()
    moved = {name.split(".")[0] for name, t in tensors.items() if not torch.equal(kept[name], t)}
    assert moved == {"layer4"}
    shutil.rmtree(tmp_path / "run")
