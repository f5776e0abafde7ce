"""SENSE: each of its losses, from its parts."""

import pytest
import torch
from torch import Tensor

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import sense
from wsss_cli.models.trunks import build_trunk
from wsss_cli.ops.saliency_supervision import present_probabilities, saliency_loss

LABELS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


def _network(**settings: object) -> sense.SenseNetwork:
    torch.manual_seed(0)
    config = TrainConfig(backbone="tiny", method="sense", loss_reduction="mean", **settings)
    return sense.build(build_trunk("tiny"), 3, config).eval()


def _images() -> Tensor:
    return 255 * torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(5))


def _saliency() -> Tensor:
    return torch.rand(2, 40, 48, generator=torch.Generator().manual_seed(6))


def test_parts_are_left_out_where_they_weigh_nothing() -> None:
    network = _network(sense_own=0.0, sense_erasing=0.0)
    assert network.losses(_images(), LABELS, _saliency()).keys() == {"a", "saliency"}
    assert not any(name.startswith("head_b") for name, _ in network.named_parameters())


def test_saliency_loss_is_that_of_eps() -> None:
    network = _network(sense_saliency=2.0, sense_tau=0.3)
    scores = network.head_a(network.trunk(_images()))
    grid = _saliency().reshape(2, 5, 8, 6, 8).mean(dim=(2, 4))
    expected = 2 * saliency_loss(scores, LABELS, grid, 0.3, 0.5)
    torch.testing.assert_close(network.losses(_images(), LABELS, _saliency())["saliency"], expected)


def test_second_head_sees_nothing_where_the_first_is_sure_and_the_background_reversed() -> None:
    network = _network()
    seen: list[Tensor] = []
    assert network.head_b is not None
    network.head_b.register_forward_hook(lambda _, given, __: seen.append(given[0].detach()))
    features = network.trunk(_images()).detach()
    told = torch.full((2, 4, 5, 6), 0.5)
    told[:, :3] = 0.1
    told[0, 2, 0, 0] = 0.9  # sure of a class of the image
    told[0, :3, 1, 1] = 0.01  # background
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sense, "present_probabilities", lambda *_: told)
        network.losses(_images(), LABELS, _saliency())
    erased, background = seen
    assert not erased[0, :, 0, 0].any()
    torch.testing.assert_close(erased[0, :, 1, 1], -features[0, :, 1, 1])
    torch.testing.assert_close(erased[0, :, 2, 2], features[0, :, 2, 2])
    torch.testing.assert_close(background[0, :, 1, 1], features[0, :, 1, 1])
    assert not background[0, :, 0, 0].any()


def test_own_labels_are_those_of_the_image_and_only_where_it_is_sure() -> None:
    network = _network()
    scores = torch.zeros(2, 4, 5, 6, requires_grad=True)
    told = present_probabilities(torch.zeros(2, 4, 5, 6), LABELS)
    assert network.own_loss(_images(), scores, told).item() == 0  # thirds and halves: never sure
    certain = torch.zeros(2, 4, 5, 6)
    certain[0, 2], certain[1, 3] = 9.0, 9.0
    told = present_probabilities(certain, LABELS)
    network.own_loss(_images(), scores, told).backward()
    gradient = scores.grad
    assert gradient is not None
    assert (gradient[0, 2] < 0).all()  # towards the class that it is sure of
    assert (gradient[1, 3] < 0).all()  # towards the background
    assert (gradient[0, [0, 1, 3]] > 0).all()


def test_own_loss_weighs_background_and_classes_alike() -> None:
    network = _network()
    certain = torch.zeros(1, 4, 8, 8)
    certain[0, 3], certain[0, 0, 0, 0] = 9.0, 30.0
    labels = torch.tensor([[1.0, 0.0, 0.0]])
    told = present_probabilities(certain, labels)
    scores = torch.zeros(1, 4, 8, 8)
    scores[0, 3] = 20.0  # right on the background, wrong on the one position of the class
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sense, "refine_by_colour", lambda maps, _: maps)
        loss = network.own_loss(torch.zeros(1, 3, 64, 64), scores, told)
    assert loss.item() == pytest.approx(10.0, rel=0.05)
