"""A card of paper: tensors that are on another device by what they say, and compute on the CPU.

What a real card refuses is refused here too: an operation between a tensor on the card and one that
is not, and handing a tensor on the card to numpy. So the way that the code takes on CUDA can be
walked where there is none. How fast it is, and what CUDA's own kernels compute, this cannot tell.

Where autocast is on, it gives the types of CUDA, which are not all those of a CPU.

Random numbers are the CPU's, so that what was computed here and there can be compared. An optimiser
takes the parameters one by one, as on a CPU, where on CUDA it takes them together.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# Not the CPU; of CUDA itself torch would ask for a driver.
CARD = torch.device("meta")
# Operations that take a tensor from one device to the other.
CROSSING = ("aten::_to_copy", "aten::copy_")
# What cannot be answered before a card has done all that was asked of it: its values, or a shape
# that follows from them.
ANSWERS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal")
# What waited for the card, in order.
waits: list[str] = []
# What autocast on CUDA computes in the lower precision and what in float32, of torch's document
# "Automatic Mixed Precision", section "CUDA Op-Specific Behavior"; what is met here.
LOWERED = {"conv2d", "linear", "matmul", "__matmul__", "__rmatmul__", "bmm", "mm", "einsum"}
KEPT_PRECISE = {
    *("sum", "cumsum", "prod", "norm", "softmax", "log_softmax", "exp", "log", "log1p", "pow"),
    *("__pow__", "reciprocal", "rsqrt", "binary_cross_entropy_with_logits", "cross_entropy"),
    *("nll_loss", "interpolate"),
}
# The lower precision while autocast is on, in this thread.
_lower: ContextVar[torch.dtype | None] = ContextVar("lower", default=None)


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
        waits.append("tolist")
        return self.inner.tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Stricter than torch, which saves CUDA's tensors with the number of their card.
        raise AssertionError("what is saved from a card asks for that card when torch reads it")

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _compute(function, args, kwargs or {})


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    """Arguments or results with each leaf changed; torch's own tree_map takes half of a test."""
    if isinstance(value, dict):
        return {key: _each(change, inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return type(value)([_each(change, inner) for inner in value])
    return change(value)


def _flat(value: Any) -> list[Any]:
    leaves: list[Any] = []
    _each(leaves.append, value)
    return leaves


def _compute(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What an operation gives, on the device where it should."""
    name, wanted = function._schema.name, kwargs.get("device")
    tensors = [t for t in _flat((args, kwargs)) if isinstance(t, torch.Tensor)]
    there = [isinstance(t, OnCard) for t in tensors]
    if any(there) and name not in CROSSING:
        strangers = [t for t, on in zip(tensors, there, strict=True) if not on and t.dim()]
        assert not strangers, f"{name} mixes the card with a tensor of the CPU"
    _note_waiting(name, args, kwargs, from_card=any(there))
    plain_args, plain = _each(
        lambda t: t.inner if isinstance(t, OnCard) else t, (args, dict(kwargs))
    )
    if wanted is not None:
        plain["device"] = torch.device("cpu")
    result = function(*plain_args, **plain)
    on_card = any(there) if wanted is None else torch.device(wanted) == CARD
    with _mode_of_views(function._schema, tensors):
        made = _each(lambda t: OnCard(t) if on_card and isinstance(t, torch.Tensor) else t, result)
    return _with_written(function._schema, args, kwargs, made)


def _note_waiting(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, from_card: bool
) -> None:
    """Note what would wait for a card: answers from it, masks as indices, copies either way."""
    if name == "aten::_to_copy" and kwargs.get("device") is not None:
        to_card = torch.device(kwargs["device"]) == CARD
        if to_card != from_card and not kwargs.get("non_blocking"):
            waits.append("copy")
    elif from_card and name == "aten::copy_" and not isinstance(args[0], OnCard):
        waits.append("copy")
    elif from_card and name == "aten::where" and not all(isinstance(t, OnCard) for t in args[1:]):
        waits.append("number")  # which torch copies, where masked_fill hands it over
    elif from_card and name in ANSWERS:
        waits.append(name)
    elif from_card and name.startswith(("aten::index", "aten::_index")):
        indices = args[1] if isinstance(args[1], list | tuple) else []
        if any(isinstance(i, torch.Tensor) and i.dtype == torch.bool for i in indices):
            waits.append("mask as index")


def _mode_of_views(schema: Any, tensors: Sequence[torch.Tensor]) -> AbstractContextManager[Any]:
    """A view can be in a graph if what it looks at can, in whatever mode it is made."""
    views = not schema.is_mutable and any(one.alias_info is not None for one in schema.returns)
    return torch.inference_mode(tensors[0].is_inference()) if views and tensors else nullcontext()


def _with_written(schema: Any, args: Sequence[Any], kwargs: Mapping[str, Any], made: Any) -> Any:
    """What was made; in the place of what was written in place, or into `out`, that very tensor."""
    if not schema.is_mutable:
        return made
    given = dict(zip((argument.name for argument in schema.arguments), args, strict=False))
    given |= kwargs
    written = {
        frozenset(argument.alias_info.before_set): given.get(argument.name)
        for argument in schema.arguments
        if argument.alias_info is not None and argument.alias_info.is_write
    }
    many = len(schema.returns) > 1
    results = [
        each if one.alias_info is None else written.get(frozenset(one.alias_info.before_set), each)
        for one, each in zip(schema.returns, made if many else [made], strict=False)
    ]
    return tuple(results) if many else next(iter(results), None)


class _Computing(TorchDispatchMode):
    def __init__(self, belonging: tuple[str, ...]) -> None:
        super().__init__()
        self.belonging = belonging

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        name = function._schema.name
        if name.startswith(self.belonging):
            operands = [t for t in _flat(args) if isinstance(t, torch.Tensor)]
            on_card = all(isinstance(t, OnCard) for t in operands)
            assert on_card, f"{name} is computed beside the card"
        return _compute(function, args, kwargs or {})


class _Making(TorchFunctionMode):
    """What has to be done above autograd.

    Tensors made of Python's numbers, which pass no dispatch before they are on their device; and
    the casts of autocast, through which gradients flow.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.new_tensor and isinstance(args[0], OnCard):
            kwargs = {"dtype": args[0].dtype, "device": CARD, **kwargs}
            function, args = torch.tensor, args[1:]
        if function is torch.tensor and torch.device(kwargs.get("device") or "cpu") == CARD:
            waits.append("number")
            return OnCard(torch.tensor(*args, **{**kwargs, "device": "cpu"}))
        lower, name = _lower.get(), getattr(function, "__name__", "")
        if lower is not None and name in LOWERED | KEPT_PRECISE:
            wanted = lower if name in LOWERED else torch.float32
            args, kwargs = _each(lambda t: _cast(t, wanted), (args, kwargs))
        return function(*args, **kwargs)


def _cast(value: Any, dtype: torch.dtype) -> Any:
    """A floating tensor of the card in another precision, but for float64; all else as it is."""
    if not isinstance(value, OnCard) or value.dtype not in (torch.float32, torch.bfloat16):
        return value
    return value.to(dtype)


@contextmanager
def card(*belonging: str) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Within, tensors can be made on the card; yields what puts one of the CPU there.

    Args:
        belonging: How names of operations begin that nobody should compute anywhere else.
    """
    plain_autocast, plain_submit = torch.autocast, ThreadPoolExecutor.submit

    @contextmanager
    def casting(dtype: torch.dtype, enabled: bool) -> Iterator[None]:
        before = _lower.set(dtype if enabled else None)
        try:
            yield
        finally:
            _lower.reset(before)

    def autocast(
        device_type: str, dtype: torch.dtype = torch.bfloat16, enabled: bool = True
    ) -> AbstractContextManager[Any]:
        """Torch has none for this device."""
        if device_type != CARD.type:
            return plain_autocast(device_type, dtype, enabled)
        return casting(dtype, enabled)

    def submit(pool: ThreadPoolExecutor, work: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        """The card is there in every thread; a mode of torch's is only where it was entered."""

        def there() -> Any:
            with _Computing(belonging), _Making():
                return work(*args, **kwargs)

        return plain_submit(pool, there)

    # A module that moves keeps its parameters for whoever holds them. Torch does so by itself for
    # its own kinds of tensors.
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with (
            warnings.catch_warnings(),
            mock.patch.object(torch, "autocast", autocast),
            mock.patch.object(ThreadPoolExecutor, "submit", submit),
            _Computing(belonging),
            _Making(),
        ):
            # Of a tensor on the device meta torch thinks that it has no values to copy to.
            warnings.filterwarnings("ignore", "for .*: copying from a non-meta parameter")
            yield OnCard
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)
