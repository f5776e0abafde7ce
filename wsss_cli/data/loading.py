"""Order of training samples, and decoding off the critical path."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np

from wsss_cli import ranks

T = TypeVar("T")
R = TypeVar("R")


def training_positions(
    num_images: int, batch_size: int, seed: int, start: int, stop: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield this rank's part of each batch, as a function of the iteration alone.

    Sample number ``n`` of a training is image ``n % num_images`` of the shuffle of epoch
    ``n // num_images``, so a resumed training sees the same batches.

    Args:
        num_images: Size of the data set.
        batch_size: Images per batch over all ranks, at least one for each rank.
        seed: Seed of the shuffles.
        start: First iteration.
        stop: One past the last iteration.

    Yields:
        Per iteration, (sample number, image index) of every image of the part.
    """
    epoch, order = -1, np.empty(0, np.int64)
    for iteration in range(start, stop):
        batch = []
        samples = range(iteration * batch_size, (iteration + 1) * batch_size)
        for sample in samples[ranks.block(batch_size)]:
            if sample // num_images != epoch:
                epoch = sample // num_images
                order = np.random.default_rng((seed, epoch)).permutation(num_images)
            batch.append((sample, int(order[sample % num_images])))
        yield batch


def prefetch(
    function: Callable[[T], R], items: Iterable[T], workers: int
) -> Generator[R, None, None]:
    """Yield ``function(item)`` in order while threads work on the next items.

    Decoding and resizing release the interpreter lock, so threads suffice: nothing is forked, no
    shared memory fills up, no worker process can die or hang. An exception of the function is
    raised here, at its item.

    Args:
        function: Called in a thread.
        items: Consumed lazily, at most ``2 * workers`` ahead.
        workers: Threads; 0 works in the caller.
    """
    if workers == 0:
        yield from map(function, items)
        return
    remaining = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="wsss-load") as pool:

        def submit(item: T) -> Future[R]:
            return pool.submit(function, item)

        # By map, not in a loop of our own: the items may be the results of another pipeline.
        waiting = deque(map(submit, islice(remaining, 2 * workers)))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(map(submit, islice(remaining, 1)))
                yield result
        finally:
            for future in waiting:
                future.cancel()
