"""How much of the object is found and of the background lit, counted by hand."""

import pytest
import torch

from wsss_cli.metrics.attention import (
    ThresholdCurve,
    background_lit,
    lit_at_recall,
    object_found,
)

# Truth in rows: 10 background pixels, 6 of class 1, 4 of class 2.
CONFUSION = torch.tensor([[7, 2, 1], [1, 4, 1], [0, 3, 1]])


def test_shares_counted_by_hand() -> None:
    assert float(object_found(CONFUSION)) == pytest.approx((4 + 1) / (6 + 4))
    assert float(background_lit(CONFUSION)) == pytest.approx((2 + 1) / 10)


def test_shares_of_many_thresholds_are_those_of_each() -> None:
    many = torch.stack((CONFUSION, CONFUSION.flip(0), 2 * CONFUSION))
    for shares in (object_found, background_lit):
        assert shares(many).tolist() == pytest.approx([float(shares(one)) for one in many])


def test_without_pixels_a_share_is_not_defined() -> None:
    only_background = torch.tensor([[3, 1], [0, 0]])
    assert object_found(only_background).isnan()
    only_object = torch.tensor([[0, 0], [1, 2]])
    assert background_lit(only_object).isnan()


def test_curve_of_a_row_of_pixels() -> None:
    maps = torch.tensor([[[0.9, 0.6, 0.2, 0.6, 0.3, 0.1]]])
    target = torch.tensor([[1, 1, 1, 0, 0, 255]])
    curve = ThresholdCurve(2, torch.tensor([0.25, 0.5, 0.75]))
    curve.update(maps, torch.tensor([1]), target)
    confusions = curve.confusions()
    assert object_found(confusions).tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert background_lit(confusions).tolist() == pytest.approx([2 / 2, 1 / 2, 0 / 2])


# At thresholds .1, .2, .3, .4.
FOUND = torch.tensor([0.8, 0.6, 0.4, 0.2])
LIT = torch.tensor([0.5, 0.3, 0.2, 0.05])


@pytest.mark.parametrize(
    ("recall", "lit"),
    [
        (0.6, 0.3),
        (0.5, (0.3 + 0.2) / 2),
        (0.45, 0.2 + (0.3 - 0.2) * (0.45 - 0.4) / (0.6 - 0.4)),
        (0.8, 0.5),
        (0.1, 0.05 / 2),  # between the highest threshold and nothing
        (0.81, None),  # the lowest threshold is the end
    ],
)
def test_background_at_a_recall_lies_between_its_neighbours(
    recall: float, lit: float | None
) -> None:
    assert lit_at_recall(FOUND, LIT, recall) == (None if lit is None else pytest.approx(lit))


def test_of_thresholds_that_find_equally_much_the_highest_counts() -> None:
    found, lit = torch.tensor([0.7, 0.5, 0.5, 0.1]), torch.tensor([0.9, 0.6, 0.4, 0.0])
    assert lit_at_recall(found, lit, 0.5) == pytest.approx(0.4)


def test_undefined_shares_give_none() -> None:
    nan = torch.full((4,), torch.nan)
    assert lit_at_recall(nan, LIT, 0.5) is None
    assert lit_at_recall(FOUND, nan, 0.5) is None


def test_curves_of_single_images_add_up_and_give_the_confusion_at_a_threshold() -> None:
    thresholds = torch.arange(1, 101) / 100
    whole, sum_of_images = ThresholdCurve(4, thresholds), ThresholdCurve(4, thresholds)
    generator = torch.Generator().manual_seed(3)
    for _ in range(3):
        image = (
            torch.rand(2, 6, 5, generator=generator),
            torch.tensor([3, 1]),
            torch.randint(0, 4, (6, 5), generator=generator),
        )
        whole.update(*image)
        one = ThresholdCurve(4, thresholds)
        one.update(*image)
        sum_of_images.add(*one.occurring())
    confusions = whole.confusions()
    assert torch.equal(sum_of_images.confusions(), confusions)
    for number, threshold in ((0, 0.01), (29, 0.3), (99, 1.0)):
        assert torch.equal(sum_of_images.confusion_at(threshold), confusions[number])
    with pytest.raises(ValueError, match=r"0\.305"):
        whole.confusion_at(0.305)
