"""EPS: what its network learns from and how it attends."""

import pytest
import torch
from torch import Tensor

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import eps
from wsss_cli.models.trunks import build_trunk
from wsss_cli.ops.saliency_supervision import saliency_loss

LABELS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


def _network(**settings: object) -> eps.EpsNetwork:
    torch.manual_seed(0)
    config = TrainConfig(backbone="tiny", method="eps", **settings)
    return eps.build(build_trunk("tiny"), 3, config).eval()


def _images() -> Tensor:
    return 255 * torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(("reduction", "factor"), [(None, 3.0), ("sum", 3.0), ("mean", 1.0)])
def test_losses_keep_their_proportion_whatever_the_reduction(
    reduction: str | None, factor: float
) -> None:
    network = _network(loss_reduction=reduction, eps_weight=0.5, eps_tau=0.3, eps_lambda=0.7)
    saliency = torch.rand(2, 40, 48, generator=torch.Generator().manual_seed(6))
    found = network.losses(_images(), LABELS, saliency)
    scores = network.head_a(network.trunk(_images()))  # (2, 4, 5, 6)
    grid = saliency.reshape(2, 5, 8, 6, 8).mean(dim=(2, 4))
    expected = 0.5 * factor * saliency_loss(scores, LABELS, grid, 0.3, 0.7)
    torch.testing.assert_close(found["saliency"], expected)
    logits = scores[:, :3].mean(dim=(2, 3))
    entropy = -(LABELS * logits.sigmoid().log() + (1 - LABELS) * (-logits).sigmoid().log())
    expected = entropy.sum(dim=1).mean() * (factor / 3)
    torch.testing.assert_close(found["a"], expected)


def test_what_stands_out_in_an_image_of_no_class_is_background() -> None:
    network = _network()
    saliency = torch.rand(2, 40, 48, generator=torch.Generator().manual_seed(6))
    labels = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    found = network.losses(_images(), labels, saliency)
    saliency[0] = 0
    torch.testing.assert_close(found, network.losses(_images(), labels, saliency))
    saliency[1] = 0
    assert not torch.equal(
        found["saliency"], network.losses(_images(), labels, saliency)["saliency"]
    )


def test_attention_compares_the_background_and_the_images_own_classes() -> None:
    network = _network()
    found = network.attention(_images(), LABELS)
    scores = network.head_a(network.trunk(_images())).exp()
    assert found.pairs.tolist() == [[0, 0], [0, 2], [1, 1]]
    for (image, column), maps in zip(found.pairs.tolist(), found.maps, strict=True):
        shown = [0, 2, 3] if image == 0 else [1, 3]
        expected = scores[image, column] / scores[image, shown].sum(dim=0)
        torch.testing.assert_close(maps[0], expected)
    assert found.logits.shape == (2, 3)


def test_it_learns_to_draw_the_saliency() -> None:
    network = _network(loss_reduction="mean").train()
    images = 40 * torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images[:, :, :, 16:] += 150
    saliency = torch.zeros(8, 32, 32)
    saliency[:, :, 16:] = 1
    images[4:], saliency[4:] = images[4:].flip(-1), saliency[4:].flip(-1)
    labels = torch.zeros(8, 3)
    labels[::2, 0] = labels[1::2, 1] = 1
    images[::2, 0] *= 1.3
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    for _ in range(40):
        optimiser.zero_grad()
        torch.stack(list(network.losses(images, labels, saliency).values())).sum().backward()
        optimiser.step()
    maps = network.eval().attention(images, labels).maps[:, 0]  # (8, 4, 4), one class an image
    right, left = maps[:, :, 2:].mean(dim=(1, 2)), maps[:, :, :2].mean(dim=(1, 2))
    assert (right[:4] > left[:4] + 0.8).all()
    assert (left[4:] > right[4:] + 0.8).all()
