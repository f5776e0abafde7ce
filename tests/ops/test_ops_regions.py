"""Maps drawn by regions, against the rule applied to every cut by loops."""

import numpy as np
import numpy.typing as npt
import pytest

from wsss_cli.ops.regions import Regions, draw_regions

Masks = npt.NDArray[np.bool_]


def _regions(masks: Masks) -> Regions:
    members = [np.flatnonzero(mask) for mask in masks]
    numbers = [np.full(len(pixels), number) for number, pixels in enumerate(members)]
    none = np.zeros(0, np.int64)
    size = (int(masks.shape[1]), int(masks.shape[2]))
    return Regions(size, np.concatenate([none, *members]), np.concatenate([none, *numbers]))


def _by_the_rule(label: Masks, masks: Masks) -> Masks:
    taken = np.zeros_like(label)
    for mask in masks:
        inside = (mask & label).sum()
        if inside > mask.sum() / 2 or (label.any() and inside >= 0.85 * label.sum()):
            taken |= mask
    return taken | (label & ~masks.any(axis=0))


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_each_cut_is_drawn_by_the_rule(count: int) -> None:
    rng = np.random.default_rng(count)
    maps = rng.integers(0, 201, (3, 9, 11)) / 200
    maps[2] *= rng.random((9, 11)) < 0.1
    masks = rng.random((count, 9, 11)) < rng.choice([0.05, 0.4, 0.95], (count, 1, 1))
    drawn = draw_regions(maps, _regions(masks))
    for attention, got in zip(maps, drawn, strict=True):
        cuts = [(2 * number - 1) / 40 for number in range(1, 21)]
        # Halves are rounded to even numbers of cuts, so compare with what is clearly above.
        votes = [_by_the_rule(np.rint(attention * 20) / 20 > cut, masks) for cut in cuts]
        np.testing.assert_allclose(got, np.mean(votes, axis=0), atol=1e-6)


def test_an_object_gets_its_outline_back() -> None:
    """A blurred map that spills over is given the shape of the region below it."""
    truth = np.zeros((20, 30), np.bool_)
    truth[4:16, 8:20] = True
    y, x = np.mgrid[:20, :30]
    attention = np.exp(-((y - 9.5) ** 2 + (x - 13.5) ** 2) / 60)[None]
    drawn = draw_regions(attention, _regions(np.stack((truth, ~truth))))[0]
    assert drawn[truth].min() > 2 * drawn[~truth].max()
    assert len(np.unique(drawn[truth])) == 1


def test_a_map_of_nothing_stays_nothing() -> None:
    whole = np.ones((1, 4, 4), np.bool_)
    assert not draw_regions(np.zeros((2, 4, 4)), _regions(whole)).any()
