"""Whether stored tensors fit a network, before the network takes any memory."""

from typing import Any

from torch import Tensor, nn


def require_shapes(network: nn.Module, tensors: Any) -> None:  # noqa: ANN401 - out of a file
    """Compare shapes: a file's settings may ask for a network of any size.

    Args:
        network: Built on the device ``meta``, where tensors have a shape and no values.
        tensors: What the file has as its state.

    Raises:
        TypeError: They are not a dictionary of tensors.
        ValueError: One is missing or has another shape.
    """
    if not isinstance(tensors, dict):
        raise TypeError("its network is not a dictionary of tensors")
    for name, parameter in network.state_dict().items():
        tensor = tensors.get(name)
        if not isinstance(tensor, Tensor) or tensor.shape != parameter.shape:
            shape = "x".join(map(str, parameter.shape))
            raise ValueError(f"its {name} should be {shape} numbers")
