"""Networks rebuilt from checkpoints, whose tensors are compared before a network takes memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from wsss_cli.artifacts.checkpoint import ODD_CONTENT
from wsss_cli.errors import WsssError, first_line

N = TypeVar("N", bound=nn.Module)


@contextmanager
def content_of(path: Path, kind: str) -> Iterator[None]:
    """A block that takes a checkpoint's content for what it should be.

    Args:
        path: The file.
        kind: The network that it should hold, for the message.

    Raises:
        WsssError: The content is something else.
    """
    try:
        yield
    except ODD_CONTENT as error:
        raise WsssError(f"{path} does not hold a whole {kind} ({first_line(error)})") from error


def rebuilt(build: Callable[[], N], tensors: Any) -> N:  # noqa: ANN401 - out of a file
    """A network on the CPU with its stored tensors.

    Args:
        build: Makes the network that the file's settings ask for.
        tensors: What the file has as its state.

    Raises:
        TypeError: They are not a dictionary of tensors.
        ValueError: One is missing or has another shape.
        RuntimeError: There are others beside them.
    """
    with torch.device("meta"):
        require_shapes(build(), tensors)
    network = build()
    network.load_state_dict(tensors)
    return network


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
