"""LargeFOV on torchvision's ResNets: its layers and weights, at output stride 8, frozen."""

import copy
import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet50

from wsss_cli.errors import UsageError, WsssError
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV, segmentation_loss
from wsss_cli.models.pretrained import initial_weights
from wsss_cli.models.trunks import build_trunk
from wsss_cli.stages.optimisation.solver import parameter_groups
from wsss_cli.tracking import Silent

BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
LABELS = 3


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-50 as torchvision names it, with statistics that fit its features."""
    torch.manual_seed(0)
    network = resnet50()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # an average
            nn.init.uniform_(layer.weight, 0.5, 1)
            nn.init.normal_(layer.bias, std=0.1)
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 64, 64))
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def started(weights_file: Path) -> DeepLabLargeFOV:
    torch.manual_seed(1)
    network = deeplab_largefov.build("deeplab-largefov-resnet50", LABELS)
    origin = network.start_from(initial_weights(str(weights_file), "resnet50", Silent()))
    assert origin == {"trunk": str(weights_file), "fc6_fc7": "new: fc6 from He, fc7 from He"}
    return network


@pytest.fixture
def network(started: DeepLabLargeFOV) -> DeepLabLargeFOV:
    return copy.deepcopy(started)


@pytest.mark.parametrize("backbone", BLOCKS)
def test_parameters_are_those_of_the_definition(backbone: str) -> None:
    """Weights of convolutions without biases: the normalisation is no parameter."""
    count, before = 7 * 7 * 3 * 64, 64
    for width, blocks in zip((64, 128, 256, 512), BLOCKS[backbone], strict=True):
        count += before * 4 * width  # the first block's shortcut
        for _ in range(blocks):
            count += before * width + 9 * width * width + width * 4 * width
            before = 4 * width
    count += (9 * 2048 + 1) * 1024 + (1024 + 1) * 1024 + (1024 + 1) * LABELS
    with torch.device("meta"):
        network = deeplab_largefov.build(f"deeplab-largefov-{backbone}", LABELS)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("backbone", BLOCKS)
def test_last_stages_are_dilated_instead_of_strided(backbone: str) -> None:
    with torch.device("meta"):
        features = build_trunk(backbone).features
    found = {}
    for name, layer in features.named_modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            assert layer.padding == layer.dilation
            stage = name.split(".")[0]
            found.setdefault(stage, []).append((layer.stride[0], layer.dilation[0]))
    one, two, three, four = BLOCKS[backbone]
    assert found == {
        "layer1": [(1, 1)] * one,
        "layer2": [(2, 1)] + [(1, 1)] * (two - 1),
        "layer3": [(1, 1)] + [(1, 2)] * (three - 1),
        "layer4": [(1, 2)] + [(1, 4)] * (four - 1),
    }


@pytest.mark.parametrize("size", [(65, 65), (64, 50), (33, 41), (7, 11)])
def test_logits_have_the_size_of_the_image(network: DeepLabLargeFOV, size: tuple[int, int]) -> None:
    network.eval()
    whole = tuple(8 * -(-(side - 1) // 8) + 1 for side in size)
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, *size, dtype=torch.uint8)).shape == (1, LABELS, *size)
        features = network.trunk(torch.zeros(1, 3, *whole))
    assert features.shape == (1, 2048, (whole[0] + 7) // 8, (whole[1] + 7) // 8)
    assert network.trunk.stride == 8


def test_resnet101_runs() -> None:
    torch.manual_seed(0)
    network = deeplab_largefov.build("deeplab-largefov-resnet101", LABELS).eval()
    with torch.inference_mode():
        logits = network(torch.rand(1, 3, 20, 33) * 255)
    assert logits.shape == (1, LABELS, 20, 33)
    assert logits.isfinite().all()


def test_scores_sit_on_every_eighth_pixel(network: DeepLabLargeFOV) -> None:
    network.eval()
    image = torch.rand(1, 3, 33, 41) * 255
    with torch.inference_mode():
        small = network.classifier(network.trunk(image))
        assert small.shape == (1, LABELS, 5, 6)
        torch.testing.assert_close(network(image)[:, :, ::8, ::8], small)


def test_features_are_torchvisions_own(network: DeepLabLargeFOV, weights_file: Path) -> None:
    """The same file in torchvision's network with ordinary normalisation, pixels as it has them."""
    theirs = resnet50(replace_stride_with_dilation=[False, True, True]).eval()
    theirs.load_state_dict(torch.load(weights_file, weights_only=True))
    image = torch.randint(0, 256, (1, 3, 41, 33), dtype=torch.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    channels = [(image[:, c] / 255 - mean[c]) / std[c] for c in range(3)]
    x = torch.stack(channels, dim=1)
    with torch.inference_mode():
        for name, layer in theirs.named_children():
            x = x if name in ("avgpool", "fc") else layer(x)
        found = network.trunk.train()(image)
    assert float(x.std()) > 0.1
    torch.testing.assert_close(found, x, rtol=1e-3, atol=1e-3)


def _bytes(tensors: dict[str, Tensor]) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def _normalisation(network: DeepLabLargeFOV) -> dict[str, Tensor]:
    """All that batch normalisation holds; its names have bn or are the second of a shortcut."""
    state = network.trunk.features.state_dict()
    return {n: t for n, t in state.items() if "bn" in n or "downsample.1" in n}


def test_training_step_leaves_the_normalisation_as_it_is(network: DeepLabLargeFOV) -> None:
    before = _bytes(_normalisation(network))
    per_norm = ("weight", "bias", "running_mean", "running_var")
    assert len(before) == len(per_norm) * (1 + 3 * 16 + 4)
    convolutions = {n: p.detach().clone() for n, p in network.named_parameters()}
    groups = parameter_groups(network.named_parameters(), 0.0005, deeplab_largefov.lr_factor)
    optimiser = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    network.train()
    logits = network(torch.rand(2, 3, 17, 17) * 255)
    segmentation_loss(logits, torch.randint(0, LABELS, (2, 17, 17))).backward()
    optimiser.step()
    assert _bytes(_normalisation(network)) == before
    for name, parameter in network.named_parameters():
        assert not torch.equal(parameter, convolutions[name]), name


@pytest.mark.parametrize("blocks", [0, 1, 2, 4])
def test_frozen_blocks_are_the_stem_and_the_stages(network: DeepLabLargeFOV, blocks: int) -> None:
    network.trunk.freeze(blocks)
    parameters = network.trunk.features.named_parameters()
    frozen = {name.split(".")[0] for name, p in parameters if not p.requires_grad}
    assert frozen == set(("conv1", "layer1", "layer2", "layer3")[:blocks])


def test_checkpoint_of_ours_starts_another_network(
    network: DeepLabLargeFOV, tmp_path: Path
) -> None:
    network.trunk.mean.fill_(7)
    content = {"format": "wsss-checkpoint-1", "kind": "segmentation"}
    torch.save({**content, "network": network.state_dict()}, tmp_path / "c.pt")
    other = build_trunk("resnet50")
    rest = initial_weights(str(tmp_path / "c.pt"), "resnet50", Silent()).load_into(other)
    mine = network.trunk.state_dict()
    assert all(torch.equal(tensor, mine[n]) for n, tensor in other.state_dict().items())
    assert not {name for name in rest if "fc" in name or "score" in name}


def test_weights_of_another_backbone_are_refused_with_the_missing_layers(
    weights_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(WsssError, match=r"layer3\.6\.conv1\.weight"):
        initial_weights(str(weights_file), "resnet101", Silent())
    with pytest.raises(WsssError, match=r"features\.0\.weight"):
        initial_weights(str(weights_file), "vgg16", Silent())
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "vgg16.pth")
    with pytest.raises(WsssError, match=r"conv1\.weight"):
        initial_weights(str(tmp_path / "vgg16.pth"), "resnet50", Silent())


@pytest.mark.parametrize("backbone", BLOCKS)
def test_frozen_normalisation_without_statistics_is_refused(backbone: str) -> None:
    with pytest.raises(UsageError, match=f"--weights none.*{backbone}.*imagenet"):
        initial_weights("none", backbone, Silent())


def test_features_in_training_mode_do_not_depend_on_the_batch(network: DeepLabLargeFOV) -> None:
    network.trunk.train()
    images = torch.rand(3, 3, 33, 33) * 255
    with torch.inference_mode():
        together = network.trunk(images)
        alone = torch.cat([network.trunk(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=2e-3)


def test_upsampling_between_scores_is_linear(network: DeepLabLargeFOV) -> None:
    network.eval()
    image = torch.rand(1, 3, 17, 25) * 255
    with torch.inference_mode():
        small, logits = network.classifier(network.trunk(image)), network(image)
    for (y, x), label in itertools.product(((4, 0), (0, 12), (10, 20)), range(LABELS)):
        top, left, down, right = y // 8, x // 8, (y % 8) / 8, (x % 8) / 8
        corners = functional.pad(small, (0, 1, 0, 1))[0, label]
        expected = (
            corners[top, left] * (1 - down) * (1 - right)
            + corners[top + 1, left] * down * (1 - right)
            + corners[top, left + 1] * (1 - down) * right
            + corners[top + 1, left + 1] * down * right
        )
        assert float(logits[0, label, y, x]) == pytest.approx(float(expected), abs=1e-4)
