"""Which device computes, and in which precision."""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from wsss_cli import ranks
from wsss_cli.errors import UsageError, first_line

if TYPE_CHECKING:
    import torch


def resolve_device(name: str) -> "torch.device":
    """``auto`` picks CUDA when there is a GPU; anything else is torch's name of a device.

    Of several processes on a machine each takes a GPU of its own.

    Raises:
        UsageError: There is no such device.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and ranks.world() > 1:
        name = f"cuda:{ranks.local_rank()}"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError("it is neither cpu nor cuda")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error)
        raise UsageError(f"--device {name} cannot be used ({reason}); try --device cpu") from error
    # By default a GPU multiplies float32 with ten bits of it: `--amp off` asks for all of them.
    torch.backends.cudnn.allow_tf32 = False
    return device


def pinned(tensors: "Iterable[torch.Tensor]", device: "torch.device") -> "tuple[torch.Tensor, ...]":
    """A batch in memory that a GPU copies by itself; for another device as it is."""
    if device.type == "cuda":
        return tuple(tensor.pin_memory() for tensor in tensors)
    return tuple(tensors)


def moved(tensors: "Iterable[torch.Tensor]", device: "torch.device") -> "tuple[torch.Tensor, ...]":
    """A batch on the device; from :func:`pinned` memory nothing waits until it is there."""
    return tuple(tensor.to(device, non_blocking=True) for tensor in tensors)


def resolve_precision(amp: str, device: "torch.device") -> str:
    """``bfloat16`` where the device multiplies it natively and amp is ``auto``, else ``float32``.

    Emulated bfloat16 is slower than float32, so an old CPU or GPU stays with float32.
    """
    import torch

    if amp == "off":
        return "float32"
    if device.type == "cuda":
        with torch.cuda.device(device):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # torch names the instruction sets only from 2.7 on; without names, float32 is the answer.
        known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        native = bool(known.get("avx512_bf16") or known.get("amx_bf16") or known.get("amx_tile"))
    return "bfloat16" if native else "float32"


def autocast(device: "torch.device", precision: str) -> AbstractContextManager[Any]:
    """Context in which convolutions and matrix products use the precision."""
    import torch

    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Within, each operation of torch on the CPU takes one thread.

    For work on many images at a time, an image in each thread of Python's: the cores are then used
    between the operations too, and no result depends on how many there are.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def resolve_workers(workers: int | None) -> int:
    """Threads that decode: as given, else one per core that is this process's, up to eight."""
    if workers is not None:
        return workers
    return min(8, max(1, (os.cpu_count() or 1) // ranks.local_world()))
