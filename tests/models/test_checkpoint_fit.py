"""Networks rebuilt from checkpoints."""

from pathlib import Path

import pytest
import torch
from torch import nn

from wsss_cli.errors import WsssError, first_line
from wsss_cli.models.checkpoint_fit import content_of, rebuilt


def test_network_has_its_stored_tensors() -> None:
    stored = nn.Linear(2, 3).state_dict()
    network = rebuilt(lambda: nn.Linear(2, 3), stored)
    assert all(torch.equal(network.state_dict()[name], stored[name]) for name in stored)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("bias"),
        lambda state: state.update(bias=torch.zeros(4)),
        lambda state: state.update(bias="none"),
        lambda state: state.update(another=torch.zeros(1)),
    ],
)
def test_tensors_of_another_network_are_one_sentence(change, tmp_path: Path) -> None:
    stored = dict(nn.Linear(2, 3).state_dict())
    change(stored)
    with pytest.raises(WsssError) as refused, content_of(tmp_path / "x.pt", "toy network"):
        rebuilt(lambda: nn.Linear(2, 3), stored)
    assert str(refused.value).startswith(f"{tmp_path / 'x.pt'} does not hold a whole toy network (")
    assert "\\n" not in str(refused.value)


def test_no_memory_is_taken_for_a_network_that_does_not_fit() -> None:
    devices = []

    def build() -> nn.Module:
        network = nn.Linear(2, 3)
        devices.append(network.weight.device.type)
        return network

    with pytest.raises(ValueError, match="weight"):
        rebuilt(build, nn.Linear(20, 30).state_dict())
    assert devices == ["meta"]


def test_first_line_of_an_error() -> None:
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError(" \n")) == "ValueError"
