"""Who decides between the scores of a pixel: the strongest, or the CRF started from them."""

from functools import partial

import numpy as np
import pytest
import torch

from wsss_cli.configs.crf import PRESETS, CrfSettings
from wsss_cli.configs.proxy_rules import maps_of
from wsss_cli.ops import proxy_labels
from wsss_cli.ops.dense_crf import dense_crf
from wsss_cli.ops.proxy_labels.assignment import refined_label, strongest_label

SIZE = (20, 30)
EDGE = 13
# Kernels that fit so small an image.
STRONG = CrfSettings(10, 1, 1, 10, 30, 10)


def _photograph() -> torch.Tensor:
    """Dark, and bright from the edge on."""
    image = torch.zeros(*SIZE, 3, dtype=torch.uint8)
    image[:, EDGE:] = 200
    return image


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("classes", [1, 3])
def test_strongest_label_is_that_of_a_loop(classes: int) -> None:
    # Steps of a quarter, so that there are ties.
    scores, background = (4 * _random(classes, *SIZE)).round() / 4, (4 * _random(*SIZE)).round() / 4
    ids = [9, 4, 7][:classes]
    found = strongest_label(scores, background, torch.tensor(ids))
    assert found.dtype == torch.uint8
    for y, x in np.ndindex(*SIZE):
        rivals = [float(background[y, x]), *scores[:, y, x].tolist()]
        assert int(found[y, x]) == [0, *ids][rivals.index(max(rivals))]


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_the_crf_starts_from_the_scores_that_sum_to_one(classes: int) -> None:
    scores, background = _random(classes, *SIZE), _random(*SIZE, seed=1)
    scores[:, 3:5], background[2:4] = 0, 0  # row 3 has no score at all
    ids = [20, 1, 13, 5][:classes]
    unary = np.zeros((classes + 1, *SIZE), np.float32)
    for y, x in np.ndindex(*SIZE):
        rivals = [float(background[y, x]), *scores[:, y, x].tolist()]
        for label, rival in enumerate(rivals):
            unary[label, y, x] = rival / sum(rivals) if sum(rivals) else 1 / len(rivals)
    best = dense_crf(torch.from_numpy(unary), _photograph(), STRONG).argmax(dim=0)
    found = refined_label(
        scores, background, torch.tensor(ids), photograph=_photograph(), settings=STRONG
    )
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), np.array([0, *ids])[best.numpy()])
    assert set(np.unique(found.numpy()).tolist()) <= {0, *ids}


@pytest.mark.parametrize("preset", PRESETS)
def test_sure_scores_of_a_plain_picture_stay(preset: str) -> None:
    scores = torch.full((1, *SIZE), 0.95)
    plain = torch.full((*SIZE, 3), 80, dtype=torch.uint8)
    ids = torch.tensor([6], dtype=torch.uint8)
    found = refined_label(scores, 1 - scores[0], ids, photograph=plain, settings=PRESETS[preset])
    assert bool((found == 6).all())


def test_without_classes_all_is_background() -> None:
    nothing, ids = torch.zeros(0, *SIZE), torch.zeros(0, dtype=torch.long)
    found = refined_label(nothing, _random(*SIZE), ids, photograph=_photograph(), settings=STRONG)
    assert found.dtype == torch.uint8
    assert not found.any()


def _case(name: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Attention and saliency that end on a ragged line short of the photograph's edge."""
    ragged = torch.tensor([EDGE + 1 + (y * 7) % 5 for y in range(SIZE[0])])
    object_side = torch.arange(SIZE[1]) >= ragged[:, None]  # (H, W)
    attention = torch.where(object_side, 0.85, 0.1)[None]
    saliency = torch.where(object_side, 0.85, 0.1)
    return attention, dict.fromkeys(maps_of(name, needed=True), saliency)


# OAA and DRS cut low scores to 0, and what has no score cannot be won back by a neighbour.
@pytest.mark.parametrize("name", ["seenet", "dcsp", "threshold"])
def test_ragged_labels_snap_to_the_edge(name: str) -> None:
    attention, seen = _case(name)
    rule = proxy_labels.rule_function(name)
    ids = torch.tensor([5])
    expected = torch.zeros(SIZE, dtype=torch.uint8)
    expected[:, EDGE:] = 5
    ragged = rule(attention, ids, **seen)
    snap = partial(refined_label, photograph=_photograph(), settings=STRONG)
    assert int((ragged != expected).sum()) > 30
    assert torch.equal(rule(attention, ids, **seen, decide=snap), expected)


def test_doubt_of_a_rule_is_about_what_was_decided() -> None:
    """DRS ignores salient background; where the CRF finds a class there, no doubt is left."""
    attention = torch.zeros(1, *SIZE)
    attention[:, :, EDGE + 6 :] = 0.8  # of the bright side only the far part
    saliency = torch.zeros(SIZE)
    saliency[:, EDGE:] = 1
    ids = torch.tensor([3])
    assert bool((proxy_labels.drs_proxy(attention, ids, saliency)[:, EDGE : EDGE + 6] == 255).all())
    snap = partial(refined_label, photograph=_photograph(), settings=STRONG)
    snapped = proxy_labels.drs_proxy(attention, ids, saliency, decide=snap)
    assert bool((snapped[:, EDGE:] == 3).all())
    assert not snapped[:, :EDGE].any()
