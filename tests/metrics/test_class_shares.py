"""IoU, false positives and false negatives share the union; the index is torchmetrics'."""

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("convention", ["false-negative", "background", "excluded"])
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
    """Several images each, so that a mean over images instead of one over pixels would show."""
    classification = pytest.importorskip("torchmetrics.classification")
    rng = np.random.default_rng(1)
    for case in range(200):
        num_labels = int(rng.integers(2, 22))
        metric = classification.MulticlassJaccardIndex(
            num_labels, average="none", ignore_index=255, validate_args=False
        )
        total = Tally.empty(num_labels)
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
        names = [str(label) for label in range(1, num_labels)]
        scores = total.scores(names, "false-negative")
        theirs = metric.compute().tolist()
        for ours, index in zip(scores["per_class"].values(), theirs, strict=True):
            # Of an absent class theirs is 0 or nan, by version; ours leaves it out and says so.
            assert ours is None or ours == pytest.approx(index, abs=1e-6), case


def test_counting_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that large images need no more memory."""
    rng = np.random.default_rng(2)
    prediction, target = (torch.from_numpy(_labels(rng, 4)) for _ in range(2))
    whole = segmentation.joint_counts(prediction, target, 4)
    monkeypatch.setattr(segmentation, "PART", 7)
    assert torch.equal(segmentation.joint_counts(prediction, target, 4), whole)
    assert int(whole.sum()) == target.numel()
