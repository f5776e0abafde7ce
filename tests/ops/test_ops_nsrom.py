"""NSROM's doubt against a version written pixel by pixel from its definition."""

import statistics

import pytest
import torch

from wsss_cli.ops.proxy_labels import nsrom_proxy, oaa_proxy

SHAPE = (11, 13)


def _slow(labels: list, potential: list, ids: list[int]) -> list:
    """What becomes of OAA's labels, with plain numbers."""
    result = [row[:] for row in labels]
    for class_id, maps in zip(ids, potential, strict=True):
        flat = [value for row in maps for value in row]
        low, high = min(flat), max(flat)
        normal = [[(value - low) / (high - low + 1e-8) for value in row] for row in maps]
        inside = [
            value
            for values, row in zip(normal, labels, strict=True)
            for value, label in zip(values, row, strict=True)
            if label == class_id
        ]
        flat = [value for row in normal for value in row]
        if inside:
            threshold = statistics.median_low(inside)
        else:
            strong = [value for value in flat if value > 0.3]
            stronger = [v for v in flat if strong and v > statistics.median_low(strong)]
            threshold = statistics.median_low(stronger) if stronger else 1.0
        for y, row in enumerate(labels):
            for x, label in enumerate(row):
                if label == 0 and normal[y][x] > threshold:
                    result[y][x] = 255
    return result


def _case(seed: int, classes: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    attention, potential = torch.rand(2, classes, *SHAPE, generator=generator, dtype=torch.float64)
    saliency = torch.rand(SHAPE, generator=generator, dtype=torch.float64)
    saliency[:, :6] = 0  # else nothing stays background
    if seed % 2:
        attention[-1:] *= 0.1  # of a class that nothing is labelled with
        attention[-1:, 0, 0] = 0.2
    ids = torch.randperm(20, generator=generator)[:classes] + 1
    return attention * 0.75, ids, saliency, potential**2


@pytest.mark.parametrize("classes", [0, 1, 3])
@pytest.mark.parametrize("seed", range(6))
def test_doubt_is_the_definition(seed: int, classes: int) -> None:
    attention, ids, saliency, potential = _case(seed, classes)
    labels = oaa_proxy(attention, ids, saliency)
    found = nsrom_proxy(attention, ids, saliency, potential)
    assert found.dtype == torch.uint8
    assert found.tolist() == _slow(labels.tolist(), potential.tolist(), ids.tolist())
    assert torch.equal(found[labels != 0], labels[labels != 0])


def test_random_cases_ignore_some_background_and_leave_some() -> None:
    changed = left = 0
    for seed in range(6):
        attention, ids, saliency, potential = _case(seed, 3)
        labels = oaa_proxy(attention, ids, saliency)
        found = nsrom_proxy(attention, ids, saliency, potential)
        changed += int((labels != found).sum())
        left += int((found == 0).sum())
    assert changed > 50
    assert left > 15


def test_a_class_without_labels_and_without_strong_attention_claims_nothing() -> None:
    attention = torch.zeros(2, 8, 8)
    attention[0, :4] = 1.0
    saliency = torch.zeros(8, 8)
    saliency[:4] = 1.0
    potential = torch.zeros(2, 8, 8)
    potential[0, :4] = 1.0
    found = nsrom_proxy(attention, torch.tensor([3, 5]), saliency, potential)
    assert found.tolist() == [[3] * 8] * 4 + [[0] * 8] * 4
    potential[1, 6] = 1.0  # of the second class: above the median of what is strong, nothing
    assert torch.equal(nsrom_proxy(attention, torch.tensor([3, 5]), saliency, potential), found)
    potential[1, 7] = 0.5  # the median of 0.5 and 1 is 0.5, and 1 is above it, but not above 1
    assert torch.equal(nsrom_proxy(attention, torch.tensor([3, 5]), saliency, potential), found)
