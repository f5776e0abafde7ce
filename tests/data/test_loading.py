"""Order of training samples, and decoding ahead."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from wsss_cli.data.loading import prefetch, training_positions


@pytest.mark.parametrize(("images", "batch"), [(12, 4), (10, 3), (5, 8), (7, 7), (1, 2)])
def test_every_image_comes_once_an_epoch(images: int, batch: int) -> None:
    epochs = 4
    iterations = -(-epochs * images // batch)
    samples = [s for b in training_positions(images, batch, 0, 0, iterations) for s in b]
    assert [number for number, _ in samples] == list(range(iterations * batch))
    for epoch in range(epochs):
        seen = Counter(index for _, index in samples[epoch * images : (epoch + 1) * images])
        assert seen == dict.fromkeys(range(images), 1)


@pytest.mark.parametrize("start", range(1, 20, 3))
def test_starting_anywhere_goes_on_as_without_interruption(start: int) -> None:
    whole = list(training_positions(10, 3, 5, 0, 20))
    assert list(training_positions(10, 3, 5, start, 20)) == whole[start:]


def test_epochs_are_shuffled_each_in_its_own_way() -> None:
    batches = list(training_positions(50, 50, 0, 0, 3))
    orders = [tuple(index for _, index in batch) for batch in batches]
    assert len({*orders, tuple(range(50))}) == 4


def test_order_depends_on_the_seed_alone() -> None:
    first, again, other = (list(training_positions(30, 4, seed, 0, 9)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_their_items(workers: int) -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.02 / (item + 1))
        return item * item

    assert list(prefetch(slow_at_first, range(12), workers)) == [n * n for n in range(12)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_exception_comes_at_its_item(workers: int) -> None:
    def odd(item: int) -> int:
        if item == 5:
            raise ValueError("the fifth")
        return item

    results = prefetch(odd, range(20), workers)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="the fifth"):
        next(results)


@pytest.mark.parametrize("workers", [1, 3])
def test_items_are_taken_only_a_little_ahead(workers: int) -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    results = prefetch(lambda item: item, items(), workers)
    assert taken == []
    for done in range(1, 6):
        next(results)
        assert len(taken) <= done + 2 * workers
    results.close()
    assert len(taken) <= 5 + 2 * workers


def test_workers_work_side_by_side_away_from_the_caller() -> None:
    barrier = threading.Barrier(3, timeout=10)
    names = set()

    def meet(item: int) -> int:
        barrier.wait()
        names.add(threading.current_thread().name)
        return item

    assert list(prefetch(meet, range(6), 3)) == list(range(6))
    assert threading.main_thread().name not in names


def test_without_workers_the_caller_works() -> None:
    threads = list(prefetch(lambda _: threading.current_thread(), range(3), 0))
    assert threads == [threading.main_thread()] * 3


def test_nothing_to_do_gives_nothing() -> None:
    assert list(prefetch(lambda item: item, [], 2)) == []


def test_stopping_early_leaves_no_thread() -> None:
    before = threading.active_count()
    results = prefetch(lambda item: item, range(100), 2)
    next(results)
    results.close()
    assert threading.active_count() == before
