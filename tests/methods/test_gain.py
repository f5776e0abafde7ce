"""GAIN against a slow version, image by image and class by class, and its two gradient streams."""

import copy
import itertools
import math
from pathlib import Path

import pytest
import torch
from conftest import TinyVoc
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.images import read_image
from wsss_cli.data.resizing import resize_image
from wsss_cli.methods import gain
from wsss_cli.methods.gain import GainNetwork
from wsss_cli.methods.network_file import load_network
from wsss_cli.models.trunks import build_trunk
from wsss_cli.ops.attention import fuse_branches
from wsss_cli.stages import attend, train
from wsss_cli.tracking import Silent

LABELS = torch.tensor([[1.0, 0, 1], [0, 1, 0]], dtype=torch.float64)


def _network(frozen_blocks: int = 0, **settings: float) -> GainNetwork:
    """In double precision, with statistics and biases that are not trivial."""
    torch.manual_seed(0)
    trunk = build_trunk("tiny")
    trunk.freeze(frozen_blocks)
    config = TrainConfig(method="gain", backbone="tiny", head_channels=8, **settings)
    network = gain.build(trunk, 3, config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
    return network.double().eval()


def _images() -> Tensor:
    coarse = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(1)) * 255
    return functional.interpolate(coarse, (24, 32)).double()


def _logits(network: GainNetwork, features: Tensor) -> Tensor:
    first, second, last = [m for m in network.head_a.modules() if isinstance(m, nn.Conv2d)]
    x = functional.conv2d(features, first.weight, first.bias, padding=1).clamp(min=0)
    x = functional.conv2d(x, second.weight, second.bias, padding=1).clamp(min=0)
    return functional.conv2d(x, last.weight, last.bias)[0].mean(dim=(1, 2))


def _slow_grad_cam(network: GainNetwork, image: Tensor, column: int) -> list[list[float]]:
    features = network.trunk(image[None]).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(_logits(network, features)[column], features)
    features = features.detach()
    _, channels, height, width = features.shape
    weights = [float(gradient[0, k].sum()) / (height * width) for k in range(channels)]
    at = lambda y, x: sum(w * float(features[0, k, y, x]) for k, w in enumerate(weights))  # noqa: E731
    return [[max(0.0, at(y, x)) for x in range(width)] for y in range(height)]


def _stretched(rows: list[list[float]], height: int, width: int) -> list[list[float]]:
    """Bilinear, pixel centres at halves, the outermost samples continued."""

    def neighbours(position: int, target: int, source: int) -> tuple[int, int, float]:
        place = min(max((position + 0.5) * source / target - 0.5, 0.0), source - 1.0)
        low = math.floor(place)
        return low, min(low + 1, source - 1), place - low

    out = []
    for y in range(height):
        top, bottom, down = neighbours(y, height, len(rows))
        line = []
        for x in range(width):
            left, right, along = neighbours(x, width, len(rows[0]))
            upper = rows[top][left] * (1 - along) + rows[top][right] * along
            lower = rows[bottom][left] * (1 - along) + rows[bottom][right] * along
            line.append(upper * (1 - down) + lower * down)
        out.append(line)
    return out


def _slow_mining_loss(network: GainNetwork, images: Tensor, labels: Tensor) -> float:
    config, total = network.config, 0.0
    for image, row in zip(images, labels, strict=True):
        scores = []
        for column in row.nonzero()[:, 0].tolist():
            _, height, width = image.shape
            attention = _stretched(_slow_grad_cam(network, image, column), height, width)
            low, high = min(map(min, attention)), max(map(max, attention))
            assert high > low
            seen = (image - 127.5) / 64.0  # the tiny trunk's preprocessing
            for y, x in itertools.product(range(height), range(width)):
                relative = (attention[y][x] - low) / (high - low)
                mask = 1 / (1 + math.exp(-config.gain_omega * (relative - config.gain_sigma)))
                seen[:, y, x] = seen[:, y, x] - mask * seen[:, y, x]
            logit = float(_logits(network, network.trunk.features(seen[None]))[column].detach())
            scores.append(1 / (1 + math.exp(-logit)))
        total += sum(scores) / len(scores)
    return total / len(images)


@pytest.mark.parametrize(("sigma", "omega", "alpha"), [(0.5, 10.0, 1.0), (0.25, 100.0, 0.3)])
def test_losses_equal_their_definition(sigma: float, omega: float, alpha: float) -> None:
    network = _network(gain_sigma=sigma, gain_omega=omega, gain_alpha=alpha)
    losses = network.losses(_images(), LABELS)
    mining = _slow_mining_loss(network, _images(), LABELS)
    assert float(losses["mining"].detach()) == pytest.approx(alpha * mining, rel=1e-9)
    cross_entropy = 0.0
    for image, row in zip(_images(), LABELS, strict=True):
        probability = _logits(network, network.trunk(image[None])).sigmoid()
        chosen = torch.where(row > 0, probability, 1 - probability)
        cross_entropy -= float(chosen.log().sum().detach()) / 2
    assert float(losses["a"].detach()) == pytest.approx(cross_entropy, rel=1e-5)


def _attention(network: GainNetwork) -> Tensor:
    """The differentiable attention of the images, as the masks use it."""
    taken: list[Tensor] = []
    masked = network.masked
    network.masked = lambda images, attention: taken.append(attention) or masked(images, attention)
    network.losses(_images(), LABELS)
    del network.masked
    return taken[0]


def _gradients(network: GainNetwork) -> dict[str, Tensor]:
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in network.named_parameters()
    }


def test_mining_loss_reaches_the_parameters_through_the_mask_and_through_the_second_look() -> None:
    whole = _network()
    whole.losses(_images(), LABELS)["mining"].backward()
    masking = _network()
    looking = copy.deepcopy(masking)  # equal, so that each stream has parameters of its own
    looking.mining_loss(_images(), LABELS, _attention(masking)).backward()
    streams = zip(_gradients(masking).items(), _gradients(looking).values(), strict=True)
    for (name, by_mask), by_look in streams:
        torch.testing.assert_close(by_mask + by_look, _gradients(whole)[name])
        assert by_look.any(), name
        if name.startswith("head_a") and name.endswith("bias"):
            assert not by_mask.any()  # a bias does not change a slope but where a unit switches
        else:
            assert by_mask.norm() > 1e-3 * by_look.norm(), name


def test_gradient_of_the_mining_loss_is_that_of_finite_differences() -> None:
    network = _network()
    network.losses(_images(), LABELS)["mining"].backward()
    for name in ("trunk.features.4.weight", "head_a.hidden.2.weight", "head_a.score.weight"):
        parameter = network.get_parameter(name)
        index = int(parameter.grad.abs().argmax())
        flat = parameter.detach().view(-1)
        sides = []
        for step in (1e-6, -1e-6):
            before = float(flat[index])
            flat[index] += step
            sides.append(float(network.losses(_images(), LABELS)["mining"].detach()))
            flat[index] = before
        slope = (sides[0] - sides[1]) / 2e-6
        assert float(parameter.grad.view(-1)[index]) == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("blocks", [2, 4])
def test_freezing_blocks_does_not_cut_the_stream_through_the_mask(blocks: int) -> None:
    free, frozen = _network(), _network(frozen_blocks=blocks)
    for network in (free, frozen):
        sum(network.losses(_images(), LABELS).values()).backward()
    learning = {name for name, p in frozen.named_parameters() if p.grad is not None}
    assert learning == {name for name, p in frozen.named_parameters() if p.requires_grad}
    for name in learning:
        torch.testing.assert_close(
            frozen.get_parameter(name).grad, free.get_parameter(name).grad, msg=name
        )


def test_training_step_looks_twice_and_takes_the_attention_of_its_own_dropout() -> None:
    network = _network().train()
    seen: list[int] = []
    network.trunk.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    heads: list[int] = []
    network.head_a.register_forward_hook(lambda _, inputs, __: heads.append(len(inputs[0])))
    network.losses(_images(), LABELS)
    assert seen == heads == [2, 3]  # images, then a masked one for each image and class


def test_bfloat16_gives_nearly_the_gradient_of_float32() -> None:
    network = _network().float()
    images, labels = _images().float(), LABELS.float()
    found = []
    for precision in (torch.float32, torch.bfloat16):
        network.zero_grad()
        enabled = precision == torch.bfloat16
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            losses = network.losses(images, labels)
        sum(losses.values()).backward()
        found.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    assert torch.isfinite(found[1]).all()
    assert functional.cosine_similarity(*found, dim=0) > 0.98


def test_pixels_under_the_attention_turn_into_the_mean_colour_and_the_others_stay() -> None:
    network = _network(gain_omega=1000.0)
    network.trunk.mean.copy_(torch.tensor([10.0, 20.0, 30.0])[:, None, None])
    attention = torch.zeros(2, 3, 4, dtype=torch.float64)
    attention[:, :, 2:] = 0.004  # the scale does not matter
    masked = network.masked(_images(), attention)
    assert (masked[:, :, :, 20:] == torch.tensor([10.0, 20.0, 30.0])[:, None, None]).all()
    torch.testing.assert_close(masked[:, :, :, :12], _images()[:, :, :, :12])


def test_flat_attention_masks_the_least_share_everywhere() -> None:
    network = _network(gain_sigma=0.25, gain_omega=4.0)
    share = 1 / (1 + math.e)
    for value in (0.0, 3.0):
        masked = network.masked(_images(), torch.full((2, 3, 4), value, dtype=torch.float64))
        torch.testing.assert_close(masked, _images() - share * (_images() - 127.5))


def test_image_without_a_class_counts_nothing() -> None:
    network = _network()
    labels = LABELS.clone()
    labels[1] = 0
    both = network.losses(_images(), labels)["mining"]
    alone = network.losses(_images()[:1], labels[:1])["mining"]
    assert float(both.detach()) == pytest.approx(float(alone.detach()) / 2)
    none = network.losses(_images(), torch.zeros_like(LABELS))
    assert float(none["mining"].detach()) == 0
    sum(none.values()).backward()


def test_attention_is_grad_cam_in_whatever_mode_the_caller_is() -> None:
    network = _network()
    expected = [
        _slow_grad_cam(network, _images()[image], column)
        for image, column in LABELS.nonzero().tolist()
    ]
    network.zero_grad()
    modes = (torch.inference_mode, torch.no_grad, torch.enable_grad)
    for mode in modes:
        with mode():
            before = (torch.is_inference_mode_enabled(), torch.is_grad_enabled())
            found = network.attention(_images(), LABELS)
            assert (torch.is_inference_mode_enabled(), torch.is_grad_enabled()) == before
        torch.testing.assert_close(found.maps[:, 0], torch.tensor(expected, dtype=torch.float64))
        assert not found.maps.requires_grad
        assert not found.logits.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


def test_attention_in_bfloat16_is_nearly_that_of_float32() -> None:
    network = _network().float()
    found = []
    for enabled in (False, True):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found.append(network.attention(_images().float(), LABELS.float()).maps)
    assert found[1].dtype == torch.float32
    highest = found[0].amax(dim=(1, 2, 3))
    assert ((found[1] - found[0]).abs().amax(dim=(1, 2, 3)) < 0.1 * highest).all()


def test_attend_stores_the_grad_cam_of_the_trained_network(voc: TinyVoc, tmp_path: Path) -> None:
    common = {"run": tmp_path / "run", "data": voc.root, "amp": "off"}
    settings = {"backbone": "tiny", "iterations": 3, "batch_size": 4, "crop": 32, "lr": 0.01}
    train.run(TrainConfig(**common, method="gain", **settings), track=Silent())
    attend.run(AttendConfig(**common, size=64, batch_size=5, flip=False), track=Silent())
    assert not torch.is_inference_mode_enabled()
    network, config, _ = load_network(tmp_path / "run" / "train" / "checkpoint.pt")
    assert isinstance(network, GainNetwork)
    assert config.method == "gain"
    lively = 0
    with AttentionFile(tmp_path / "run" / "attend" / "attention.h5") as file:
        for image_id in voc.train_ids[:4]:
            pixels = read_image(voc.image(image_id))
            image = torch.from_numpy(resize_image(pixels, (64, 64))).permute(2, 0, 1).float()
            stored = file.read(image_id)
            for class_id, found in zip(stored.class_ids, stored.maps, strict=True):
                raw = torch.tensor(_slow_grad_cam(network, image, int(class_id) - 1))
                expected = fuse_branches(raw[None, None], pixels.shape[:2])[0]
                difference = (torch.from_numpy(found).float() - expected).abs()
                assert difference.max() < 5e-3
                lively += int(found.max() > 0.99)
    assert lively > 0
