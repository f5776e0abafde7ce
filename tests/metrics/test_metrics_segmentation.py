"""Confusion matrix, unpredicted pixels and IoU against counts in plain Python."""

import itertools
import math

import numpy as np
import pytest
import torch

from wsss_cli.metrics import segmentation

IGNORED = 255


def _confusion_by_loops(
    prediction: torch.Tensor, target: torch.Tensor, num_labels: int
) -> list[list[int]]:
    counts = [[0] * num_labels for _ in range(num_labels)]
    for p, t in zip(prediction.flatten().tolist(), target.flatten().tolist(), strict=True):
        if IGNORED not in (p, t):
            counts[t][p] += 1
    return counts


def _random_labels(seed: int, num_labels: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, num_labels, shape, generator=generator)
    labels[torch.rand(shape, generator=generator) < 0.2] = IGNORED
    return labels


def test_confusion_has_targets_in_rows_and_predictions_in_columns() -> None:
    target = torch.tensor([[0, 0, 0, 1], [1, 2, 255, 2]])
    prediction = torch.tensor([[0, 1, 1, 1], [0, 2, 1, 255]])
    counts = segmentation.confusion_matrix(prediction, target, 3)
    assert counts.dtype == torch.int64
    assert counts.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("shape", [(97,), (13, 17), (2, 5, 9), (0, 4)])
@pytest.mark.parametrize("num_labels", [1, 4, 21])
def test_confusion_equals_the_loop_version_for_any_shape(
    num_labels: int, shape: tuple[int, ...]
) -> None:
    prediction = _random_labels(0, num_labels, *shape)
    target = _random_labels(1, num_labels, *shape)
    counts = segmentation.confusion_matrix(prediction, target, num_labels)
    assert counts.tolist() == _confusion_by_loops(prediction, target, num_labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_numpy_torch_and_narrow_dtypes_count_alike(dtype: type) -> None:
    # 21 labels: a pair index such as 20 * 21 + 20 does not fit into 8 bits.
    prediction, target = _random_labels(2, 21, 40, 30), _random_labels(3, 21, 40, 30)
    expected = _confusion_by_loops(prediction, target, 21)
    arrays = prediction.numpy().astype(dtype), target.numpy().astype(dtype)
    counts = segmentation.confusion_matrix(*arrays, 21)
    assert isinstance(counts, torch.Tensor)
    assert counts.dtype == torch.int64
    assert counts.tolist() == expected
    tensors = tuple(torch.from_numpy(array) for array in arrays)
    assert segmentation.confusion_matrix(*tensors, 21).tolist() == expected
    missed = segmentation.unpredicted(*arrays, 21)
    assert isinstance(missed, torch.Tensor)
    assert torch.equal(missed, segmentation.unpredicted(*tensors, 21))


def test_swapping_prediction_and_target_transposes_the_confusion() -> None:
    prediction, target = _random_labels(4, 5, 30), _random_labels(5, 5, 30)
    counts = segmentation.confusion_matrix(prediction, target, 5)
    assert not torch.equal(counts, counts.T)
    assert torch.equal(segmentation.confusion_matrix(target, prediction, 5), counts.T)


def test_confusions_and_unpredicted_of_parts_sum_to_the_whole_and_cover_every_pixel() -> None:
    prediction, target = _random_labels(6, 5, 30, 20), _random_labels(7, 5, 30, 20)
    for count in (segmentation.confusion_matrix, segmentation.unpredicted):
        parts = [count(prediction[i::3], target[i::3], 5) for i in range(3)]
        assert torch.equal(parts[0] + parts[1] + parts[2], count(prediction, target, 5))
    counted = segmentation.confusion_matrix(prediction, target, 5).sum(dim=1)
    counted += segmentation.unpredicted(prediction, target, 5)
    assert counted.tolist() == [int((target == label).sum()) for label in range(5)]


@pytest.mark.parametrize("value", [3, 21, 254])
@pytest.mark.parametrize("partner", [0, IGNORED])
@pytest.mark.parametrize("where", ["prediction", "target"])
def test_a_label_out_of_range_raises_naming_it(where: str, partner: int, value: int) -> None:
    arrays = {name: torch.tensor([0, 2, partner]) for name in ("prediction", "target")}
    arrays[where] = torch.tensor([1, 0, value])
    with pytest.raises(ValueError, match=rf"\b{value}\b"):
        segmentation.confusion_matrix(arrays["prediction"], arrays["target"], 3)


@pytest.mark.parametrize("where", ["prediction", "target"])
def test_a_negative_label_raises(where: str) -> None:
    arrays = {name: torch.tensor([0, 2]) for name in ("prediction", "target")}
    arrays[where] = torch.tensor([1, -1])
    with pytest.raises(ValueError, match="-1"):
        segmentation.confusion_matrix(arrays["prediction"], arrays["target"], 3)


@pytest.mark.parametrize("other", [(3, 4), (12,), (4, 3, 1), (4, 4)])
def test_different_shapes_raise(other: tuple[int, ...]) -> None:
    prediction, target = torch.zeros(4, 3, dtype=torch.int64), torch.zeros(other).long()
    with pytest.raises(ValueError, match=r"."):
        segmentation.confusion_matrix(prediction, target, 2)


def test_unpredicted_counts_ignored_predictions_per_target_label() -> None:
    target = torch.tensor([0, 0, 0, 1, 2, 2, 255, 255])
    prediction = torch.tensor([255, 255, 1, 1, 255, 2, 255, 0])
    missed = segmentation.unpredicted(prediction, target, 4)
    assert missed.dtype == torch.int64
    assert missed.tolist() == [2, 0, 1, 0]


def test_iou_of_a_hand_counted_matrix() -> None:
    confusion = torch.tensor([[6, 1, 0, 0], [2, 3, 0, 1], [0, 0, 0, 0], [0, 4, 0, 0]])
    scores = segmentation.iou(confusion)
    assert scores.dtype == torch.float64
    expected = torch.tensor([6 / 9, 3 / 11, math.nan, 0.0], dtype=torch.float64)
    torch.testing.assert_close(scores, expected, atol=1e-15, rtol=0, equal_nan=True)


def test_missed_pixels_are_false_negatives_and_make_a_class_present() -> None:
    confusion = torch.tensor([[6, 1, 0], [2, 3, 0], [0, 0, 0]])
    expected = torch.tensor([6 / 12, 3 / 6, 0.0], dtype=torch.float64)
    scores = segmentation.iou(confusion, torch.tensor([3, 0, 5]))
    torch.testing.assert_close(scores, expected, atol=1e-15, rtol=0)
    nobody = segmentation.iou(confusion, missed=torch.tensor([3, 0, 0]))
    assert nobody.isnan().tolist() == [False, False, True]


def test_iou_equals_intersection_over_union_of_pixel_sets() -> None:
    prediction, target = _random_labels(8, 6, 500), _random_labels(9, 6, 500)
    scores = segmentation.iou(
        segmentation.confusion_matrix(prediction, target, 7),
        segmentation.unpredicted(prediction, target, 7),
    )
    pairs = list(enumerate(zip(prediction.tolist(), target.tolist(), strict=True)))
    for label, score in enumerate(scores.tolist()):
        found = {i for i, (p, t) in pairs if p == label and t != IGNORED}
        truth = {i for i, (_, t) in pairs if t == label}
        if found | truth:
            assert score == pytest.approx(len(found & truth) / len(found | truth), abs=1e-12)
        else:
            assert math.isnan(score)


def test_iou_counts_beyond_float32_exactly_and_takes_numpy() -> None:
    confusion = np.array([[2**40 + 1, 1], [0, 2**40]])
    scores = segmentation.iou(confusion, np.array([0, 2**40]))
    assert isinstance(scores, torch.Tensor)
    assert scores.tolist() == [(2**40 + 1) / (2**40 + 2), 2**40 / (2**41 + 1)]


def test_iou_follows_a_permutation_of_the_labels() -> None:
    prediction, target = _random_labels(10, 4, 200), _random_labels(11, 4, 200)
    counts = segmentation.confusion_matrix(prediction, target, 4)
    scores = segmentation.iou(counts)
    for order in itertools.permutations(range(4)):
        assert torch.equal(segmentation.iou(counts[list(order)][:, list(order)]), scores[[*order]])


def test_mean_iou_equals_the_macro_jaccard_index_of_torchmetrics() -> None:
    classification = pytest.importorskip("torchmetrics.classification")
    target = _random_labels(12, 5, 2, 30, 20)
    prediction = torch.where(target == IGNORED, 0, (target + (target * 7 + 1) % 3) % 5)
    metric = classification.MulticlassJaccardIndex(5, average="macro", ignore_index=IGNORED)
    scores = segmentation.iou(segmentation.confusion_matrix(prediction, target, 5))
    assert float(scores.mean()) == pytest.approx(float(metric(prediction, target)), abs=1e-6)


@pytest.mark.parametrize("part", [1, 7, 8, 9, 64])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 15, 16, 17, 65])
def test_runs_end_where_they_end_and_no_part_is_left_out(
    monkeypatch: pytest.MonkeyPatch, part: int, length: int
) -> None:
    monkeypatch.setattr(segmentation, "PART", part)
    rng = np.random.default_rng(length)
    for longest in (1, 5, 40):
        maps = [
            np.repeat(
                rng.choice(np.array([0, 1, 2, 255], np.uint8), length + 1),
                rng.integers(1, longest + 1, length + 1),
            )[:length]
            for _ in range(2)
        ]
        expected = np.zeros((4, 4), int)
        for predicted, true in zip(*maps, strict=True):
            expected[min(true, 3), min(predicted, 3)] += 1
        assert segmentation.joint_counts(*maps, 3).tolist() == expected.tolist()


def test_pixel_accuracy_is_the_share_of_all_counted_pixels_and_missed_ones() -> None:
    confusion = torch.tensor([[3, 1], [2, 4]])
    assert segmentation.pixel_accuracy(confusion) == pytest.approx(7 / 10)
    assert segmentation.pixel_accuracy(confusion, torch.tensor([0, 5])) == pytest.approx(7 / 15)
    assert math.isnan(segmentation.pixel_accuracy(torch.zeros(2, 2, dtype=torch.int64)))
