"""Going on from another attention network: its heads for the heads of a new one."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from wsss_cli.errors import WsssError

FIRST_HEAD = "head_a"
"""The one head that every method has: S_A of SeeNet, the classifier of CAM."""


@torch.no_grad()
def take_heads(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Copy the heads of a trained network into those of the same names.

    A head that the source has not starts from its first one, which has learnt the classes already;
    a new head would unsettle the trunk while it learns them. Heads of the source that the network
    has not are left out. Where one of the two has a map of the background behind those of the
    classes, the maps of the classes go on, and a new one of the background stays new.

    Args:
        network: Its heads are its members ``head_*``.
        tensors: The source's state by name.
        source: Name of the source, for the message.

    Raises:
        WsssError: The heads differ in shape.
    """
    for name, parameter in network.named_parameters():
        head, _, layer = name.partition(".")
        if not head.startswith("head_"):
            continue
        tensor = tensors.get(name, tensors.get(f"{FIRST_HEAD}.{layer}"))
        if tensor is not None and layer.startswith("score.") and _differ_by_one(tensor, parameter):
            classes = min(len(tensor), len(parameter))
            parameter[:classes].copy_(tensor[:classes])
            continue
        if tensor is None or tensor.shape != parameter.shape:
            shape = "none" if tensor is None else "x".join(map(str, tensor.shape))
            raise WsssError(
                f"--start {source} does not fit: {name} should be "
                f"{'x'.join(map(str, parameter.shape))}, there it is {shape}; start from a "
                "checkpoint of the same classes and --head-channels, or of the same --method"
            )
        parameter.copy_(tensor)


def _differ_by_one(one: Tensor, other: Tensor) -> bool:
    """Whether score layers have the same shape but for the map of the background."""
    return one.shape[1:] == other.shape[1:] and abs(len(one) - len(other)) == 1
