"""Images held out of a training list: how many, of which classes, and always the same ones."""

import numpy as np
import pytest

from wsss_cli.data.hold_out import MOST_HELD_OUT, held_out_rows


def _labels(counts: list[int], negatives: int = 0) -> np.ndarray:
    """One class an image, so many images of each, then images without a class."""
    rows = [column for column, count in enumerate(counts) for _ in range(count)]
    labels = np.zeros((len(rows) + negatives, len(counts)), np.bool_)
    labels[range(len(rows)), rows] = True
    return labels


def test_every_class_gives_its_share() -> None:
    labels = _labels([100, 50, 20, 10])
    held = held_out_rows(labels, 0.1, seed=0)
    assert labels[held].sum(axis=0).tolist() == [10, 5, 2, 1]
    assert held.tolist() == sorted(set(held.tolist()))


def test_images_without_a_class_give_their_share() -> None:
    labels = _labels([40], negatives=60)
    held = held_out_rows(labels, 0.1, seed=0)
    assert (len(held), int(labels[held].sum())) == (10, 4)


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_each_class_keeps_half_of_its_images(share: float, seed: int) -> None:
    labels = np.random.default_rng(seed).random((60, 12)) < 0.12
    held = held_out_rows(labels, share, seed)
    assert (labels[held].sum(axis=0) <= labels.sum(axis=0) / 2).all()
    assert 0 < len(held) <= share * len(labels)


def test_classes_of_one_image_give_none() -> None:
    assert len(held_out_rows(_labels([1] * 60), 0.1, seed=0)) == 0


def test_the_seed_decides_which() -> None:
    labels = _labels([100, 100])
    first, again, other = (held_out_rows(labels, 0.1, seed).tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_several_labels_an_image_are_divided_evenly() -> None:
    labels = np.random.default_rng(0).random((400, 20)) < 0.15
    held = held_out_rows(labels, 0.1, seed=0)
    share = labels[held].sum(axis=0) / labels.sum(axis=0)
    assert len(held) == 40
    assert (share > 0.05).all()
    assert (share < 0.2).all()


def test_large_lists_give_no_more_than_the_map_needs() -> None:
    assert len(held_out_rows(_labels([4000, 4000]), 0.1, seed=0)) == MOST_HELD_OUT
