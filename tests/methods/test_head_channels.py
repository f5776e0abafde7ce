"""The width of the heads is a setting that every method honours."""

import pytest
import torch
from torch import nn

from wsss_cli.configs.methods import METHODS, learns_from_saliency
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.network_file import import_method
from wsss_cli.models.heads import ClassHead
from wsss_cli.models.trunks import build_trunk

TRUNK, CLASSES = 96, 3


def _heads(method: str, **settings: object) -> list[ClassHead]:
    config = TrainConfig(method=method, backbone="tiny", **settings)
    network = import_method(method).build(build_trunk("tiny"), CLASSES, config)
    return [module for module in network.modules() if isinstance(module, ClassHead)]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "sipe"])  # it is linear
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


def test_map_of_one_class_is_its_channel_in_a_head_of_another_width() -> None:
    torch.manual_seed(0)
    head = ClassHead(8, 5, None, hidden=3).eval()
    nn.init.normal_(head.score.bias)
    features, columns = torch.randn(3, 8, 6, 6), torch.tensor([4, 0, 4])
    expected = head(features)[torch.arange(3), columns]
    torch.testing.assert_close(head.class_map(features, columns), expected)
