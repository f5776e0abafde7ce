"""What holds of the scores of any label maps, in sets that hypothesis makes up."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wsss_cli.configs.evaluate import PREDICTED_IGNORE
from wsss_cli.metrics.tally import Tally

NUM_LABELS = 4
NAMES = ("one", "two", "three")

Images = list[tuple[np.ndarray, np.ndarray]]


@st.composite
def _image(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    labels = arrays(np.uint8, shape, elements=st.sampled_from([*range(NUM_LABELS), 255]))
    return draw(labels), draw(labels)


# The same cases every time and however slow the machine, as the hostile tests have it.
always = settings(max_examples=40, derandomize=True, deadline=None, database=None)

IMAGES = st.lists(_image(), max_size=5)
CONVENTIONS = st.sampled_from(PREDICTED_IGNORE)


def _tally(images: Images) -> Tally:
    total = Tally.empty(NUM_LABELS)
    for prediction, target in images:
        total.add(Tally.of(prediction, target, NUM_LABELS))
    return total


def _scores(images: Images, convention: str) -> dict[str, Any]:
    """A mean over no label as None: nan equals nothing."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in _tally(images).scores(NAMES, convention).items()
    }


@always
@given(IMAGES, CONVENTIONS)
def test_iou_and_false_shares_sum_to_1(images: Images, convention: str) -> None:
    scores = _scores(images, convention)
    shares = [scores[name] for name in ("per_class", "false_positive", "false_negative")]
    for name in scores["per_class"]:
        of_class = [share[name] for share in shares]
        if name in scores["absent"]:
            assert of_class == [None] * 3
        else:
            assert min(of_class) >= 0
            assert sum(of_class) == pytest.approx(1, abs=1e-12)


@always
@given(IMAGES.flatmap(lambda images: st.tuples(st.just(images), st.permutations(images))))
def test_order_of_the_images_does_not_matter(orders: tuple[Images, Images]) -> None:
    for convention in PREDICTED_IGNORE:
        first, second = (_scores(images, convention) for images in orders)
        assert first == second


@always
@given(IMAGES, st.integers(0, 5))
def test_tallies_of_two_parts_make_that_of_the_whole(images: Images, first: int) -> None:
    merged = _tally(images[:first])
    merged.add(_tally(images[first:]))
    joined = Tally.of(*_one_row(images), NUM_LABELS)
    for convention in PREDICTED_IGNORE:
        assert merged.overlap(convention).equal(joined.overlap(convention))
    assert merged.confusion.equal(joined.confusion)
    assert merged.missed.equal(joined.missed)


def _one_row(images: Images) -> tuple[np.ndarray, np.ndarray]:
    """All pixels of all images as one image."""
    none = np.zeros(0, np.uint8)
    prediction, target = (
        np.concatenate([none, *(image[side].ravel() for image in images)]) for side in (0, 1)
    )
    return prediction, target


@always
@given(IMAGES, CONVENTIONS)
def test_a_truth_that_is_predicted_scores_1(images: Images, convention: str) -> None:
    scores = _scores([(target, target) for _, target in images], convention)
    labels = {label for _, target in images for label in target.ravel().tolist()} - {255}
    expected = [1 if label in labels else None for label in range(NUM_LABELS)]
    assert list(scores["per_class"].values()) == expected
    assert scores["miou"] == (1 if labels else None)
    assert scores["coverage"] == (1 if labels else 0)
