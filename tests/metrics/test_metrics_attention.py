"""The one-pass threshold curve against reading the maps again at every threshold."""

from collections.abc import Sequence

import pytest
import torch

from wsss_cli.metrics import attention

IGNORED = 255
Image = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _curve_by_loops(
    images: Sequence[Image], num_labels: int, thresholds: Sequence[float]
) -> list[list[list[int]]]:
    """Threshold by threshold, image by image, pixel by pixel."""
    counts = [[[0] * num_labels for _ in range(num_labels)] for _ in thresholds]
    for number, threshold in enumerate(thresholds):
        for maps, class_ids, target in images:
            values, ids, truth = maps.tolist(), class_ids.tolist(), target.tolist()
            for y, row in enumerate(truth):
                for x, label in enumerate(row):
                    if label == IGNORED:
                        continue
                    predicted, best = 0, -float("inf")
                    for k, class_id in enumerate(ids):
                        value = values[k][y][x]
                        if value > best:
                            best = value
                            predicted = class_id if value >= threshold else 0
                    counts[number][label][predicted] += 1
    return counts


def _curve(images: Sequence[Image], num_labels: int, thresholds: Sequence[float]) -> torch.Tensor:
    curve = attention.ThresholdCurve(num_labels, torch.tensor(thresholds))
    for image in images:
        curve.update(*image)
    return curve.confusions()


def _random_image(seed: int, classes: int, num_labels: int, steps: int = 16) -> Image:
    """Maps on a grid of 1 / steps, exact in binary, so that ties and equalities happen."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randint(0, steps + 1, (classes, 9, 7), generator=generator) / steps
    class_ids = torch.randperm(num_labels - 1, generator=generator)[:classes] + 1
    target = torch.randint(0, num_labels, (9, 7), generator=generator)
    target[torch.rand(9, 7, generator=generator) < 0.2] = IGNORED
    return maps, class_ids, target


def test_a_row_of_pixels_counted_by_hand() -> None:
    maps = torch.tensor([[[0.5, 0.75, 0.0, 1.0, 0.25]], [[0.25, 0.75, 0.5, 0.5, 0.375]]])
    image = maps, torch.tensor([2, 1]), torch.tensor([[2, 1, 0, 255, 1]])
    # Winners 2 at .5, 2 at .75 (a tie), 1 at .5, ignored, 1 at .375.
    confusions = _curve([image], 3, [0.0, 0.5, 0.625, 1.0])
    assert confusions.dtype == torch.int64
    assert confusions.tolist() == [
        [[0, 1, 0], [0, 1, 1], [0, 0, 1]],
        [[0, 1, 0], [1, 0, 1], [0, 0, 1]],
        [[1, 0, 0], [1, 0, 1], [1, 0, 0]],
        [[1, 0, 0], [2, 0, 0], [1, 0, 0]],
    ]


@pytest.mark.parametrize(
    "thresholds",
    [
        [0.0, 0.125, 0.25, 0.5, 0.75, 1.0],
        [0.5],
        [0.03125, 0.53125, 0.96875, 2.0],
        [number / 100 for number in range(1, 101)],
    ],
)
def test_curve_equals_the_loop_version_over_several_images(thresholds: list[float]) -> None:
    images = [_random_image(seed, 1 + seed, 6) for seed in range(4)]
    confusions = _curve(images, 6, thresholds)
    assert confusions.shape == (len(thresholds), 6, 6)
    assert confusions.tolist() == _curve_by_loops(images, 6, thresholds)


def test_curve_equals_the_loop_version_for_unrounded_maps() -> None:
    generator = torch.Generator().manual_seed(11)
    _, class_ids, target = _random_image(12, 3, 21)
    images = [(torch.rand(3, 9, 7, generator=generator), class_ids, target)]
    thresholds = [i / 64 for i in range(65)]
    assert _curve(images, 21, thresholds).tolist() == _curve_by_loops(images, 21, thresholds)


def test_a_value_equal_to_the_threshold_is_foreground_and_just_below_is_not() -> None:
    below = float(torch.nextafter(torch.tensor(0.5), torch.tensor(0.0)))
    maps = torch.tensor([[[0.5, below]]])
    image = maps, torch.tensor([1]), torch.ones(1, 2, dtype=torch.int64)
    assert _curve([image], 2, [0.25, 0.5, 0.75]).tolist() == [
        [[0, 0], [0, 2]],
        [[0, 0], [1, 1]],
        [[0, 0], [2, 0]],
    ]


@pytest.mark.parametrize("class_ids", [[3, 1, 2], [1, 2, 3], [2, 3, 1]])
def test_ties_go_to_the_first_map(class_ids: list[int]) -> None:
    image = torch.full((3, 1, 1), 0.5), torch.tensor(class_ids), torch.tensor([[0]])
    confusions = _curve([image], 4, [0.5])
    assert int(confusions[0, 0, class_ids[0]]) == 1
    assert int(confusions.sum()) == 1


def test_updates_accumulate_and_do_not_depend_on_order_or_tiling() -> None:
    images = [_random_image(seed, 3, 5) for seed in range(20, 23)]
    thresholds = [0.25, 0.5, 0.75]
    together = _curve(images, 5, thresholds)
    assert torch.equal(together, sum(_curve([image], 5, thresholds) for image in images))
    assert torch.equal(together, _curve(images[::-1], 5, thresholds))
    tiles = [
        (maps[:, rows], class_ids, target[rows])
        for maps, class_ids, target in images
        for rows in (slice(0, 4), slice(4, 9))
    ]
    assert torch.equal(together, _curve(tiles, 5, thresholds))


def test_confusions_may_be_read_between_updates() -> None:
    first, second = _random_image(30, 2, 5), _random_image(31, 3, 5)
    curve = attention.ThresholdCurve(5, torch.tensor([0.25, 0.75]))
    curve.update(*first)
    before = curve.confusions()
    kept = before.clone()
    assert torch.equal(curve.confusions(), kept)
    curve.update(*second)
    assert torch.equal(before, kept)
    assert torch.equal(curve.confusions(), _curve([first, second], 5, [0.25, 0.75]))


def test_without_updates_all_counts_are_zero() -> None:
    curve = attention.ThresholdCurve(4, torch.tensor([0.25, 0.75]))
    assert torch.equal(curve.confusions(), torch.zeros(2, 4, 4, dtype=torch.int64))


def test_every_threshold_counts_each_valid_pixel_once_and_background_grows() -> None:
    images = [_random_image(seed, 3, 6) for seed in range(40, 43)]
    confusions = _curve(images, 6, [i / 16 for i in range(17)])
    truth = [sum(int((target == c).sum()) for *_, target in images) for c in range(6)]
    assert all(matrix.sum(dim=1).tolist() == truth for matrix in confusions)
    background = confusions[:, :, 0]
    assert bool((background.diff(dim=0) >= 0).all())
    assert int(background[0].sum()) < int(background[-1].sum())


def test_a_threshold_counts_the_same_alone_as_among_others() -> None:
    images = [_random_image(50, 4, 6)]
    thresholds = [0.125, 0.25, 0.5, 0.5625, 1.0]
    together = _curve(images, 6, thresholds)
    for number, threshold in enumerate(thresholds):
        assert torch.equal(together[number], _curve(images, 6, [threshold])[0])


def test_an_image_without_a_present_class_is_all_background() -> None:
    target = torch.tensor([[0, 1, 255]])
    image = torch.zeros(0, 1, 3), torch.zeros(0, dtype=torch.int64), target
    assert _curve([image], 2, [0.0, 0.5]).tolist() == [[[1, 0], [1, 0]]] * 2


def test_a_score_passes_every_threshold_that_it_reaches_to_the_last_bit() -> None:
    """At, just below and just above each of a hundred thresholds that no float32 holds exactly."""
    thresholds = torch.arange(1, 101) / 100
    up, down = torch.tensor(2.0), torch.tensor(0.0)
    scores = torch.cat((thresholds, thresholds.nextafter(up), thresholds.nextafter(down)))
    for score in scores.clamp(max=1).tolist():
        image = torch.full((1, 1, 1), score), torch.tensor([1]), torch.tensor([[1]])
        confusions = _curve([image], 2, thresholds.tolist())
        expected = [int(score >= threshold) for threshold in thresholds.tolist()]
        assert confusions[:, 1, 1].tolist() == expected


@pytest.mark.parametrize(
    "thresholds",
    [[-0.5, 0.5], [0.5, 0.5], [0.5, 0.25], [0.5, 0.5001], [n / 1000 for n in range(300)]],
)
def test_thresholds_that_the_count_cannot_tell_apart_are_refused(thresholds: list[float]) -> None:
    with pytest.raises(ValueError, match="thresholds"):
        attention.ThresholdCurve(3, torch.tensor(thresholds))


def test_score_on_a_threshold_passes_that_one_and_none_above() -> None:
    thresholds = [0.25, 0.5, 0.75]
    curve = attention.ThresholdCurve(2, torch.tensor(thresholds))
    just_below = float(torch.nextafter(torch.tensor(0.5), torch.tensor(0.0)))
    curve.update(
        torch.tensor([[[0.5, just_below]]]), torch.tensor([1]), torch.ones(1, 2, dtype=torch.int64)
    )
    passed = {t: int(curve.confusion_at(t)[1, 1]) for t in thresholds}
    assert passed == {0.25: 2, 0.5: 1, 0.75: 0}
    assert curve.confusions()[:, 1, 1].tolist() == [2, 1, 0]
