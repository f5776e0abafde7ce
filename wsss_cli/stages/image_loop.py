"""The loop over a stage's images: this process's part, what is missing of it, and the counts."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from wsss_cli import ranks
from wsss_cli.data.loading import prefetch
from wsss_cli.device import resolve_workers
from wsss_cli.tracking import Track, single

T = TypeVar("T")
L = TypeVar("L")
C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True)
class Shard:
    """Images that are written to one file together."""

    path: Path
    image_ids: Sequence[str]

    def __len__(self) -> int:
        """The number of its images."""
        return len(self.image_ids)

    def left(self) -> int:
        """The number of images still to be made: all or none."""
        return 0 if self.path.exists() else len(self)


class Share(Generic[T]):
    """This process's part of a stage's images, or of groups of them.

    Several processes (:mod:`wsss_cli.ranks`) each take theirs; what an earlier run has made is
    left out.

    Attributes:
        items: All of the part.
        missing: Those of them that are to be made.
    """

    def __init__(
        self,
        items: Sequence[T],
        left: Callable[[T], int],
        *,
        size: Callable[[T], int] = single,
    ) -> None:
        """Take this process's part.

        Args:
            items: The work of all processes.
            left: Number of images of an item that are still to be made; of one image also whether
                it is.
            size: Number of images of an item.
        """
        self._started = time.monotonic()
        self._images = sum(map(size, items))
        self.items = ranks.mine(items)
        self.missing = [item for item in self.items if left(item)]
        self._total = sum(map(size, self.items))
        self._to_do = sum(map(left, self.missing))

    def follow(
        self,
        results: Iterable[R],
        track: Track,
        label: str,
        *,
        size: Callable[[R], int] = single,
    ) -> Iterator[R]:
        """Yield the results as they come, with progress.

        Args:
            results: The results of :attr:`missing`, made as they are asked for.
            track: Shown the progress.
            label: What is being done.
            size: Number of images of a result.
        """
        done = self._total - self._to_do
        return track.steps(results, total=self._total, label=label, done=done, size=size)

    def made(self) -> dict[str, Any]:
        """How many images all processes have made, and how fast.

        Waits until each of them has counted, so afterwards all files are there.
        """
        return images_made(self._images, sum(ranks.counted(self._to_do)), self._started)


def pipeline(
    items: Iterable[T],
    load: Callable[[T], L],
    compute: Callable[[Iterator[L]], Iterator[C]],
    write: Callable[[C], R],
    workers: int | None,
) -> Iterator[R]:
    """Yield the written results: reading ahead in threads, computing here, writing behind in one.

    Args:
        items: What is to be made.
        load: Reads an item.
        compute: Takes what was loaded, in order; may take several at once.
        write: Writes a result.
        workers: Threads that read; None is one per core, up to eight.
    """
    return prefetch(write, compute(prefetch(load, items, resolve_workers(workers))), workers=1)


def each_image(
    items: Sequence[T],
    work: Callable[[T], R],
    track: Track,
    label: str,
    workers: int | None,
) -> Iterable[R]:
    """What comes of each item, in order, where nothing is written; the ranks share the work.

    Args:
        items: The images, or what stands for them.
        work: What is done with each, in threads.
        track: Shown the progress.
        label: What is being done.
        workers: Threads; None is one per core, up to eight.
    """
    share = ranks.mine(items)
    results = prefetch(work, share, resolve_workers(workers))
    return ranks.in_turn(track.steps(results, total=len(share), label=label))


def images_made(images: int, written: int, started: float) -> dict[str, Any]:
    """How many images a stage has made, and how fast.

    Args:
        images: Number that it is to have in the end.
        written: Those made now, by all ranks; the others were there.
        started: The beginning, by ``time.monotonic``.
    """
    seconds = time.monotonic() - started
    return {
        "images": images,
        "written": written,
        "skipped": images - written,
        "seconds": round(seconds, 2),
        "rate": round(written / seconds, 2),
    }
