"""The functions that docs/python.md offers, used as a stranger would, and their signatures.

A parameter that is renamed, moved or removed breaks somebody's program: say so in CHANGELOG.md and
change the table here.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import numpy as np
import pytest
import torch

from wsss_cli.configs.crf import PRESETS
from wsss_cli.metrics import segmentation
from wsss_cli.ops import dense_crf, erasing, proxy_labels, random_walk, saliency_supervision

# Parameters in their order; those with a default have it behind their name.
SIGNATURES: dict[Callable[..., Any], str] = {
    erasing.attention_prior: "scores labels",
    erasing.ternary_mask: "prior delta_high delta_low",
    erasing.background_mask: "prior threshold",
    erasing.conditional_relu: "features mask",
    saliency_supervision.saliency_loss: "scores labels saliency tau lam",
    saliency_supervision.present_probabilities: "scores labels",
    random_walk.walk: "maps edges radius=5 beta=10 steps=256",
    proxy_labels.seenet_proxy: "attention class_ids saliency w=200.0 attention_floor=0.0",
    proxy_labels.dcsp_proxy: (
        "attention class_ids saliency second_saliency=None background_score=0.4"
    ),
    proxy_labels.drs_proxy: "attention class_ids saliency attention_cut=0.2",
    proxy_labels.oaa_proxy: "attention class_ids saliency attention_cut=0.3",
    proxy_labels.masked_proxy: "proxy prediction saliency class_ids",
    proxy_labels.nsrom_proxy: "attention class_ids saliency potential",
    proxy_labels.irn_proxy: "attention class_ids photograph",
    proxy_labels.threshold_proxy: "attention class_ids background_score=0.3",
    proxy_labels.ignore_conflicts: "label_map attention threshold",
    proxy_labels.ignore_salient_background: "label_map saliency threshold",
    dense_crf.dense_crf: "probabilities image settings",
    dense_crf.refined_labels: "probabilities image settings",
    segmentation.confusion_matrix: "prediction target num_labels",
    segmentation.unpredicted: "prediction target num_labels",
    segmentation.iou: "confusion missed=None",
    segmentation.precision: "confusion",
    segmentation.recall: "confusion missed=None",
    segmentation.pixel_accuracy: "confusion missed=None",
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__name__)
def test_signatures_are_the_documented_ones(function: Callable[..., Any]) -> None:
    parameters = [p for p in signature(function).parameters.values() if p.name != "decide"]
    words = [
        p.name if p.default is Parameter.empty else f"{p.name}={p.default}" for p in parameters
    ]
    assert " ".join(words) == SIGNATURES[function]
    assert function.__doc__


def test_erasing_from_scores_to_masks() -> None:
    """One image of one present class, whose scores are 0 to 4: the prior is score / 4."""
    scores = torch.tensor([[[[0.0, 1.0], [3.0, 4.0]]]])
    prior = erasing.attention_prior(scores, torch.tensor([[1]]))
    assert prior.tolist() == [[[0.0, 0.25], [0.75, 1.0]]]
    mask = erasing.ternary_mask(prior, 0.7, 0.05)
    assert mask.tolist() == [[[-1.0, 1.0], [0.0, 0.0]]]
    assert erasing.background_mask(prior, 0.3).tolist() == [[[1.0, 1.0], [0.0, 0.0]]]
    features = torch.full((1, 2, 2, 2), 3.0)
    erased = erasing.conditional_relu(features, mask)
    assert erased[0, 0].tolist() == erased[0, 1].tolist() == [[-3.0, 3.0], [0.0, 0.0]]


def test_proxy_labels_of_one_object() -> None:
    """Two classes, the left half of the first and the right half of the second, both salient."""
    attention = torch.zeros(2, 4, 6)
    attention[0, :2, :3] = attention[1, :2, 3:] = 1.0
    saliency = torch.zeros(4, 6)
    saliency[:2] = 1.0
    class_ids = torch.tensor([3, 7], dtype=torch.uint8)
    label_map = proxy_labels.seenet_proxy(attention, class_ids, saliency)
    expected = [[3, 3, 3, 7, 7, 7]] * 2 + [[0] * 6] * 2
    assert label_map.dtype == torch.uint8
    assert label_map.tolist() == expected
    assert proxy_labels.threshold_proxy(attention, class_ids).tolist() == expected


def test_dense_crf_follows_the_edge_of_the_photograph() -> None:
    """Noise on the probabilities of two flat halves goes; the edge between them stays."""
    image = torch.zeros(20, 30, 3, dtype=torch.uint8)
    image[:, 15:] = 255
    right = (image[..., 0] > 0).float() * 0.4 + 0.3
    right[5, 5], right[10, 20] = 0.6, 0.4
    probabilities = torch.stack((1 - right, right))
    labels = dense_crf.refined_labels(probabilities, image, PRESETS["irn"])
    assert torch.equal(labels, (image[..., 0] > 0).to(torch.uint8))
    soft = dense_crf.dense_crf(probabilities, image, PRESETS["irn"])
    torch.testing.assert_close(soft.sum(0), torch.ones(20, 30), rtol=0, atol=1e-5)


def test_segmentation_scores_count_by_hand() -> None:
    """Pixels as numpy has them, 255 in the truth not counted."""
    target = np.array([[0, 0, 1, 1], [1, 1, 255, 255]], np.uint8)
    prediction = np.array([[0, 1, 1, 1], [1, 0, 0, 1]], np.uint8)
    confusion = segmentation.confusion_matrix(prediction, target, 2)
    assert confusion.tolist() == [[1, 1], [1, 3]]
    assert segmentation.iou(confusion).tolist() == [1 / 3, 3 / 5]
    assert segmentation.precision(confusion).tolist() == [1 / 2, 3 / 4]
    assert segmentation.recall(confusion).tolist() == [1 / 2, 3 / 4]
    assert segmentation.pixel_accuracy(confusion) == 4 / 6
    holes = np.where(prediction == 0, 255, prediction).astype(np.uint8)
    assert segmentation.unpredicted(holes, target, 2).tolist() == [1, 1]
