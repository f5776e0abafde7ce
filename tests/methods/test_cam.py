"""CAM: the identity between map and score, and the method table."""

import importlib
import subprocess
import sys

import pytest
import torch
from torch import nn

from wsss_cli.configs.methods import METHODS, learns_from_saliency
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import cam
from wsss_cli.methods.network_file import import_method
from wsss_cli.models.classifier import Classifier
from wsss_cli.models.trunks import build_trunk
from wsss_cli.stages.attend.network_attention import attention_of


def _network() -> Classifier:
    torch.manual_seed(0)
    return cam.build(build_trunk("tiny"), 3, TrainConfig(backbone="tiny", method="cam")).eval()


LABELS = torch.tensor([[1.0, 0, 1], [0, 1, 0]])


def _images() -> torch.Tensor:
    return torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(1)) * 255


def test_spatial_mean_of_the_map_is_the_logit() -> None:
    found = _network().attention(_images(), LABELS)
    image, column = found.pairs.unbind(dim=1)
    assert found.maps.shape == (3, 1, 6, 8)
    torch.testing.assert_close(found.maps[:, 0].mean(dim=(1, 2)), found.logits[image, column])


def test_only_present_classes_have_maps_in_the_order_of_the_images() -> None:
    assert _network().attention(_images(), LABELS).pairs.tolist() == [[0, 0], [0, 2], [1, 1]]


def test_loss_is_the_cross_entropy_summed_over_classes_and_averaged_over_images() -> None:
    network = _network()
    probability = torch.sigmoid(network.attention(_images(), LABELS).logits.double())
    chosen = torch.where(LABELS > 0, probability, 1 - probability)
    expected = -chosen.log().sum().detach() / 2
    losses = network.losses(_images(), LABELS)
    assert list(losses) == ["a"]
    assert float(losses["a"].detach()) == pytest.approx(float(expected), rel=1e-5)


def test_mirrored_maps_are_mirrored_back_beside_the_upright_ones() -> None:
    network, images = _network(), _images()
    with torch.inference_mode():
        both = attention_of(network, images, LABELS, flip=True)
        upright = network.attention(images, LABELS)
        mirrored = network.attention(images.flip(-1), LABELS)
    torch.testing.assert_close(both.maps[:, :1], upright.maps, atol=1e-4, rtol=0)
    torch.testing.assert_close(both.maps[:, 1:], mirrored.maps.flip(-1), atol=1e-4, rtol=0)
    torch.testing.assert_close(both.logits, upright.logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_table_builds_a_network_that_learns_and_attends(name: str) -> None:
    torch.manual_seed(0)
    network = import_method(name).build(
        build_trunk("tiny"), 3, TrainConfig(backbone="tiny", method=name)
    )
    assert isinstance(network, nn.Module)
    saliency = [torch.rand(2, *_images().shape[-2:])] if learns_from_saliency(name) else []
    losses = network.losses(_images(), LABELS, *saliency)
    assert losses["a"].shape == ()
    assert losses.keys() == METHODS[name].losses.keys()
    found = network.eval().attention(_images(), LABELS)
    assert found.logits.shape == (2, 3)
    assert found.maps.shape[0] == len(found.pairs) == 3
    module = importlib.import_module(f"wsss_cli.methods.{name}")
    assert METHODS[name].paper.split()[0] in (module.__doc__ or "")


def test_reading_the_table_imports_no_torch() -> None:
    code = "import sys, wsss_cli.configs.methods; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
