"""About how long a stage will take, and how much disk and memory, for ``--dry-run``.

A network is timed here on an image or two, and the rest is extrapolated by the number of pixels. On
a CPU what counts is the time of one thread, which other work on the machine does not change, shared
among the cores: so the answer is for a machine that does nothing else, and it is rough. An
unfinished training goes on at the speed that its log has. Other work is timed on the first few
images.
"""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsss_cli import ranks
from wsss_cli.artifacts.metrics_log import read_metrics
from wsss_cli.device import autocast, one_thread_each, resolve_workers
from wsss_cli.inspect.doctor.machine import Machine
from wsss_cli.inspect.doctor.space import (
    BYTES_PER_NUMBER,
    GREY_BYTES,
    HEATMAP_BYTES,
    LABEL_BYTES,
    RESUME_COPIES,
)

# Side of the image that a network is timed on: a step of VGG16 then takes a quarter of a second on
# one thread. A larger one takes as much for each pixel.
_SIDE = 96
# How much of each further core's time is of use to a network, and to images in threads.
_SHARED = 0.8
# How many images other work is timed on at most, and after how many seconds no more of them.
IMAGES = 4
_ENOUGH = 0.5
# What a pass takes beside what it has to keep, measured with VGG16, ResNet-50 and the tiny trunk.
_WORKSPACE = 1.7
# What CUDA takes before the first tensor.
_CONTEXT = 600 * 2**20


@dataclass(frozen=True)
class Estimate:
    """What a stage has still to do.

    Attributes:
        seconds: How long it will take; None where nothing could be timed.
        bytes_on_disk: How much it will have written when it needs the most, about.
        memory_bytes: How much memory it will need at a time, about: of the machine, on a GPU of
            the GPU.
    """

    seconds: float | None
    bytes_on_disk: int
    memory_bytes: int


@dataclass(frozen=True)
class Cost:
    """What a network takes.

    Attributes:
        seconds_per_pixel: Seconds for each pixel that passes, with gradients if asked for.
        bytes_per_pixel: The memory that this takes beside the weights.
        seconds_per_step: To apply gradients, whatever the input.
    """

    seconds_per_pixel: float
    bytes_per_pixel: float
    seconds_per_step: float


def nothing_to_do() -> Estimate:
    """Estimate of a stage that is complete."""
    return Estimate(0.0, 0, _resident())


def estimate_training(
    directory: Path,
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    *,
    iterations: int,
    batch: int,
    images_per_step: int,
    crop: int,
    device: torch.device,
    precision: str,
) -> Estimate:
    """Estimate what is left of a training.

    Args:
        directory: ``RUN/STAGE``, where an unfinished training has its log.
        network: To be trained, as it starts.
        loss: A loss of (B, 3, h, w) images in 0..255.
        iterations: Steps in all.
        batch: Images that pass the network together.
        images_per_step: Images whose gradients make a step.
        crop: Side of the square images.
        device: Where it trains.
        precision: In which precision.
    """
    cost = measure(network, loss, device, precision, backward=True)
    numbers = sum(each.numel() for each in network.parameters())
    log = read_metrics(directory)
    left = iterations - (log[-1]["iteration"] if log else 0)
    share = images_per_step / ranks.world()
    step = cost.seconds_per_step + share * crop**2 * cost.seconds_per_pixel
    speed = log[-1].get("images_per_second") if log else None
    return Estimate(
        seconds=left * (images_per_step / speed if speed else step),
        bytes_on_disk=BYTES_PER_NUMBER * numbers * (1 + 2 * RESUME_COPIES),
        memory_bytes=round(
            _base(device)
            + 3 * BYTES_PER_NUMBER * numbers
            + batch / ranks.world() * crop**2 * cost.bytes_per_pixel
        ),
    )


def estimate_passes(
    network: nn.Module,
    look: Callable[[Tensor], object],
    *,
    pixels: float,
    most_at_once: float,
    written: float,
    device: torch.device,
    precision: str,
) -> Estimate:
    """Estimate what a stage takes that only looks at images.

    Args:
        network: In evaluation mode.
        look: Passes (B, 3, h, w) images in 0..255 through it.
        pixels: Pixels of all images at all scales, mirrored ones counted again.
        most_at_once: Pixels that pass together.
        written: Bytes of the results.
        device: Where it computes.
        precision: In which precision.
    """
    cost = measure(network, look, device, precision, backward=False)
    numbers = sum(each.numel() for each in network.parameters())
    return Estimate(
        seconds=pixels / ranks.world() * cost.seconds_per_pixel,
        bytes_on_disk=round(written),
        memory_bytes=round(
            _base(device) + BYTES_PER_NUMBER * numbers + most_at_once * cost.bytes_per_pixel
        ),
    )


def estimate_images(
    work: Callable[[Any], object],
    items: Sequence[Any],
    *,
    workers: int | None,
    written: float,
    most_pixels: float,
    bytes_per_pixel: float,
) -> Estimate:
    """Estimate work on images that threads share, timed on the first few.

    Args:
        work: Does what is done to one of them, but for writing.
        items: All that are to be done.
        workers: Threads; None is the usual number.
        written: Bytes of the results.
        most_pixels: Pixels of the largest image.
        bytes_per_pixel: Memory for each.
    """
    threads = max(1, resolve_workers(workers))
    sample = items[:: max(1, len(items) // IMAGES)][:IMAGES]
    started, timed = time.process_time(), 0
    with one_thread_each():
        for item in sample:
            work(item)
            timed += 1
            if time.process_time() - started > _ENOUGH:
                break
    each = (time.process_time() - started) / max(1, timed)
    return Estimate(
        seconds=each * len(items) / _cores(threads) / ranks.world(),
        bytes_on_disk=round(written),
        memory_bytes=round(_resident() + threads * most_pixels * bytes_per_pixel),
    )


def added(*parts: Estimate) -> Estimate:
    """Estimate what follows after each other: the most memory of them, the sum of the others."""
    seconds = [part.seconds for part in parts if part.seconds is not None]
    return Estimate(
        sum(seconds) if seconds else None,
        sum(part.bytes_on_disk for part in parts),
        max(part.memory_bytes for part in parts),
    )


def measure(
    network: nn.Module,
    work: Callable[[Tensor], Any],
    device: torch.device,
    precision: str,
    *,
    backward: bool,
) -> Cost:
    """Time a network on one small image.

    Args:
        network: On the device after this.
        work: Passes (B, 3, h, w) images in 0..255 through it; with ``backward`` to a loss.
        device: Where to compute.
        precision: In which precision.
        backward: Also compute gradients, and what a step with them takes.
    """
    network.to(device)
    network.to(memory_format=torch.channels_last)

    def once(images: Tensor) -> None:
        with torch.set_grad_enabled(backward), autocast(device, precision):
            result = work(images)
        if backward:
            result.backward()

    cores = 1.0 if device.type == "cuda" else _cores()
    with one_thread_each():  # from the first pass on: idle threads of torch spin for a while
        cost = _cost(network, once, device, backward=backward)
    return replace(
        cost,
        seconds_per_pixel=cost.seconds_per_pixel / cores,
        seconds_per_step=cost.seconds_per_step / cores,
    )


def _cost(
    network: nn.Module, once: Callable[[Tensor], None], device: torch.device, *, backward: bool
) -> Cost:
    def held(images: Tensor) -> int:
        kept, largest = _Bytes(), _Largest(network)
        with largest, torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
            once(images)
        return kept.total if backward else largest.bytes

    small, large = (torch.full((1, 3, s, s), 127.0, device=device) for s in (_SIDE // 2, _SIDE))
    # What depends on the weights alone, such as their copies in bfloat16, is in both.
    pixels = _SIDE**2 - (_SIDE // 2) ** 2
    bytes_per_pixel = _WORKSPACE * max(0, held(large) - held(small)) / pixels
    seconds = _timed(lambda: once(large), device)
    step = 0.0
    if backward:
        optimiser = torch.optim.SGD(network.parameters(), lr=0.0, momentum=0.9)
        optimiser.step()
        step = _timed(optimiser.step, device)
        network.zero_grad(set_to_none=True)
    return Cost(seconds / _SIDE**2, bytes_per_pixel, step)


class _Bytes:
    """Counts what a pass keeps for its gradients, storage by storage."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def __call__(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if not isinstance(tensor, nn.Parameter):
            self._seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def total(self) -> int:
        return sum(self._seen.values())


class _Largest:
    """The largest input and output of one layer, which are in memory at the same time."""

    def __init__(self, network: nn.Module) -> None:
        self.bytes = 0
        self._layers = [layer for layer in network.modules() if not list(layer.children())]
        self._handles: list[Any] = []

    def __enter__(self) -> "_Largest":
        self._handles = [layer.register_forward_hook(self._look) for layer in self._layers]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _look(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:  # noqa: ANN401
        del layer
        tensors = [each for each in (*inputs, output) if isinstance(each, Tensor)]
        self.bytes = max(self.bytes, sum(t.numel() * t.element_size() for t in tensors))


def label_maps(pixels: float) -> float:
    """Bytes of label maps of so many pixels."""
    return LABEL_BYTES * pixels


def grey_maps(pixels: float) -> float:
    """Bytes of saliency maps of so many pixels."""
    return GREY_BYTES * pixels


def heatmaps(pixels: float) -> float:
    """Bytes of drawn attention maps of so many pixels."""
    return HEATMAP_BYTES * pixels


def _timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that work takes: of a GPU, or of the cores' time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        work()
        torch.cuda.synchronize(device)
        return time.perf_counter() - started
    started = time.process_time()
    work()
    return time.process_time() - started


def _cores(limit: int | None = None) -> float:
    """How many cores' time so many threads, or torch's, can use."""
    quota = Machine().quota()
    cores = min(torch.get_num_threads() if limit is None else limit, Machine().cores())
    granted = cores if quota is None else min(cores, max(1.0, quota))
    return 1 + _SHARED * (granted - 1)


def _base(device: torch.device) -> int:
    return _CONTEXT if device.type == "cuda" else _resident()


def _resident() -> int:
    """Bytes that this process has taken so far, the libraries among them."""
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return taken if sys.platform == "darwin" else 1024 * taken
