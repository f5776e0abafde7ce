"""The width of the heads is a setting that every method honours."""

import pytest
import torch
from torch import nn

from wsss_cli.configs.common import settings
from wsss_cli.configs.methods import METHODS, learns_from_saliency
from wsss_cli.configs.presets import configured
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.network_file import import_method
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import build_trunk

TRUNK, CLASSES = 96, 3
LAYERED = [name for name, method in METHODS.items() if method.hidden_layers]


def _heads(method: str, **settings: object) -> list[ClassHead]:
    config = TrainConfig(method=method, backbone="tiny", **settings)
    network = import_method(method).build(build_trunk("tiny"), CLASSES, config)
    return [module for module in network.modules() if isinstance(module, ClassHead)]


@pytest.mark.parametrize("method", LAYERED)
@pytest.mark.parametrize(("setting", "width"), [(None, TRUNK), (7, 7)])
def test_heads_have_the_channels_asked_for_or_the_trunks(
    method: str, setting: int | None, width: int
) -> None:
    apart = {"share_background_head": False} if method == "seenet" else {}
    heads = _heads(method, head_channels=setting, **apart)
    assert heads
    for number, head in enumerate(heads):
        # Of what learns from saliency, the first head has a map of the background.
        maps = CLASSES + (learns_from_saliency(method) and number == 0)
        shapes = [
            (m.in_channels, m.out_channels) for m in head.modules() if isinstance(m, nn.Conv2d)
        ]
        assert shapes == [(TRUNK, width), (width, width), (width, maps)]


@pytest.mark.parametrize("method", METHODS)
def test_width_counts_where_there_are_hidden_layers(method: str) -> None:
    """A preset may set it all the same."""
    made = {
        str(import_method(method).build(build_trunk("tiny"), CLASSES, config))
        for config in (TrainConfig(method=method, backbone="tiny", head_channels=n) for n in (3, 7))
    }
    assert (len(made) == 2) == (method in LAYERED)
    narrow, wide = (settings(TrainConfig(method=method, head_channels=n)) for n in (3, 7))
    assert (narrow != wide) == (method in LAYERED)
    if METHODS[method].from_features:
        configured(
            "train", TrainConfig, {"method": method, "preset": "quick"}, ("method", "preset")
        )


def test_map_of_one_class_is_its_channel_in_a_head_of_another_width() -> None:
    torch.manual_seed(0)
    head = ClassHead(8, 5, None, hidden=3).eval()
    nn.init.normal_(head.score.bias)
    features, columns = torch.randn(3, 8, 6, 6), torch.tensor([4, 0, 4])
    expected = head(features)[torch.arange(3), columns]
    torch.testing.assert_close(head.class_map(features, columns), expected)
