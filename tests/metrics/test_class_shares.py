"""IoU, false positives and false negatives share the union; the index is torchmetrics'."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from wsss_cli.configs.evaluate import PREDICTED_IGNORE
from wsss_cli.metrics import segmentation
from wsss_cli.metrics.tally import Tally

# Truth in rows, the last column predicted 255: 10 background pixels, 6 of class 1, none of class 2.
CONFUSION = torch.tensor([[7, 2, 0], [1, 4, 0], [0, 0, 0]])
MISSED = torch.tensor([1, 1, 0])


def test_shares_counted_by_hand() -> None:
    scores = Tally(CONFUSION, MISSED).scores(["object", "absent one"], "false-negative")
    assert scores["per_class"]["object"] == pytest.approx(4 / 8)
    assert scores["false_positive"]["object"] == pytest.approx(2 / 8)
    assert scores["false_negative"]["object"] == pytest.approx(2 / 8)
    assert scores["per_class_accuracy"]["object"] == pytest.approx(4 / 6)
    assert scores["class_accuracy"] == pytest.approx((7 / 10 + 4 / 6) / 2)
    for name in ("per_class", "false_positive", "false_negative", "per_class_accuracy"):
        assert scores[name]["absent one"] is None
    assert scores["absent"] == ["absent one"]


@pytest.mark.parametrize("convention", PREDICTED_IGNORE)
def test_the_three_shares_of_a_class_sum_to_1(convention: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        prediction, target = (torch.from_numpy(_labels(rng, 5)) for _ in range(2))
        scores = Tally.of(prediction, target, 5).scores(list("abcd"), convention)
        for name, iou in scores["per_class"].items():
            if iou is not None:
                shares = scores["false_positive"][name] + scores["false_negative"][name]
                assert iou + shares == pytest.approx(1, abs=1e-12)


def test_precision_and_recall_counted_by_hand() -> None:
    precision = segmentation.precision(CONFUSION)
    assert precision[:2].tolist() == pytest.approx([7 / 8, 4 / 6])
    assert precision[2].isnan()
    assert segmentation.recall(CONFUSION)[:2].tolist() == pytest.approx([7 / 9, 4 / 5])


def _labels(rng: np.random.Generator, num_labels: int) -> np.ndarray:
    labels = rng.integers(0, num_labels, (9, 11)).astype(np.uint8)
    labels[rng.random(labels.shape) < rng.choice([0, 0.2, 0.9])] = 255
    return labels


def test_two_hundred_random_data_sets_score_as_torchmetrics_has_it() -> None:
    """Several images each, so that a mean over images instead of one over pixels would show.

    Of an absent class torchmetrics has 0 or nan, by version, and its own mean may count it: ours
    is over the classes that are there, so it is taken here.
    """
    classification = pytest.importorskip("torchmetrics.classification")
    rng = np.random.default_rng(1)
    absent_labels = 0
    for case in range(200):
        num_labels = int(rng.integers(2, 22))
        metric = classification.MulticlassJaccardIndex(
            num_labels, average="none", ignore_index=255, validate_args=False
        )
        total = Tally.empty(num_labels)
        seen: set[int] = set()
        for _ in range(int(rng.integers(1, 4))):
            shape = tuple(rng.integers(1, 30, 2))
            target = rng.integers(0, num_labels, shape).astype(np.uint8)
            target[rng.random(shape) < 0.3] = 255
            wrong = rng.integers(0, num_labels, shape).astype(np.uint8)
            right = (rng.random(shape) < 0.6) & (target != 255)
            prediction = torch.from_numpy(np.where(right, target, wrong))
            truth = torch.from_numpy(target)
            total.add(Tally.of(prediction, truth, num_labels))
            metric.update(prediction[None].long(), truth[None].long())
            seen.update(truth[truth != 255].tolist(), prediction[truth != 255].tolist())
        names = [str(label) for label in range(num_labels)]
        scores = total.scores(names[1:], "false-negative")
        ours = list(scores["per_class"].values())
        theirs = metric.compute().tolist()
        assert [label for label in range(num_labels) if ours[label] is not None] == sorted(seen)
        assert [ours[label] for label in sorted(seen)] == pytest.approx(
            [theirs[label] for label in sorted(seen)], abs=1e-6
        ), case
        mean = sum(theirs[label] for label in seen) / len(seen) if seen else math.nan
        assert scores["miou"] == pytest.approx(mean, abs=1e-6, nan_ok=True), case
        absent_labels += num_labels - len(seen)
    assert absent_labels > 20  # of some 2,300: enough to be wrong about


def _shares_by_pixels(
    pixels: list[tuple[int, int]], num_labels: int, convention: str
) -> list[tuple[float, float, float] | None]:
    """IoU, false positives and false negatives of each label, from (prediction, truth) pixels."""
    hits, added, lost = ([0] * num_labels for _ in range(3))
    for found, true in pixels:
        if found == 255:
            if convention == "excluded":
                continue
            if convention == "background":
                found = 0
        if true == 255:
            continue
        if found == true:
            hits[true] += 1
            continue
        lost[true] += 1
        if found != 255:
            added[found] += 1
    return [
        (h / union, a / union, m / union) if (union := h + a + m) else None
        for h, a, m in zip(hits, added, lost, strict=True)
    ]


def _same_as_by_pixels(
    images: list[tuple[np.ndarray, np.ndarray]], num_labels: int, convention: str
) -> dict[str, Any]:
    total = Tally.empty(num_labels)
    pixels: list[tuple[int, int]] = []
    for prediction, target in images:
        total.add(Tally.of(prediction, target, num_labels))
        pixels += zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True)
    scores = total.scores([str(label) for label in range(1, num_labels)], convention)
    shares = _shares_by_pixels(pixels, num_labels, convention)
    for at, name in enumerate(("per_class", "false_positive", "false_negative")):
        expected = [share and share[at] for share in shares]
        assert list(scores[name].values()) == pytest.approx(expected, abs=1e-12), name
    ious = [share[0] for share in shares if share]
    mean = sum(ious) / len(ious) if ious else math.nan
    assert scores["miou"] == pytest.approx(mean, abs=1e-12, nan_ok=True)
    return scores


# Of class 1 one pixel is found and one has no prediction; of 2 none has, and 3 is where no truth
# is. The background is predicted once, rightly, and once has no prediction.
PREDICTED = np.array([[1, 255, 255, 3, 0, 255]], np.uint8)
TRUE = np.array([[1, 1, 2, 255, 0, 0]], np.uint8)


@pytest.mark.parametrize(
    ("convention", "ious"),
    [
        ("false-negative", [1 / 2, 1 / 2, 0, None]),
        ("background", [2 / 4, 1 / 2, 0, None]),
        ("excluded", [1, 1, None, None]),
    ],
)
def test_pixels_without_a_prediction_counted_by_hand(
    convention: str, ious: list[float | None]
) -> None:
    scores = _same_as_by_pixels([(PREDICTED, TRUE)], 4, convention)
    assert list(scores["per_class"].values()) == ious
    added = {"false-negative": 0, "background": 2 / 4, "excluded": 0}
    assert scores["false_positive"]["background"] == added[convention]


@pytest.mark.parametrize("convention", PREDICTED_IGNORE)
def test_pixels_without_a_prediction_count_as_the_convention_says(convention: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        num_labels = int(rng.integers(2, 8))
        images = [
            (_labels(rng, num_labels), _labels(rng, num_labels))
            for _ in range(int(rng.integers(1, 4)))
        ]
        _same_as_by_pixels(images, num_labels, convention)


def test_counting_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that large images need no more memory."""
    rng = np.random.default_rng(2)
    prediction, target = (torch.from_numpy(_labels(rng, 4)) for _ in range(2))
    whole = segmentation.joint_counts(prediction, target, 4)
    monkeypatch.setattr(segmentation, "PART", 7)
    assert torch.equal(segmentation.joint_counts(prediction, target, 4), whole)
    assert int(whole.sum()) == target.numel()
