"""A card of paper: tensors that are on another device by what they say, and compute on the CPU.

What a real card refuses is refused here too: an operation between a tensor on the card and one that
is not, and handing a tensor on the card to numpy. So the way that the code takes on CUDA can be
walked where there is none. How fast it is, and what CUDA's own kernels compute, this cannot tell.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

# Not the CPU; of CUDA itself torch would ask for a driver.
CARD = torch.device("meta")
# Operations that take a tensor from one device to the other.
CROSSING = ("aten::_to_copy", "aten::copy_")


class OnCard(torch.Tensor):
    """A tensor on the card."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "OnCard":
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), dtype=inner.dtype, device=CARD
        )
        made.inner = inner
        return made

    def tolist(self) -> Any:
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _compute(function, args, kwargs or {})


def _compute(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What an operation gives, on the device where it should."""
    name, wanted = function._schema.name, kwargs.get("device")
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
    there = [isinstance(t, OnCard) for t in tensors]
    if any(there) and name not in CROSSING:
        strangers = [t for t, on in zip(tensors, there, strict=True) if not on and t.dim()]
        assert not strangers, f"{name} mixes the card with a tensor of the CPU"
    plain_args, plain = tree_map(
        lambda t: t.inner if isinstance(t, OnCard) else t, (args, dict(kwargs))
    )
    if wanted is not None:
        plain["device"] = torch.device("cpu")
    result = function(*plain_args, **plain)
    if function._schema.is_mutable:  # in place, or into `out`
        return kwargs.get("out", args[0])
    on_card = any(there) if wanted is None else torch.device(wanted) == CARD
    return tree_map(lambda t: OnCard(t) if on_card and isinstance(t, torch.Tensor) else t, result)


class _Computing(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _compute(function, args, kwargs or {})


class _Making(TorchFunctionMode):
    """Tensors made of Python's numbers, which pass no dispatch before they are on their device."""

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.new_tensor and isinstance(args[0], OnCard):
            kwargs = {"dtype": args[0].dtype, "device": CARD, **kwargs}
            function, args = torch.tensor, args[1:]
        if function is torch.tensor and torch.device(kwargs.get("device") or "cpu") == CARD:
            return OnCard(torch.tensor(*args, **{**kwargs, "device": "cpu"}))
        return function(*args, **kwargs)


@contextmanager
def card() -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Within, tensors can be made on the card; yields what puts one of the CPU there."""
    with _Computing(), _Making():
        yield OnCard
