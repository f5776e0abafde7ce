"""The card of paper refuses what a real one refuses, and does what a real one does."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from fake_card import CARD, OnCard, card
from torch import Tensor, nn


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5)
    )


def _step(network: nn.Module, optimiser: torch.optim.Optimizer, device: torch.device) -> Tensor:
    """One step of a training; returns the loss."""
    torch.manual_seed(1)
    loss: Tensor = network(torch.rand(2, 3, 8, 8).to(device)).square().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach().cpu()


def test_devices_are_not_mixed() -> None:
    with card() as put:
        there = put(torch.ones(3))
        assert torch.equal((there + there).cpu(), torch.full((3,), 2.0))
        assert (there + torch.tensor(1.0)).tolist() == [2, 2, 2]  # a number may come from anywhere
        assert isinstance(torch.zeros(2, device=there.device), OnCard)
        assert isinstance(there.new_tensor([1]), OnCard)
        with pytest.raises(AssertionError, match="mixes the card"):
            there + torch.ones(3)
        with pytest.raises(AssertionError, match="mixes the card"):
            there.index_select(0, torch.tensor([1]))


@pytest.mark.parametrize(
    "hand_over", [Tensor.numpy, np.asarray, lambda t: torch.save(t, io.BytesIO())]
)
def test_what_leaves_the_card_goes_through_the_cpu(hand_over: Callable[[Tensor], object]) -> None:
    with card() as put:
        there = put(torch.ones(3))
        with pytest.raises((RuntimeError, TypeError, AssertionError)):
            hand_over(there)
        hand_over(there.cpu())


def test_a_step_is_that_of_the_cpu() -> None:
    """Also where the optimiser was made before the network moved, as torch allows on CUDA."""
    here, there = _network(), _network()
    optimisers = [torch.optim.SGD(one.parameters(), 0.1, 0.9) for one in (here, there)]
    losses = [_step(here, optimisers[0], torch.device("cpu")) for _ in range(2)]
    with card():
        there.to(CARD)
        for expected in losses:
            assert torch.equal(_step(there, optimisers[1], CARD), expected)
        found = {name: tensor.cpu() for name, tensor in there.state_dict().items()}
    for name, expected in here.state_dict().items():
        assert torch.equal(found[name], expected), name


def test_a_state_is_loaded_to_where_its_parameters_are() -> None:
    here, there = _network(), _network()
    optimiser = torch.optim.SGD(here.parameters(), 0.1, 0.9)
    _step(here, optimiser, torch.device("cpu"))
    state = here.state_dict(), optimiser.state_dict()
    with card():
        there.to(CARD)
        again = torch.optim.SGD(there.parameters(), 0.1, 0.9)
        there.load_state_dict(state[0])
        again.load_state_dict(state[1])
        assert all(isinstance(one["momentum_buffer"], OnCard) for one in again.state.values())
        found = _step(there, again, CARD)
    assert torch.equal(found, _step(here, optimiser, torch.device("cpu")))


def test_half_a_network_on_the_card_is_refused() -> None:
    with card("aten::convolution"):
        network = _network()
        network[0].to(CARD)
        with pytest.raises(AssertionError, match="mixes the card"):
            network(torch.rand(2, 3, 8, 8, device=CARD))
        with pytest.raises(AssertionError, match="beside the card"):
            network(torch.rand(2, 3, 8, 8))


def test_threads_have_the_card() -> None:
    with card(), ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(torch.zeros, 2, device=CARD).result(), OnCard)


def test_views_have_the_mode_of_what_they_show() -> None:
    """A view of a weight stays one in inference mode; a clone leaves the mode where it is made."""
    with card() as put:
        weight, seen = put(torch.ones(2, 2)), None
        with torch.inference_mode():
            assert not weight[0].is_inference()
            seen = weight * 2
        assert seen.detach().is_inference()
        assert not seen.detach().clone().requires_grad_().is_inference()


def test_autocast_gives_the_types_of_cuda() -> None:
    with card() as put:
        there = put(torch.ones(2, 2))
        with torch.autocast(CARD.type, dtype=torch.bfloat16):
            product = there @ there
            assert product.dtype == torch.bfloat16
            assert product.sum(dim=1).dtype == torch.float32
            with torch.autocast(CARD.type, enabled=False):
                assert (there @ there).dtype == torch.float32
        assert (there @ there).dtype == torch.float32
