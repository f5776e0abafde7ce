"""What the stages call is what every method has, and what the protocol says."""

import inspect
from inspect import Parameter

import pytest

from wsss_cli.configs.methods import METHODS, learns_from_saliency
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.network_file import import_method
from wsss_cli.methods.protocol import AttentionNetwork
from wsss_cli.models.trunks import build_trunk


@pytest.mark.parametrize("method", METHODS)
def test_losses_take_saliency_where_the_method_learns_from_it(method: str) -> None:
    declared = inspect.signature(AttentionNetwork.losses).parameters
    assert declared["saliency"].kind is Parameter.VAR_POSITIONAL
    config = TrainConfig(method=method, backbone="tiny")
    network = import_method(method).build(build_trunk("tiny"), 3, config)
    expected = ["images", "labels", *(["saliency"] if learns_from_saliency(method) else [])]
    assert list(inspect.signature(network.losses).parameters) == expected
