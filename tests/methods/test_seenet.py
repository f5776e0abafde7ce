"""SeeNet against a naive version written from the definition, one forward per present class."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.configs.common import settings
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import seenet
from wsss_cli.methods.seenet import SeeNetNetwork
from wsss_cli.models import two_heads
from wsss_cli.models.trunks import build_trunk
from wsss_cli.ops.attention import fuse_branches
from wsss_cli.stages.attend.network_attention import attention_of

NUM_CLASSES = 4


def _network(seed: int = 0, **settings: object) -> SeeNetNetwork:
    """The tiny trunk with random statistics and heads whose scores have both signs."""
    torch.manual_seed(seed)
    network = seenet.build(
        build_trunk("tiny"), NUM_CLASSES, TrainConfig(backbone="tiny", **settings)
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.normal_(module.bias, std=0.3)
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
    return network.eval()


def _batch(seed: int = 0, images: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(images, 3, 8, 8, generator=generator) * 255
    pixels = functional.interpolate(coarse, (64, 64), mode="nearest")
    labels = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]])[:images]
    return pixels, labels.float()


def _naive_features(network: SeeNetNetwork, image: Tensor) -> Tensor:
    x = (image[None] - 127.5) / 64.0
    for layer in network.trunk.features:
        if isinstance(layer, nn.Conv2d):
            x = functional.conv2d(x, layer.weight, None, padding=1)
        elif isinstance(layer, nn.BatchNorm2d):
            shape = (1, -1, 1, 1)
            deviation = torch.sqrt(layer.running_var + layer.eps)
            x = (x - layer.running_mean.view(shape)) / deviation.view(shape)
            x = x * layer.weight.view(shape) + layer.bias.view(shape)
        elif isinstance(layer, nn.ReLU):
            x = x.clamp(min=0)
        else:
            x = functional.max_pool2d(x, 2)
    return x


def _naive_scores(head: nn.Module, features: Tensor) -> Tensor:
    """Conv 3x3 + ReLU, conv 3x3 + ReLU, conv 1x1 (the dropout does nothing in a test)."""
    first, second, last = [layer for layer in head.modules() if isinstance(layer, nn.Conv2d)]
    x = functional.conv2d(features, first.weight, first.bias, padding=1).clamp(min=0)
    x = functional.conv2d(x, second.weight, second.bias, padding=1).clamp(min=0)
    return functional.conv2d(x, last.weight, last.bias)


def _naive_prior(scores: Tensor, present: list[int]) -> Tensor:
    """One image's scores (C, h, w) to its prior (h, w)."""
    positive = scores[present].clamp(min=0)
    low, high = positive.min(), positive.max()
    if high == low:
        return torch.zeros_like(positive[0])
    return ((positive - low) / (high - low)).max(dim=0).values


def _naive_ternary(prior: Tensor, high: float, low: float, background: float = -1.0) -> Tensor:
    if not prior.any():
        return torch.ones_like(prior)
    mask = [[0.0 if m > high else background if m < low else 1.0 for m in row] for row in prior]
    return torch.tensor(mask)


def _forward_with_one_label(network: SeeNetNetwork, image: Tensor, column: int) -> list[np.ndarray]:
    """The raw maps of S_A and S_B with only one label set."""
    features = _naive_features(network, image)
    scores_a = _naive_scores(network.head_a, features)
    prior = _naive_prior(scores_a[0], [column])
    mask = _naive_ternary(prior, network.config.delta_high, network.config.delta_low)
    scores_b = _naive_scores(network.head_b, features.clamp(min=0) * mask)
    return [scores_a[0, column].numpy(), scores_b[0, column].numpy()]


def _normalised(raw: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    resized = cv2.resize(raw, size[::-1], interpolation=cv2.INTER_CUBIC).clip(min=0)
    return resized / (resized.max() + 1e-8)


def _naive_attention(
    network: SeeNetNetwork, images: Tensor, labels: Tensor, size: tuple[int, int], *, flip: bool
) -> Tensor:
    """(P, H, W) maps of every present class, image by image."""
    fused = []
    with torch.no_grad():
        for image, row in zip(images, labels, strict=True):
            for column in row.nonzero().flatten().tolist():
                maps = _forward_with_one_label(network, image, column)
                attention = np.maximum(*(_normalised(raw, size) for raw in maps))
                if flip:
                    mirrored = _forward_with_one_label(network, image.flip(-1), column)
                    other = np.maximum(*(_normalised(raw, size) for raw in mirrored))
                    attention = np.maximum(attention, other[:, ::-1])
                fused.append(torch.from_numpy(attention.copy()))
    return torch.stack(fused)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("deltas", [(0.7, 0.05), (0.8, 0.0), (0.5, 0.3)])
def test_attention_equals_one_forward_per_present_class(
    flip: bool, deltas: tuple[float, float]
) -> None:
    network = _network(delta_high=deltas[0], delta_low=deltas[1])
    images, labels = _batch()
    size = (50, 83)
    with torch.inference_mode():
        raw = attention_of(network, images, labels, flip=flip)
        attention = fuse_branches(raw.maps, size)
    expected = _naive_attention(network, images, labels, size, flip=flip)
    assert raw.pairs.tolist() == labels.nonzero().tolist()
    assert expected.amax() > 0.99
    torch.testing.assert_close(attention, expected, atol=1e-4, rtol=0)


def test_second_branch_is_not_the_first_one() -> None:
    """Guards the comparison above: a test in which erasing changes nothing could not fail."""
    network = _network()
    with torch.no_grad():
        maps = _forward_with_one_label(network, _batch()[0][0], 0)
    assert np.abs(maps[0] - maps[1]).max() > 0.1
    prior = _naive_prior(torch.from_numpy(maps[0])[None], [0])
    assert set(_naive_ternary(prior, 0.7, 0.05).unique().tolist()) == {-1.0, 0.0, 1.0}


def test_class_that_was_not_found_is_looked_for_on_whole_features() -> None:
    network = _network()
    with torch.no_grad():
        network.head_a.score.bias[0] = -1e4
    images, labels = _batch(images=1)
    with torch.inference_mode():
        raw = network.attention(images, labels)
        whole = _naive_scores(network.head_b, _naive_features(network, images[0]))
    torch.testing.assert_close(raw.maps[0, 1], whole[0, 0], atol=1e-4, rtol=0)


def test_batch_gives_what_images_one_by_one_give() -> None:
    network = _network(seed=1)
    images, labels = _batch(seed=1)
    with torch.inference_mode():
        together = attention_of(network, images, labels, flip=True)
        alone = [
            attention_of(network, image[None], row[None], flip=True)
            for image, row in zip(images, labels, strict=True)
        ]
    maps = torch.cat([one.maps for one in alone])
    torch.testing.assert_close(together.maps, maps, atol=1e-4, rtol=0)
    logits = torch.cat([one.logits for one in alone])
    torch.testing.assert_close(together.logits, logits, atol=1e-4, rtol=0)


def test_pairs_split_into_chunks_give_the_same_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _network()
    images, labels = _batch()
    with torch.inference_mode():
        whole = network.attention(images, labels).maps
        monkeypatch.setattr(two_heads, "PAIRS_AT_ONCE", 2)
        torch.testing.assert_close(network.attention(images, labels).maps, whole)


@pytest.mark.parametrize(("flip", "orientations"), [(False, 1), (True, 2)])
def test_trunk_sees_each_image_once_per_orientation(flip: bool, orientations: int) -> None:
    network = _network()
    images, labels = _batch()
    seen: list[int] = []
    network.trunk.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    with torch.inference_mode():
        attention_of(network, images, labels, flip=flip)
    assert sum(seen) == len(images) * orientations
    assert len(seen) <= orientations


def test_attention_of_a_mirrored_image_is_the_mirrored_attention() -> None:
    network = _network()
    images, labels = _batch()
    with torch.inference_mode():
        upright = attention_of(network, images, labels, flip=True)
        mirrored = attention_of(network, images.flip(-1), labels, flip=True)
        maps = fuse_branches(upright.maps, (40, 40))
        torch.testing.assert_close(
            fuse_branches(mirrored.maps, (40, 40)), maps.flip(-1), atol=1e-4, rtol=0
        )


def _cross_entropy(logits: Tensor, targets: Tensor) -> float:
    """Of one image, summed over classes."""
    probability = torch.sigmoid(logits.double())
    chosen = torch.where(targets > 0, probability, 1 - probability)
    return float(-chosen.log().sum())


def _naive_losses(network: SeeNetNetwork, images: Tensor, labels: Tensor) -> dict[str, float]:
    config = network.config
    below = config.delta_background
    if below is None:
        below = (config.delta_high + config.delta_low) / 2
    totals = {"a": 0.0, "b": 0.0, "c": 0.0}
    for image, row in zip(images, labels, strict=True):
        features = _naive_features(network, image)
        scores = _naive_scores(network.head_a, features)
        prior = _naive_prior(scores[0], row.nonzero().flatten().tolist())
        mask = _naive_ternary(
            prior, config.delta_high, config.delta_low, -1.0 if config.sign_flip else 0.0
        )
        erased = _naive_scores(network.head_b, features.clamp(min=0) * mask)
        totals["a"] += _cross_entropy(scores[0].mean(dim=(1, 2)), row)
        totals["b"] += _cross_entropy(erased[0].mean(dim=(1, 2)), row)
        if prior.any():
            head_c = network.head_b if network.head_c is None else network.head_c
            background = _naive_scores(head_c, features * (prior < below))
            totals["c"] += _cross_entropy(background[0].mean(dim=(1, 2)), torch.zeros_like(row))
    return {name: total / len(images) for name, total in totals.items()}


@pytest.mark.parametrize("sign_flip", [True, False])
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("delta_background", [None, 0.05, 0.6])
def test_losses_of_the_branches_equal_their_definition(
    sign_flip: bool, share: bool, delta_background: float | None
) -> None:
    network = _network(
        sign_flip=sign_flip, share_background_head=share, delta_background=delta_background
    )
    images, labels = _batch()
    with torch.no_grad():
        losses = network.losses(images, labels)
        expected = _naive_losses(network, images, labels)
    assert {name: float(loss) for name, loss in losses.items()} == pytest.approx(expected, rel=1e-4)
    assert expected["a"] != pytest.approx(expected["b"], rel=0.01)
    assert float(sum(losses.values())) == pytest.approx(sum(expected.values()), rel=1e-4)


@pytest.mark.parametrize("share", [True, False])
def test_without_the_background_branch_there_is_no_third_loss(share: bool) -> None:
    network = _network(background_branch=False, share_background_head=share)
    assert set(network.losses(*_batch())) == {"a", "b"}
    assert network.head_c is None


def test_third_branch_uses_the_second_ones_parameters_by_default() -> None:
    network = _network()
    losses = network.losses(*_batch())
    losses["c"].backward()
    assert all(parameter.grad is not None for parameter in network.head_b.parameters())
    heads = {name.split(".")[0] for name, _ in network.named_parameters()}
    assert heads == {"trunk", "head_a", "head_b"}


def test_third_branch_has_its_own_parameters_when_asked() -> None:
    network = _network(share_background_head=False)
    network.losses(*_batch())["c"].backward()
    assert all(parameter.grad is None for parameter in network.head_b.parameters())
    assert all(parameter.grad is not None for parameter in network.head_c.parameters())


@pytest.mark.parametrize("branch", ["b", "c"])
def test_no_gradient_flows_to_the_first_branch_through_the_masks(branch: str) -> None:
    network = _network()
    network.losses(*_batch())[branch].backward()
    assert all(parameter.grad is None for parameter in network.head_a.parameters())
    assert any(parameter.grad is not None for parameter in network.trunk.parameters())


@pytest.mark.parametrize(("sign_flip", "background"), [(True, -1.0), (False, 0.0)])
def test_background_factor_is_minus_one_or_without_sign_flip_zero(
    sign_flip: bool, background: float
) -> None:
    prior = torch.tensor([[[1.0, 0.71, 0.7], [0.5, 0.05, 0.04], [0.0, 0.0, 0.2]]])
    expected = torch.tensor([[[0.0, 0.0, 1.0], [1.0, 1.0, background], [background] * 2 + [1.0]]])
    assert torch.equal(_network(sign_flip=sign_flip).erasing_mask(prior), expected)


class _GivenFeatures(nn.Module):
    """A trunk that returns what it was given, so that a gradient can be read there."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = nn.Parameter(features)
        self.channels = features.shape[1]
        self.head_std = None

    def forward(self, images: Tensor) -> Tensor:
        del images
        return self.features


@pytest.fixture
def given() -> Iterator[tuple[SeeNetNetwork, Tensor]]:
    """A network on given features of both signs, with the labels of two images."""
    torch.manual_seed(3)
    trunk = _GivenFeatures(torch.randn(2, 96, 6, 6))
    network = SeeNetNetwork(trunk, NUM_CLASSES, TrainConfig(backbone="tiny")).eval()
    yield network, torch.tensor([[1.0, 0, 1, 0], [0, 1.0, 0, 0]])


def test_second_branchs_gradient_reaches_the_trunk_with_the_masks_sign(
    given: tuple[SeeNetNetwork, Tensor],
) -> None:
    network, labels = given
    features = network.trunk.features
    network.losses(torch.empty(2), labels)["b"].backward()
    with torch.no_grad():
        scores = _naive_scores(network.head_a, features)
        masks = torch.stack(
            [
                _naive_ternary(_naive_prior(s, row.nonzero().flatten().tolist()), 0.7, 0.05)
                for s, row in zip(scores, labels, strict=True)
            ]
        )[:, None]
    assert {-1.0, 0.0, 1.0} == set(masks.unique().tolist())
    seen_by_b = (features.detach().clamp(min=0) * masks).requires_grad_()
    logits = _naive_scores(network.head_b, seen_by_b).mean(dim=(2, 3))
    loss = functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / 2
    (at_b,) = torch.autograd.grad(loss, seen_by_b)
    expected = at_b * masks * (features.detach() > 0)
    torch.testing.assert_close(features.grad, expected, atol=1e-6, rtol=1e-4)
    assert features.grad.abs().max() > 0


def test_image_whose_prior_is_empty_adds_nothing_to_the_third_loss(
    given: tuple[SeeNetNetwork, Tensor],
) -> None:
    network, labels = given
    with torch.no_grad():
        network.head_a.score.bias[1] = -1e4  # the second image's only class is never found
    both = network.losses(torch.empty(2), labels)["c"]
    both.backward()
    gradient = network.trunk.features.grad
    assert gradient[0].abs().max() > 0
    assert gradient[1].abs().max() == 0
    first = SeeNetNetwork(
        _GivenFeatures(network.trunk.features.detach()[:1]),
        NUM_CLASSES,
        TrainConfig(backbone="tiny"),
    ).eval()
    first.load_state_dict({**network.state_dict(), "trunk.features": first.trunk.features})
    alone = float(first.losses(torch.empty(1), labels[:1])["c"].detach())
    assert float(both.detach()) == pytest.approx(alone / 2, rel=1e-5)
    assert alone > 0.1


def test_trainings_from_before_the_threshold_of_s_c_stay_what_they_are() -> None:
    """Unsaid, it leaves no trace in what a training is known by."""
    assert "delta_background" not in settings(TrainConfig())
    assert settings(TrainConfig(delta_background=0.1))["delta_background"] == 0.1
