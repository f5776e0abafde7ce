"""SIPE: what its network learns from and how it attends."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import sipe
from wsss_cli.models.trunks import build_trunk
from wsss_cli.ops.image_prototypes import (
    normalised_activation,
    prototype_maps,
    structure_seeds,
)

LABELS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


def _network(**settings: object) -> sipe.SipeNetwork:
    torch.manual_seed(0)
    config = TrainConfig(backbone="tiny", method="sipe", loss_reduction="mean", **settings)
    return sipe.build(build_trunk("tiny"), 3, config).eval()


def _images() -> Tensor:
    return 255 * torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("backbone", ["vgg16", "tiny", "resnet50"])
def test_blocks_have_the_channels_that_they_say_and_end_with_the_features(backbone: str) -> None:
    trunk = build_trunk(backbone).eval()
    images = 255 * torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        blocks = trunk.block_features(images)
        assert [block.shape[1] for block in blocks] == trunk.block_channels()
        assert torch.equal(blocks[-1], trunk(images))


def test_losses_are_those_of_the_parts() -> None:
    network = _network(sipe_weight=2.0)
    found = network.losses(_images(), LABELS)
    *_, last = network.trunk.block_features(_images())
    scores = functional.conv2d(last, network.head_a.weight)
    activation = normalised_activation(scores, LABELS)
    stages = [stage.detach() for stage in network.trunk.block_features(_images())]
    parts = [
        functional.interpolate(functional.normalize(project(stage), dim=1), (5, 6), mode="bilinear")
        for stage, project in zip(stages, network.head_projections, strict=True)
    ]
    drawn = prototype_maps(structure_seeds(activation, LABELS, last), torch.cat(parts, dim=1))
    total = 0.0
    for image in range(2):
        for channel in range(4):
            if channel == 3 or LABELS[image, channel]:
                highest = drawn[image, channel].max() + 1e-5
                total += float(
                    (activation[image, channel] - drawn[image, channel] / highest).abs().sum()
                )
    assert found["prototypes"].item() == pytest.approx(2 * total / (2 * 4 * 30), rel=1e-4)
    logits = scores.mean(dim=(2, 3))
    expected = functional.multilabel_soft_margin_loss(logits, LABELS)
    torch.testing.assert_close(found["a"], expected)


def test_projections_learn_and_the_lower_blocks_learn_from_the_classifier_alone() -> None:
    network = _network()
    network.losses(_images(), LABELS)["prototypes"].backward()
    for project in network.head_projections:
        assert project.weight.grad is not None
        assert project.weight.grad.any()


def test_attention_is_where_a_class_beats_the_background() -> None:
    network = _network()
    found = network.attention(_images(), LABELS)
    assert found.pairs.tolist() == [[0, 0], [0, 2], [1, 1]]
    assert found.maps.shape == (3, 1, 5, 6)
    assert ((found.maps >= 0) & (found.maps <= 1.0001)).all()
