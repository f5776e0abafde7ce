"""Stages of wsss on a few images, and the time that they take for these alone.

What a stage does once, however many images there are (look at the data set, read a checkpoint,
build a network), weighs little in a run of thousands and much in one of sixty. So the clock stands
still meanwhile: it runs while the stage steps through its images, from the first one that is
decoded to the last one that is written.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch

from wsss_cli.data.voc import VocDataSet, find
from wsss_cli.tracking import Silent, single

T = TypeVar("T")

SPLIT = "few"
LISTS = Path("ImageSets", "Segmentation")


class Watch(Silent):
    """A clock for :func:`ratios.in_turn`, and the track of the stages that are timed by it.

    Attributes:
        label: Of the steps that count, as the stage calls them.
        seconds: Counted so far.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.seconds = 0.0

    def __call__(self) -> float:
        """What a clock says: the seconds counted so far."""
        return self.seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within, time counts; a GPU has done its work before either end."""
        _wait()
        started = time.perf_counter()
        try:
            yield
        finally:
            _wait()
            self.seconds += time.perf_counter() - started

    def steps(
        self,
        items: Iterable[T],
        *,
        total: int,
        label: str,
        done: int = 0,
        unit: str = "images",
        size: Callable[[T], int] = single,
    ) -> Iterator[T]:
        """Yield ``items`` while time counts, if they are the ones wanted."""
        if label != self.label:
            yield from items
            return
        with self.running():
            yield from items

    def timed(self, way: Callable[[], object]) -> Callable[[], None]:
        """The same way, counted from its beginning to its end."""

        def whole() -> None:
            with self.running():
                way()

        return whole


def _wait() -> None:
    """Until a GPU, if one is used, has done what it was given."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def voc_data_set(data: Path) -> VocDataSet:
    """The VOC tree there.

    Raises:
        SystemExit: There is none.
    """
    data_set = find(data)
    if data_set is None:
        raise SystemExit(f"{data} should be a VOC tree")
    return data_set


def one_and_two_labels(data_set: VocDataSet, split: str, images: int) -> list[str]:
    """Image ids of a split, 1.5 labels each: half of them have one label, the others two.

    VOC's own mean is about that; which images they are is the same every time.
    """
    image_ids = data_set.image_ids(split)
    counts = data_set.labels(image_ids).sum(axis=1)
    chosen = []
    for labels in (1, 2):
        found = [i for i, count in zip(image_ids, counts, strict=True) if count == labels]
        if len(found) < images // 2:
            raise SystemExit(f"{split} has only {len(found)} images with {labels} labels")
        chosen += found[:: len(found) // (images // 2)][: images // 2]
    return sorted(chosen)


def tree_of(data_set: VocDataSet, image_ids: Sequence[str], folder: Path) -> VocDataSet:
    """A tree in ``folder`` whose list :data:`SPLIT` has these images, by links to the other's."""
    root = folder / "VOC2012"
    (root / LISTS).mkdir(parents=True)
    for name in ("JPEGImages", "Annotations", "SegmentationClass"):
        (root / name).symlink_to(data_set.root / name)
    (root / LISTS / f"{SPLIT}.txt").write_text("\n".join(image_ids))
    return VocDataSet(root)
