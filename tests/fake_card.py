"""A card of paper: tensors that say they are on CUDA and compute on the CPU.

What a real card would refuse is refused here too: an operation between a tensor on the card and one
that is not, and reading a tensor on the card as a numpy array. So a code path for CUDA can be
walked where there is none; how fast it is, and what CUDA's own kernels compute, it cannot tell.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CARD = torch.device("meta")
# Operations that bring numbers back or that a card takes from the CPU by design.
_CROSSING = ("aten::_to_copy", "aten::copy_")


class OnCard(torch.Tensor):
    """A tensor that says it is on the card."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "OnCard":
        """Wrap a tensor of the CPU."""
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), dtype=inner.dtype, device=CARD
        )
        made.inner = inner
        return made

    def tolist(self) -> Any:
        """The numbers, as a card hands them over too."""
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Compute on the CPU what the card is asked."""
        del types
        return _compute(function, args, kwargs or {})


def _compute(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    name = function._schema.name
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
    carded = [isinstance(t, OnCard) for t in tensors]
    wanted = kwargs.get("device")
    if any(carded) and not all(carded) and name not in _CROSSING:
        strangers = [t for t, on in zip(tensors, carded, strict=True) if not on and t.dim()]
        assert not strangers, f"{name} mixes the card with a tensor of the CPU"
    if name == "aten::_local_scalar_dense":
        return function(args[0].inner)
    arguments = tree_map(lambda t: t.inner if isinstance(t, OnCard) else t, (args, dict(kwargs)))
    if wanted is not None:
        arguments[1]["device"] = torch.device("cpu")
    result = function(*arguments[0], **arguments[1])
    target = torch.device(wanted).type == CARD.type if wanted is not None else any(carded)
    if function._schema.is_mutable:  # in place, or into `out`
        return kwargs.get("out", args[0])
    return tree_map(lambda t: OnCard(t) if target and isinstance(t, torch.Tensor) else t, result)


class _Card(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        del types
        return _compute(function, args, kwargs or {})


class _Made(TorchFunctionMode):
    """Tensors made of Python's numbers, which reach no dispatch before they are on their device."""

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.new_tensor and isinstance(args[0], OnCard):
            function, kwargs = torch.tensor, {"dtype": args[0].dtype, "device": CARD, **kwargs}
            args = args[1:]
        if function is not torch.tensor or torch.device(kwargs.pop("device", "cpu")) != CARD:
            return function(*args, **kwargs)
        return OnCard(torch.tensor(*args, **kwargs))


@contextmanager
def card() -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Within, tensors can be made on the card; yields what puts one there."""
    with _Card(), _Made():
        yield OnCard
