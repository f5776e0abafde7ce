"""SeeNet's account of its branches agrees with what it fuses and with the definitions."""

import pytest
import torch
from torch import Tensor

from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import seenet
from wsss_cli.models.trunks import tiny

LABELS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


def _network(**settings: bool) -> seenet.SeeNetNetwork:
    torch.manual_seed(0)
    return seenet.build(tiny(), 3, TrainConfig(delta_low=0.3, **settings)).eval()


def _images() -> Tensor:
    return torch.randint(0, 256, (2, 3, 48, 64), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("flip", [True, False])
def test_account_agrees_with_the_definitions(share: bool, flip: bool) -> None:
    network = _network(share_background_head=share, sign_flip=flip)
    head_c = network.head_b if share else network.head_c
    assert head_c is not None
    with torch.no_grad():
        seen = seenet.branches(network, _images(), LABELS)
        fused = network.attention(_images(), LABELS)
        features = network.trunk(_images())
    assert torch.equal(seen.pairs, torch.tensor([[0, 0], [0, 2], [1, 1]]))
    assert list(seen.maps) == ["S_A", "S_B"]
    torch.testing.assert_close(torch.stack(tuple(seen.maps.values()), dim=1), fused.maps)
    assert seen.prior is not None and seen.zones is not None and seen.background is not None
    met = set()
    for pair, (image, column) in enumerate(seen.pairs.tolist()):
        positive = seen.maps["S_A"][pair].clamp(min=0)
        low, high = positive.min(), positive.max()
        prior = (positive - low) / (high - low) if high > low else torch.zeros_like(positive)
        torch.testing.assert_close(seen.prior[pair], prior)
        empty = not prior.any()
        kept = torch.zeros_like(prior)
        for y, line in enumerate(prior.tolist()):
            for x, value in enumerate(line):
                zone = 0 if value > 0.7 else -1 if value < 0.3 else 1
                assert seen.zones[pair, y, x] == (1 if empty else zone)
                met.add(float(seen.zones[pair, y, x]))
                kept[y, x] = float(not empty and value < 0.5)  # the middle of .7 and .3
        with torch.no_grad():
            alone = head_c(features[image : image + 1] * kept)[0, column]
        torch.testing.assert_close(seen.background[pair], alone)
    assert met == {-1.0, 0.0, 1.0}


def test_without_s_c_the_head_of_s_b_answers_for_it() -> None:
    with_it, without = _network(), _network(background_branch=False)
    with torch.no_grad():
        one, other = (seenet.branches(n, _images(), LABELS) for n in (with_it, without))
    assert one.background is not None and other.background is not None
    torch.testing.assert_close(one.background, other.background)
