"""The CRF and the rules stay on the device of their inputs, and compute the same there."""

from dataclasses import replace

import pytest
import torch
from fake_card import OnCard, card, waits

from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.proxy_rules import RULES, maps_of
from wsss_cli.ops import proxy_labels
from wsss_cli.ops.dense_crf import dense_crf, smoothness_kernel
from wsss_cli.ops.score_grid import evenly, interpolate_at, label_probabilities

SIZE = (21, 30)


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def _photograph() -> torch.Tensor:
    return (255 * _random(*SIZE, 3, seed=3)).to(torch.uint8)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Kernels of other tests' devices are no concern here."""
    smoothness_kernel.cache_clear()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_crf_never_leaves_the_card(preset: str) -> None:
    """Including sorting and searching, which numpy does on a CPU only."""
    probabilities = _random(4, *SIZE).softmax(dim=0)
    expected = dense_crf(probabilities, _photograph(), PRESETS[preset])
    with card() as put:
        found = dense_crf(put(probabilities), put(_photograph()), PRESETS[preset])
        again = dense_crf(put(probabilities), _photograph(), PRESETS[preset])
        assert isinstance(found, OnCard)
        assert isinstance(again, OnCard)
        back = found.cpu(), again.cpu()
    assert torch.equal(back[0], expected)
    assert torch.equal(back[1], expected)


def test_a_kernel_kept_on_one_device_does_not_serve_another() -> None:
    probabilities = _random(2, *SIZE).softmax(dim=0)
    expected = dense_crf(probabilities, _photograph(), PRESETS["oaa"])
    with card() as put:
        for _ in range(2):
            found = dense_crf(put(probabilities), put(_photograph()), PRESETS["oaa"]).cpu()
            assert torch.equal(found, expected)
    assert torch.equal(dense_crf(probabilities, _photograph(), PRESETS["oaa"]), expected)


def test_an_iteration_does_not_wait_for_the_card() -> None:
    probabilities, waited = _random(2, *SIZE).softmax(dim=0), []
    irn = PRESETS["irn"]
    with card() as put:
        for iterations in (2, 12):
            waits.clear()
            smoothness_kernel.cache_clear()
            dense_crf(
                put(probabilities),
                put(_photograph()),
                replace(irn, iterations=iterations),
            )
            waited.append(len(waits))
    assert waited[0] == waited[1] > 0


def test_scores_too_large_for_an_exponential_are_the_same_on_the_card() -> None:
    settings = replace(PRESETS["irn"], bilateral_weight=500.0)
    probabilities = _random(2, *SIZE).softmax(dim=0)
    expected = dense_crf(probabilities, _photograph(), settings)
    with card() as put:
        found = dense_crf(put(probabilities), put(_photograph()), settings).cpu()
    assert torch.equal(found, expected)


FROM_ATTENTION = [name for name, rule in RULES.items() if not rule.revises]
WAYS = [(n, refined) for n in FROM_ATTENTION for refined in (False, True) if n != "irn" or refined]


@pytest.mark.parametrize(("name", "refined"), WAYS)
def test_every_rule_stays_on_the_card(name: str, refined: bool) -> None:
    rule = RULES[name]
    function = proxy_labels.rule_function(name)
    maps, saliency, class_ids = _random(2, *SIZE), _random(*SIZE, seed=1), torch.tensor([3, 9])

    def label(put: object) -> torch.Tensor:
        assert callable(put)
        photograph, grey = (
            put(_photograph()),
            {one: put(saliency) for one in maps_of(name, needed=True)},
        )
        if rule.sees_image:
            return function(put(maps), put(class_ids), photograph=photograph)

        def decide(*scores: torch.Tensor) -> torch.Tensor:
            return proxy_labels.refined_label(
                *scores, photograph=photograph, settings=PRESETS["dcsp"]
            )

        if name == "nsrom":
            grey["potential"] = put(maps.flip(-1))
        chosen = {"decide": decide} if refined else {}
        return function(put(maps), put(class_ids), **grey, **chosen)

    expected = label(lambda tensor: tensor)
    with card() as put:
        found = label(put)
        assert isinstance(found, OnCard)
        back = found.cpu()
    assert torch.equal(back, expected)


def test_soft_maps_are_enlarged_on_the_card() -> None:
    maps = _random(3, 6, 8)
    expected = label_probabilities(maps, SIZE), interpolate_at(maps, evenly(30, 8), -1)
    with card() as put:
        enlarged = label_probabilities(put(maps), SIZE)
        wider = interpolate_at(put(maps), evenly(30, 8), -1)
        back = enlarged.cpu(), wider.cpu()
    assert torch.equal(back[0], expected[0])
    assert torch.equal(back[1], expected[1])


def test_revised_labels_stay_on_the_card() -> None:
    generator = torch.Generator().manual_seed(0)
    proxy, prediction = torch.randint(0, 4, (2, *SIZE), generator=generator).to(torch.uint8)
    saliency, class_ids = _random(*SIZE, seed=1), torch.tensor([1, 3])
    expected = proxy_labels.masked_proxy(proxy, prediction, saliency, class_ids)
    with card() as put:
        labels = proxy_labels.masked_proxy(
            put(proxy), put(prediction), put(saliency), put(class_ids)
        )
        assert isinstance(labels, OnCard)
        back = labels.cpu()
    assert torch.equal(back, expected)
