"""IRN's rule: two thresholds, a CRF each, and doubt between them."""

import numpy as np
import pytest
import torch

from wsss_cli.configs.crf import PRESETS
from wsss_cli.ops.dense_crf import dense_crf
from wsss_cli.ops.proxy_labels import irn_proxy

SIZE = (24, 40)


def _photograph(seed: int = 0) -> torch.Tensor:
    """Dark left half, bright right half, a little noise."""
    noise = torch.randint(0, 9, (*SIZE, 3), generator=torch.Generator().manual_seed(seed))
    photograph = 30 + noise
    photograph[:, SIZE[1] // 2 :] += 170
    return photograph.to(torch.uint8)


def _slow(maps: np.ndarray, ids: list[int], photograph: torch.Tensor) -> np.ndarray:
    """The steps of the authors' script, pixel by pixel but for the CRF."""
    refined = []
    for background in (0.30, 0.05):
        hard = np.zeros(SIZE, int)
        for y, x in np.ndindex(*SIZE):
            scores = [background, *maps[:, y, x].tolist()]
            hard[y, x] = scores.index(max(scores))
        labels = len(ids) + 1
        unary = np.full((labels, *SIZE), 0.3 / (labels - 1), np.float32)
        for y, x in np.ndindex(*SIZE):
            unary[hard[y, x], y, x] = 0.7
        marginals = dense_crf(torch.from_numpy(unary), photograph, PRESETS["irn"]).numpy()
        refined.append(np.array([0, *ids])[marginals.argmax(axis=0)])
    sure, unsure = refined
    result = sure.copy()
    result[sure == 0] = 255
    result[(sure == 0) & (unsure == 0)] = 0
    return result


@pytest.mark.parametrize("ids", [[7], [20, 3], [1, 9, 4]])
def test_rule_is_the_slow_one(ids: list[int]) -> None:
    maps = torch.rand(len(ids), 6, 10, generator=torch.Generator().manual_seed(len(ids)))
    maps = torch.nn.functional.interpolate(maps[None], SIZE, mode="bicubic")[0].clamp(0, 1) ** 2
    found = irn_proxy(maps, torch.tensor(ids), _photograph())
    assert found.dtype == torch.uint8
    expected = _slow(maps.numpy().astype(np.float64), ids, _photograph())
    assert np.array_equal(found.numpy(), expected)
    assert set(ids) & set(np.unique(expected).tolist())


def test_labels_follow_the_edge_of_the_photograph_and_doubt_is_ignored() -> None:
    """Strong attention in the bright half, half-hearted in the dark one, nothing at its rim."""
    maps = torch.zeros(1, *SIZE)
    maps[:, :, 23:] = 0.9  # three columns short of the edge
    sure = irn_proxy(maps, torch.tensor([5]), _photograph())
    assert torch.equal(sure[:, 20:], torch.full((24, 20), 5, dtype=torch.uint8))
    assert torch.equal(sure[:, :20], torch.zeros(24, 20, dtype=torch.uint8))
    maps[:, :, :20] = 0.15  # between the thresholds
    doubtful = irn_proxy(maps, torch.tensor([5]), _photograph())
    assert torch.equal(doubtful[:, :20], torch.full((24, 20), 255, dtype=torch.uint8))
    assert torch.equal(doubtful[:, 20:], sure[:, 20:])


def test_image_without_classes_is_background() -> None:
    nothing = irn_proxy(torch.zeros(0, *SIZE), torch.zeros(0, dtype=torch.long), _photograph())
    assert nothing.dtype == torch.uint8
    assert not nothing.any()
