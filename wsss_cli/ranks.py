"""Several processes at one stage, as ``torchrun`` starts them.

Each process is a rank, all together are the world; a process by itself is rank 0 of 1, and nothing
here then does anything. A stage divides its images by :func:`mine`, and what has to be one and the
same everywhere goes through :func:`agreed`, :func:`gathered` or :func:`summed`. Where a rank ends,
the others learn of it as soon as they wait for it, and end too; run again, with any number of
ranks, the stage continues.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, TypeVar, cast

from wsss_cli.errors import UsageError, WsssError

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")

# A rank may wait for another's share of the work, not for a moment; a dead one is noticed at once.
PATIENCE = timedelta(days=2)
# Results of a rank that travel together.
BLOCK = 64
_NOTHING = object()


def rank() -> int:
    """Number of this process, from 0."""
    return 0 if world() == 1 else _number("RANK", 0)


def world() -> int:
    """How many processes work together."""
    return _number("WORLD_SIZE", 1)


def local_rank() -> int:
    """Number of this process on its machine."""
    return _number("LOCAL_RANK", 0)


def local_world() -> int:
    """How many of the processes are on this machine."""
    return _number("LOCAL_WORLD_SIZE", 1)


def first() -> bool:
    """Whether this is the rank that keeps manifests and talks to the user."""
    return rank() == 0


def mine(items: Sequence[T]) -> Sequence[T]:
    """This rank's part of the work: every world-th item, so that neighbours are spread."""
    return items[rank() :: world()]


def block(count: int) -> slice:
    """This rank's part of a batch of ``count``: neighbours, in the order of the ranks."""
    return slice(count * rank() // world(), count * (rank() + 1) // world())


def meet() -> None:
    """Find the other ranks: one that ends from here on is missed by those that wait for it."""
    if world() > 1:
        with _group():
            pass


def agreed(decide: Callable[[], T]) -> T:
    """What the first rank decides, on every rank."""
    if world() == 1:
        return decide()
    meet()  # first: a decision may fail
    box = [decide() if first() else None]
    with _group() as distributed:
        distributed.broadcast_object_list(box)
    return cast(T, box[0])


def wait_for_all() -> None:
    """Go on when every rank is here."""
    gathered(None)


def gathered(value: T) -> list[T]:
    """Every rank's value, in the order of the ranks, on every rank."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    with _group() as distributed:
        distributed.all_gather_object(values, value)
    return values


def in_turn(own: Iterable[T]) -> Iterator[T]:
    """Results of all items that :func:`mine` has divided, in the items' order, on every rank.

    Args:
        own: This rank's results, a stream; so is what comes out.
    """
    if world() == 1:
        yield from own
        return
    own = iter(own)
    while any(blocks := gathered(list(islice(own, BLOCK)))):
        for row in zip_longest(*blocks, fillvalue=_NOTHING):
            yield from (cast(T, each) for each in row if each is not _NOTHING)


def counted(number: int) -> list[int]:
    """Every rank's number, as :func:`gathered` but in one message."""
    if world() == 1:
        return [number]
    import torch

    numbers = torch.zeros(world(), dtype=torch.int64)
    numbers[rank()] = number
    return [int(each) for each in summed(numbers)]


def summed(tensor: "Tensor") -> "Tensor":
    """The sum of every rank's tensor, on every rank; of this very tensor, which it replaces."""
    if world() > 1:
        with _group() as distributed:
            distributed.all_reduce(tensor)
    return tensor


def data_parallel(module: "nn.Module") -> "nn.Module":
    """Wrap a module so that its gradients are averaged over the ranks during the backward pass.

    ``DistributedDataParallel`` sends the gradients of the last layers while those of the first ones
    are still computed. A process by itself gets its module back.

    Args:
        module: Its forward pass returns the losses, and every parameter that learns takes part in
            each of its passes. Its parameters become those of the first rank.

    Raises:
        WsssError: Another rank has ended.
    """
    if world() == 1:
        return module
    import warnings

    from torch.nn.parallel import DistributedDataParallel

    # A 1x1 convolution in channels_last has two ways to write its strides, which costs a copy.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    # Its new name is not that of torch before 2.14.
    warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
    with _group():
        # The statistics of normalised batches are those of the whole batch on every rank already.
        return DistributedDataParallel(module, broadcast_buffers=False)


def without_exchange(module: "nn.Module") -> AbstractContextManager[None]:
    """Within, passes of a :func:`data_parallel` module keep their gradients to this rank."""
    if world() == 1:
        return nullcontext()
    return cast(AbstractContextManager[None], module.no_sync())  # type: ignore[operator]


@contextmanager
def noticing_lost_ranks() -> Iterator[None]:
    """Turn the error of a backward pass whose gradients reach nobody into a sentence.

    Raises:
        WsssError: Another rank has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if world() == 1 or not any(word in str(error) for word in ("gloo", "NCCL", "Connection")):
            raise
        raise _unreachable(error) from error


def require_alone(what: str) -> None:
    """Refuse to do something in several processes at a time.

    Raises:
        UsageError: There are several.
    """
    if world() > 1:
        raise UsageError(f"{what} is for one process; start it without torchrun")


def leave() -> None:
    """Take leave of the other ranks, if they have been talked to."""
    if world() > 1:
        import torch.distributed

        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def bound() -> bool:
    """Whether this process has talked to other ranks and not taken leave of them."""
    distributed = sys.modules.get("torch.distributed")
    return bool(distributed and distributed.is_available() and distributed.is_initialized())


@contextmanager
def _group() -> Iterator[Any]:
    """``torch.distributed`` with all ranks in a group; the end of another one in a sentence."""
    import torch
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    try:
        if not distributed.is_initialized():
            # Imported later, it would keep the group as the default of its arguments: the group's
            # threads then outlive `leave` and end a process that is already ending with an abort.
            import torch.distributed.nn.functional

            cards = torch.cuda.is_available() and distributed.is_nccl_available()
            backend = "cpu:gloo,cuda:nccl" if cards else "gloo"
            store, number, count = next(rendezvous("env://"))
            # torchrun's restarts share a store; what an earlier attempt left there misleads.
            attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            store = PrefixStore(f"attempt-{attempt}", store)
            distributed.init_process_group(
                backend, store=store, rank=number, world_size=count, timeout=PATIENCE
            )
        yield distributed
    except (RuntimeError, ValueError) as error:  # a connection's end, or incomplete settings
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> WsssError:
    reason = str(error).partition(". ")[0].strip()  # gloo goes on with advice of its own
    return WsssError(
        f"the other ranks cannot be reached ({reason}); if one of them ended, its own message "
        "says why: run the same command again to continue"
    )


def _number(variable: str, alone: int) -> int:
    """What ``torchrun`` says in the environment.

    Raises:
        UsageError: It is no number.
    """
    text = os.environ.get(variable, str(alone))
    if not text.isdecimal():
        raise UsageError(f"{variable} is {text!r} in the environment, not a number; unset it")
    return int(text)
