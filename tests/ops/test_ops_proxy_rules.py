"""The proxy rules against slow versions written from their definitions, and step by step by hand.

SeeNet's rule has a file of its own.
"""

from collections.abc import Callable
from functools import partial

import pytest
import torch

from wsss_cli.ops import proxy_labels
from wsss_cli.ops.proxy_labels import drs, oaa

Grid = list[list[float]]
Rule = Callable[..., torch.Tensor]
Case = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _dcsp(
    maps: list[Grid], ids: list[int], first: Grid, second: Grid | None = None, score: float = 0.4
) -> list[list[int]]:
    label_map = []
    for y, row in enumerate(first):
        labels = []
        for x, s in enumerate(row):
            s = s if second is None else max(s, second[y][x])
            means = [2 / (1 / one[y][x] + 1 / s) if one[y][x] and s else 0.0 for one in maps]
            best = max(means, default=0.0)
            labels.append(ids[means.index(best)] if means and best >= score else 0)
        label_map.append(labels)
    return label_map


def _argmax(scores: list[float], ids: list[int]) -> int:
    return [0, *ids][scores.index(max(scores))]


def _oaa(maps: list[Grid], ids: list[int], saliency: Grid, cut: float = 0.3) -> list[list[int]]:
    normal = []
    for one in maps:
        values = [value for row in one for value in row]
        low, high = min(values), max(values)
        normal.append([[(v - low) / (high - low) if high > low else 0.0 for v in r] for r in one])
    label_map, foreground, pixels = [], 0, 0
    for y, row in enumerate(saliency):
        labels = []
        for x, d in enumerate(row):
            attention = [one[y][x] for one in normal]
            scores = [1 - d, *(0.0 if a < cut else a for a in attention)]
            label = _argmax(scores, ids)
            if sum(score > 0.9 for score in scores) > 1:
                label = 255
            if label == 0 and max([d, *(1.0 if a > 0.8 else 0.0 for a in attention)]) >= 32 / 255:
                label = 255
            labels.append(label)
            foreground += label not in (0, 255)
            pixels += 1
        label_map.append(labels)
    if foreground < 0.01 * pixels:
        return [[255 for _ in row] for row in label_map]
    return label_map


def _drs(maps: list[Grid], ids: list[int], saliency: Grid, cut: float = 0.2) -> list[list[int]]:
    label_map = []
    for y, row in enumerate(saliency):
        labels = []
        for x, d in enumerate(row):
            mask = 1.0 if d > 50 / 255 else 0.0
            scores = [1 - mask, *(one[y][x] if one[y][x] >= cut else 0.0 for one in maps)]
            label = _argmax(scores, ids)
            if sum(score > 0.9 for score in scores) > 2:
                label = 255
            if label == 0 and mask == 1:
                label = 255
            labels.append(label)
        label_map.append(labels)
    return label_map


def _beyond(
    maps: list[Grid],
    ids: list[int],
    saliency: Grid,
    w: float = 200.0,
    floor: float = 0.0,
    cut: float = 0.5,
) -> list[list[int]]:
    label_map = []
    for y, row in enumerate(saliency):
        labels = []
        for x, d in enumerate(row):
            scores = [1 - d]
            for one in maps:
                a = max(one[y][x], floor)
                scores.append((w + 1) / (w / a + 1 / d) if a > 0 and d > 0 else 0.0)
            label = _argmax(scores, ids)
            if label == 0 and d < 0.5:
                label = _argmax([cut, *(one[y][x] for one in maps)], ids)
            labels.append(label)
        label_map.append(labels)
    return label_map


def _threshold(
    maps: list[Grid], ids: list[int], saliency: Grid, score: float = 0.3
) -> list[list[int]]:
    places = [[(y, x) for x in range(len(row))] for y, row in enumerate(saliency)]
    return [[_argmax([score, *(one[y][x] for one in maps)], ids) for y, x in row] for row in places]


def _without_saliency(
    attention: torch.Tensor, class_ids: torch.Tensor, _: torch.Tensor, **settings: float
) -> torch.Tensor:
    return proxy_labels.threshold_proxy(attention, class_ids, **settings)


# The package's rule, taking saliency, beside the slow one.
RULES: dict[str, tuple[Rule, Callable[..., list[list[int]]]]] = {
    "dcsp": (proxy_labels.dcsp_proxy, _dcsp),
    "dcsp .2": (
        partial(proxy_labels.dcsp_proxy, background_score=0.2),
        partial(_dcsp, score=0.2),
    ),
    "beyond": (proxy_labels.beyond_proxy, _beyond),
    "beyond 3 .2 .7": (
        partial(proxy_labels.beyond_proxy, w=3.0, attention_floor=0.2, attention_cut=0.7),
        partial(_beyond, w=3.0, floor=0.2, cut=0.7),
    ),
    "beyond .2": (
        partial(proxy_labels.beyond_proxy, attention_cut=0.2),
        partial(_beyond, cut=0.2),
    ),
    "oaa": (proxy_labels.oaa_proxy, _oaa),
    "oaa .6": (partial(proxy_labels.oaa_proxy, attention_cut=0.6), partial(_oaa, cut=0.6)),
    "oaa .85": (partial(proxy_labels.oaa_proxy, attention_cut=0.85), partial(_oaa, cut=0.85)),
    "drs": (proxy_labels.drs_proxy, _drs),
    "drs .5": (partial(proxy_labels.drs_proxy, attention_cut=0.5), partial(_drs, cut=0.5)),
    "threshold": (_without_saliency, _threshold),
    "threshold .7": (
        partial(_without_saliency, background_score=0.7),
        partial(_threshold, score=0.7),
    ),
}
CASES = [(name, classes) for name in RULES for classes in (0, 1, 3, 5)]


def _random_case(seed: int, classes: int) -> Case:
    """Maps with zeros, full values and every strength between, over half of the range at times."""
    generator = torch.Generator().manual_seed(seed)
    attention = torch.rand(classes, 13, 17, generator=generator).sqrt()
    saliency = torch.rand(13, 17, generator=generator)
    attention[torch.rand(attention.shape, generator=generator) < 0.15] = 0
    saliency[torch.rand(saliency.shape, generator=generator) < 0.15] = 0
    saliency[torch.rand(saliency.shape, generator=generator) < 0.15] = 1
    if seed % 2:
        attention = attention / 2 + 0.25
    return attention, torch.randperm(20, generator=generator)[:classes] + 1, saliency


@pytest.mark.parametrize(("name", "classes"), CASES)
def test_rule_is_the_slow_one_written_from_its_definition(name: str, classes: int) -> None:
    rule, slow = RULES[name]
    for seed in range(4):
        attention, class_ids, saliency = _random_case(seed, classes)
        found = rule(attention, class_ids, saliency)
        assert found.dtype == torch.uint8
        assert found.shape == saliency.shape
        expected = slow(attention.tolist(), class_ids.tolist(), saliency.tolist())
        assert found.tolist() == expected


@pytest.mark.parametrize("name", RULES)
def test_random_cases_reach_every_label_of_a_rule(name: str) -> None:
    """Else the comparison above would hold for less than it seems to."""
    seen: set[int] = set()
    for seed in range(4):
        attention, _, saliency = _random_case(seed, 3)
        seen |= set(RULES[name][0](attention, torch.tensor([4, 9, 2]), saliency).unique().tolist())
    assert seen == {0, 4, 9, 2} | ({255} if name[:3] in ("oaa", "drs") else set())


@pytest.mark.parametrize("name", [*RULES, "seenet"])
def test_permuted_classes_permute_nothing_and_renamed_ones_rename(name: str) -> None:
    rule = RULES[name][0] if name in RULES else proxy_labels.seenet_proxy
    attention, _, saliency = _random_case(2, 4)
    attention = attention.clamp_min(0.001)  # equal zeros would tie
    attention[attention == 0.001] += torch.rand(int((attention == 0.001).sum())) * 1e-4
    class_ids = torch.tensor([5, 11, 2, 20])
    label_map = rule(attention, class_ids, saliency)
    order = torch.tensor([2, 0, 3, 1])
    assert torch.equal(rule(attention[order], class_ids[order], saliency), label_map)
    renamed = rule(attention, class_ids[order], saliency)
    assert torch.equal(renamed == 0, label_map == 0)
    assert torch.equal(renamed == 255, label_map == 255)
    assert torch.equal(renamed == 2, label_map == 5)
    assert torch.equal(renamed == 5, label_map == 11)


@pytest.mark.parametrize("name", [*RULES, "seenet"])
@pytest.mark.parametrize("classes", [0, 2])
def test_inputs_are_left_unchanged(name: str, classes: int) -> None:
    rule = RULES[name][0] if name in RULES else proxy_labels.seenet_proxy
    case = _random_case(3, classes)
    before = [tensor.clone() for tensor in case]
    rule(*case)
    assert all(map(torch.equal, before, case))


@pytest.mark.parametrize("classes", [0, 1, 3])
def test_without_attention_and_saliency_there_is_background(classes: int) -> None:
    nothing, class_ids = torch.zeros(classes, 2, 3), torch.arange(1, classes + 1)
    for rule in ("seenet_proxy", "dcsp_proxy", "drs_proxy"):
        assert not getattr(proxy_labels, rule)(nothing, class_ids, torch.zeros(2, 3)).any()
    assert not proxy_labels.threshold_proxy(nothing, class_ids).any()
    # OAA ignores images without objects as a whole.
    assert (proxy_labels.oaa_proxy(nothing, class_ids, torch.zeros(2, 3)) == 255).all()


def _row(rule: Rule, pixels: list[tuple[list[float], float]], ids: list[int]) -> list[int]:
    """Labels of (attention per class, saliency) as a 2 x N image; the second row repeats."""
    attention = torch.tensor([a for a, _ in pixels]).T.unsqueeze(1).expand(-1, 2, -1)
    saliency = torch.tensor([d for _, d in pixels]).expand(2, -1)
    label_map = rule(attention, torch.tensor(ids), saliency)
    assert torch.equal(label_map[0], label_map[1])
    return [int(label) for label in label_map[0]]


def test_dcsp_compares_the_harmonic_mean_with_four_tenths() -> None:
    # 2 * .5 * .25 / .75 = 1/3; 2 * .5 * .375 / .875 = 3/7; 2 * .3 / 1.3 = .46 with S = 1.
    pixels = [([0.5], 0.25), ([0.5], 0.375), ([0.3], 1.0)]
    assert _row(proxy_labels.dcsp_proxy, pixels, [7]) == [0, 7, 7]


def test_dcsp_gives_a_tie_with_the_background_to_the_class() -> None:
    rule = partial(proxy_labels.dcsp_proxy, background_score=0.5)
    assert _row(rule, [([0.5], 0.5), ([0.5], 0.4999), ([0.5], 0.75)], [7]) == [7, 0, 7]


def test_dcsp_without_attention_or_saliency_is_background_at_any_positive_score() -> None:
    rule = partial(proxy_labels.dcsp_proxy, background_score=1e-6)
    pixels = [([0.0, 0.0], 1.0), ([1.0, 1.0], 0.0), ([0.0, 0.0], 0.0)]
    assert _row(rule, pixels, [4, 6]) == [0, 0, 0]


def test_dcsp_takes_the_larger_of_two_saliencies() -> None:
    attention, class_ids = torch.ones(1, 2, 3), torch.tensor([9])
    first = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.1, 0.0]])
    second = torch.tensor([[0.0, 1.0, 0.0], [0.2, 0.6, 0.1]])
    both = proxy_labels.dcsp_proxy(attention, class_ids, first, second)
    assert both.tolist() == [[9, 9, 0], [9, 9, 0]]
    assert torch.equal(both, proxy_labels.dcsp_proxy(attention, class_ids, second, first))
    alone = proxy_labels.dcsp_proxy(attention, class_ids, first)
    assert alone.tolist() == [[9, 0, 0], [9, 0, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_dcsp_with_two_saliencies_is_the_slow_one(seed: int) -> None:
    attention, class_ids, first = _random_case(seed, 3)
    second = _random_case(seed + 10, 1)[2]
    found = proxy_labels.dcsp_proxy(attention, class_ids, first, second)
    slow = _dcsp(attention.tolist(), class_ids.tolist(), first.tolist(), second.tolist())
    assert found.tolist() == slow


def test_oaa_normalises_each_map_from_its_own_minimum_and_maximum() -> None:
    # .2 .4 .6 becomes 0 .5 1, and .5 .25 .125 becomes 1 1/3 0.
    pixels = [([0.2, 0.5], 1.0), ([0.4, 0.25], 1.0), ([0.6, 0.125], 1.0)]
    assert _row(proxy_labels.oaa_proxy, pixels, [3, 5]) == [5, 3, 3]


def test_oaa_trusts_attention_from_three_tenths_on() -> None:
    # The first two pixels stretch the map to 0..1. Salient and unclaimed is in doubt.
    pixels = [([0.0], 0.0), ([1.0], 1.0), ([0.29], 1.0), ([0.31], 1.0)]
    assert _row(proxy_labels.oaa_proxy, pixels, [3]) == [0, 3, 255, 3]


def test_oaa_ignores_what_two_labels_are_sure_of_the_background_too() -> None:
    # Two classes; class and background (1 - .05); one class only; .9 itself is not above .9.
    pixels = [
        ([0.0, 0.0], 0.0), ([1.0, 1.0], 1.0), ([1.0, 0.0], 0.05), ([1.0, 0.0], 1.0),
        ([1.0, 0.89], 1.0), ([0.95, 0.92], 1.0),
    ]  # fmt: skip
    assert _row(proxy_labels.oaa_proxy, pixels, [3, 5]) == [0, 255, 255, 3, 3, 255]


def test_oaa_ignores_background_that_stands_out_by_saliency_or_attention() -> None:
    # Below 32/255; at it; attention .85 beaten by 1 - D = .9; attention .75 beaten by it.
    pixels = [
        ([1.0], 1.0), ([0.0], 31 / 255), ([0.0], 32 / 255), ([0.85], 0.1), ([0.75], 0.1),
    ]  # fmt: skip
    assert _row(proxy_labels.oaa_proxy, pixels, [3]) == [3, 0, 255, 255, 0]


def test_oaa_ignores_a_conflict_before_it_measures_the_foreground() -> None:
    # Both pixels of the object are in conflict, so no foreground is left.
    pixels = [([0.0, 0.0], 0.0), ([1.0, 1.0], 1.0), ([0.0, 0.0], 0.0)]
    assert _row(proxy_labels.oaa_proxy, pixels, [3, 5]) == [255, 255, 255]


@pytest.mark.parametrize(("found", "ignored"), [(1, True), (2, False), (3, False)])
def test_oaa_ignores_an_image_with_less_than_one_per_cent_of_objects(
    found: int, ignored: bool
) -> None:
    """2 of 200 pixels are one per cent, which is enough."""
    attention = torch.zeros(1, 10, 20)
    attention[0, 0, :found] = 1
    saliency = attention[0].clone()
    label_map = proxy_labels.oaa_proxy(attention, torch.tensor([8]), saliency)
    expected = torch.full((10, 20), 255) if ignored else saliency * 8
    assert torch.equal(label_map, expected.to(torch.uint8))


def test_oaa_gives_a_tie_to_background_which_then_is_in_doubt() -> None:
    pixels = [([1.0], 1.0), ([0.0], 0.0), ([0.5], 0.5), ([0.5], 0.53125)]
    assert _row(proxy_labels.oaa_proxy, pixels, [8]) == [8, 0, 255, 8]


def test_oaa_finds_nothing_in_a_constant_map() -> None:
    attention = torch.full((1, 2, 3), 0.7)
    assert (proxy_labels.oaa_proxy(attention, torch.tensor([8]), torch.ones(2, 3)) == 255).all()


def test_saliency_of_8_bits_is_cut_at_32_and_above_50() -> None:
    grey = torch.arange(256, dtype=torch.uint8).reshape(8, 32).float() / 255
    attention = torch.zeros(1, 8, 32)
    attention[0, -1] = 1  # some foreground, where the saliency is highest
    label_map = proxy_labels.oaa_proxy(attention, torch.tensor([1]), grey).flatten()
    assert label_map.tolist() == [0] * 32 + [255] * 192 + [1] * 32
    label_map = proxy_labels.drs_proxy(attention, torch.tensor([1]), grey).flatten()
    assert label_map.tolist() == [0] * 51 + [255] * 173 + [1] * 32
    assert (oaa.STRIKING_SALIENCY, drs.SALIENT) == (32 / 255, 50 / 255)


def test_drs_lets_attention_decide_inside_the_mask_alone() -> None:
    # Inside: the stronger class; none above .2: in doubt. Outside: background, tied or not.
    pixels = [
        ([0.5, 0.6], 0.2), ([0.19, 0.1], 1.0), ([0.21, 0.1], 0.5), ([0.8, 0.0], 0.19),
        ([1.0, 0.0], 0.0),
    ]  # fmt: skip
    assert _row(proxy_labels.drs_proxy, pixels, [3, 5]) == [5, 255, 3, 0, 0]


def test_drs_ignores_what_three_labels_are_sure_of_the_background_too() -> None:
    # Two sure classes inside: the first wins; three: ignored; two and the background: ignored.
    pixels = [
        ([0.95, 0.95, 0.0], 1.0), ([0.95, 0.95, 0.95], 1.0), ([0.95, 0.95, 0.0], 0.0),
        ([0.95, 0.0, 0.0], 0.0),
    ]  # fmt: skip
    assert _row(proxy_labels.drs_proxy, pixels, [3, 5, 9]) == [3, 255, 255, 0]


def test_threshold_is_a_constant_against_the_strongest_class() -> None:
    attention = torch.tensor([[[0.1, 0.5, 0.25], [0.0, 0.3125, 1.0]]])
    attention = torch.cat([attention, attention.flip(2)])
    rule = partial(proxy_labels.threshold_proxy, background_score=0.3125)
    assert rule(attention, torch.tensor([3, 5])).tolist() == [[0, 3, 0], [5, 0, 3]]


def test_seenet_gives_every_salient_pixel_a_floor_of_attention() -> None:
    # w = 1, floor .25: 2 * .25 / 1.25 = .4 at D = 1, and .375 > .25 at D = .75; .3 < .6 at D = .4.
    pixels = [([0.0, 0.1], 1.0), ([0.3, 0.0], 0.75), ([0.0, 0.0], 0.75), ([0.0, 0.0], 0.4)]
    rule = partial(proxy_labels.seenet_proxy, w=1, attention_floor=0.25)
    assert _row(rule, pixels, [3, 5]) == [3, 3, 3, 0]
    assert _row(partial(proxy_labels.seenet_proxy, w=1), pixels, [3, 5]) == [5, 3, 0, 0]
