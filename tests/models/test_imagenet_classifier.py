"""fc6 and fc7 from an ImageNet classifier: which weights stay, what they see, and who has none."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models import VGG16_Weights, vgg16

from wsss_cli.models import deeplab_largefov
from wsss_cli.models.imagenet_classifier import largefov_layers
from wsss_cli.models.pretrained import initial_weights
from wsss_cli.tracking import Silent

INPUTS = 2  # channels of the features; VGG16's 512 would only take memory


@pytest.fixture(scope="module")
def classifier() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "classifier.0.weight": torch.randn(4096, INPUTS * 49, generator=generator),
        "classifier.0.bias": torch.randn(4096, generator=generator),
        "classifier.3.weight": torch.randn(4096, 4096, generator=generator),
        "classifier.3.bias": torch.randn(4096, generator=generator),
        "classifier.6.weight": torch.zeros(1000, 4096),
    }


def test_every_fourth_channel_and_every_third_position_stay(classifier: dict[str, Tensor]) -> None:
    layers = largefov_layers(classifier)
    assert layers is not None
    assert {name: tuple(tensor.shape) for name, tensor in layers.items()} == {
        "fc6.weight": (1024, INPUTS, 3, 3),
        "fc6.bias": (1024,),
        "fc7.weight": (1024, 1024, 1, 1),
        "fc7.bias": (1024,),
    }
    for channel in (0, 1, 500, 1023):
        row = classifier["classifier.0.weight"][4 * channel]
        for feature in range(INPUTS):
            for y in range(3):
                for x in range(3):
                    # A flattened map holds feature after feature, each row after row.
                    flat = feature * 49 + (3 * y) * 7 + 3 * x
                    assert layers["fc6.weight"][channel, feature, y, x] == row[flat]
        assert layers["fc6.bias"][channel] == classifier["classifier.0.bias"][4 * channel]
        assert layers["fc7.bias"][channel] == classifier["classifier.3.bias"][4 * channel]
        for other in (0, 1, 777, 1023):
            kept = classifier["classifier.3.weight"][4 * channel, 4 * other]
            assert layers["fc7.weight"][channel, other, 0, 0] == kept


def test_what_is_left_sees_the_image_where_the_classifier_saw_it(
    classifier: dict[str, Tensor],
) -> None:
    """With all other weights 0, LargeFOV's scores are the classifier's own.

    The ImageNet network has a feature each 32 pixels, LargeFOV each 8.
    """
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(INPUTS, 7, 7, generator=generator)
    kernels = torch.zeros(4096, INPUTS, 7, 7)
    kernels[:, :, ::3, ::3] = classifier["classifier.0.weight"].view_as(kernels)[:, :, ::3, ::3]
    hidden = torch.relu(kernels.flatten(1) @ features.flatten() + classifier["classifier.0.bias"])
    hidden[torch.arange(4096) % 4 != 0] = 0
    expected = classifier["classifier.3.weight"] @ hidden + classifier["classifier.3.bias"]

    layers = largefov_layers(classifier)
    assert layers is not None
    dense = torch.randn(1, INPUTS, 25, 25, generator=generator)
    dense[0, :, ::4, ::4] = features
    six = functional.conv2d(
        dense, layers["fc6.weight"], layers["fc6.bias"], padding=12, dilation=12
    )
    seven = functional.conv2d(torch.relu(six), layers["fc7.weight"], layers["fc7.bias"])
    torch.testing.assert_close(seven[0, :, 12, 12], expected[::4], rtol=1e-3, atol=1e-2)


def _without(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if key != name}


def test_nan_in_place_of_a_classifier_is_none(classifier: dict[str, Tensor]) -> None:
    for name in ("classifier.0.weight", "classifier.3.bias"):
        broken = classifier[name].clone()
        broken.flatten()[-1] = torch.nan
        assert largefov_layers({**classifier, name: broken}) is None


@pytest.mark.parametrize("missing", ["classifier.0.weight", "classifier.3.weight"])
def test_half_a_classifier_is_none(classifier: dict[str, Tensor], missing: str) -> None:
    assert largefov_layers(_without(classifier, missing)) is None
    for shape in ((1000, 4096), (4096, 50), (4096,)):
        assert largefov_layers({**classifier, missing: torch.zeros(shape)}) is None
    assert largefov_layers({}) is None


def _vgg16_file(path: Path, fill: float | None) -> Path:
    """A file of VGG16's shapes whose tensors are one number each, so that it is small."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in vgg16().state_dict().items()}
    tensors = {}
    for name, shape in shapes.items():
        if name.startswith("features."):
            tensors[name] = torch.tensor(0.5).expand(shape)
        elif fill is not None:
            tensors[name] = torch.tensor(fill).expand(shape)
    torch.save(tensors, path)
    return path


def test_vgg16_file_with_a_classifier_starts_fc6_and_fc7_and_is_reported(tmp_path: Path) -> None:
    path = _vgg16_file(tmp_path / "vgg16.pth", 0.25)
    network = deeplab_largefov.build("deeplab-largefov-vgg16", 3)
    score = network.classifier.score.weight.clone()
    origin = network.start_from(initial_weights(str(path), "vgg16", Silent()))
    assert origin == {"trunk": str(path), "fc6_fc7": "ImageNet classifier, sub-sampled"}
    for name, tensor in network.classifier.state_dict().items():
        assert name.startswith("score") or (tensor == 0.25).all(), name
    assert (network.trunk.features[0].weight == 0.5).all()
    assert torch.equal(network.classifier.score.weight, score)


@pytest.mark.parametrize("fill", [None, float("nan")])
def test_vgg16_file_of_features_alone_leaves_fc6_and_fc7_new(
    tmp_path: Path, fill: float | None
) -> None:
    path = _vgg16_file(tmp_path / "vgg16.pth", fill)
    torch.manual_seed(3)
    network = deeplab_largefov.build("deeplab-largefov-vgg16", 3)
    torch.manual_seed(3)
    fresh = deeplab_largefov.build("deeplab-largefov-vgg16", 3).classifier.state_dict()
    origin = network.start_from(initial_weights(str(path), "vgg16", Silent()))
    assert origin["trunk"] == str(path)
    assert origin["fc6_fc7"].startswith("new")
    assert "0.0017" in origin["fc6_fc7"]
    for name, tensor in network.classifier.state_dict().items():
        assert torch.equal(tensor, fresh[name])
    assert float(fresh["fc6.weight"].std()) == pytest.approx(0.0017, rel=0.01)
    assert float(fresh["fc7.weight"].std()) == pytest.approx((2 / 1024) ** 0.5, rel=0.01)


def test_classifier_of_vgg16_is_none_for_a_network_of_other_shapes(tmp_path: Path) -> None:
    tiny = deeplab_largefov.build("tiny", 3)
    features = {f"features.{n}": t for n, t in tiny.trunk.features.state_dict().items()}
    large = torch.load(_vgg16_file(tmp_path / "vgg16.pth", 0.25), weights_only=True)
    classifier = {n: t for n, t in large.items() if n.startswith("classifier.")}
    torch.save({**features, **classifier}, tmp_path / "w.pth")
    origin = tiny.start_from(initial_weights(str(tmp_path / "w.pth"), "tiny", Silent()))
    assert origin["fc6_fc7"] == "new: fc6 from He, fc7 from He"


def test_download_of_the_vgg16_is_the_one_that_has_no_classifier() -> None:
    """Oxford's own training, whose preprocessing the trunk is written for."""
    assert "missing values" in VGG16_Weights.IMAGENET1K_FEATURES.meta["_docs"]
