"""The masked second round against OpenCV's dilation and plain numbers."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from wsss_cli.labels import IGNORE
from wsss_cli.ops.proxy_labels import masked_proxy

SHAPE = (70, 90)


Pixels = npt.NDArray[np.uint8]


def _slow(
    proxy: Pixels, prediction: Pixels, saliency: npt.NDArray[np.float32], class_ids: list[int]
) -> Pixels:
    label_map = prediction.copy()
    for y, x in np.ndindex(*label_map.shape):
        if label_map[y, x] not in (*class_ids, 255):
            label_map[y, x] = 0
    if len(class_ids) < 2:
        return label_map
    for y, x in np.ndindex(*label_map.shape):
        if label_map[y, x] == 0 and proxy[y, x] in class_ids:
            label_map[y, x] = proxy[y, x]
    objects = ((label_map != 0) | (saliency > 0)).astype(np.uint8)
    near = cv2.dilate(objects, np.ones((30, 30), np.uint8))
    label_map[near == 0] = IGNORE
    return label_map


def _case(seed: int, labels: list[int]) -> tuple[Pixels, Pixels, npt.NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    proxy, prediction = np.zeros((2, *SHAPE), np.uint8)
    saliency = np.zeros(SHAPE, np.float32)
    for target, values in ((proxy, [*labels, 255]), (prediction, [*labels, 9])):
        for value in values:
            y, x = random.integers(0, 40, 2)
            target[y : y + random.integers(1, 8), x : x + random.integers(1, 8)] = value
    y, x = random.integers(0, 60, 2)
    saliency[y : y + 3, x : x + 3] = random.random()
    return proxy, prediction, saliency


@pytest.mark.parametrize("labels", [[], [4], [2, 5], [1, 3, 20]])
@pytest.mark.parametrize("seed", range(5))
def test_labels_are_the_definition(seed: int, labels: list[int]) -> None:
    proxy, prediction, saliency = _case(seed, labels)
    result = masked_proxy(
        torch.from_numpy(proxy),
        torch.from_numpy(prediction),
        torch.from_numpy(saliency),
        torch.tensor(labels, dtype=torch.uint8),
    )
    assert result.dtype == torch.uint8
    assert np.array_equal(result.numpy(), _slow(proxy, prediction, saliency, labels))
    assert not (result == 9).any()  # a class that the image does not show
    assert (result == IGNORE).any() == (len(labels) > 1)


def test_an_object_reaches_one_pixel_further_down_and_right() -> None:
    prediction = torch.zeros(SHAPE, dtype=torch.uint8)
    prediction[40, 40] = 2
    result = masked_proxy(
        torch.zeros_like(prediction), prediction, torch.zeros(SHAPE), torch.tensor([2, 3])
    )
    rows, columns = (result != IGNORE).nonzero().unbind(1)
    assert (rows.min(), rows.max()) == (40 - 14, 40 + 15)
    assert (columns.min(), columns.max()) == (40 - 14, 40 + 15)
