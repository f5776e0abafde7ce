"""URN's weights against a slow version: a CRF for each label and power, pixel by pixel after it."""

import numpy as np
import pytest
import torch

from wsss_cli.configs.crf import PRESETS, CrfSettings
from wsss_cli.ops.dense_crf import dense_crf
from wsss_cli.ops.pixel_weights import crf_uncertainty, pixel_weights

POWERS = (0.15, 0.2, 0.25, 4, 5, 6)
HEIGHT, WIDTH = 22, 31
SETTINGS = {
    "irn": PRESETS["irn"],
    "once": PRESETS["oaa"],
    "small": CrfSettings(5, 3, 2, 5, 12, 20),
    "smoothness alone": CrfSettings(3, 2, 3, 0, 1, 1),
}


def _image(seed: int) -> torch.Tensor:
    """Three stripes of colour under noise, so that the CRF has edges and doubts."""
    random = np.random.default_rng(seed)
    image = np.repeat(np.array([60, 140, 200]), [9, 13, 9])[None, :, None] + random.normal(
        0, 25, (HEIGHT, WIDTH, 3)
    )
    return torch.from_numpy(image.clip(0, 255).astype(np.uint8))


def _probabilities(labels: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = 1.5 * torch.randn(1, labels, 3, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bicubic")[0]
    return smooth.softmax(dim=0)


def _uncertainty_by_loops(
    probabilities: torch.Tensor, image: torch.Tensor, settings: CrfSettings
) -> np.ndarray:
    before = probabilities.numpy()
    predicted = sorted({int(before[:, y, x].argmax()) for y, x in np.ndindex(HEIGHT, WIDTH)})
    largest = np.zeros((HEIGHT, WIDTH))
    for label in predicted:
        refined = []
        for power in POWERS:
            scaled = probabilities.clone()
            scaled[label] = probabilities[label] ** power
            refined.append(dense_crf(scaled, image, settings).argmax(dim=0).numpy())
        for y, x in np.ndindex(HEIGHT, WIDTH):
            wins = [float(label_map[y, x] == label) for label_map in refined]
            mean = sum(wins) / len(wins)
            variance = sum((win - mean) ** 2 for win in wins) / len(wins)
            largest[y, x] = max(largest[y, x], variance)
    spread = largest.max() - largest.min()
    return (largest - largest.min()) / spread if spread > 0 else 0 * largest


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("name", SETTINGS)
def test_uncertainty_is_that_of_a_crf_for_each_label_and_power(name: str, labels: int) -> None:
    doubted = 0
    for seed in range(3):
        probabilities, image = _probabilities(labels, seed), _image(seed)
        expected = _uncertainty_by_loops(probabilities, image, SETTINGS[name])
        uncertainty = crf_uncertainty(probabilities, image, SETTINGS[name])
        assert uncertainty.dtype == torch.float32
        np.testing.assert_allclose(uncertainty.numpy(), expected, atol=1e-6)
        doubted += len(np.unique(expected)) > 1
    assert doubted


def test_labels_that_the_image_cannot_have_change_nothing() -> None:
    probabilities, image = _probabilities(3, 4), _image(4)
    wider = torch.zeros(6, HEIGHT, WIDTH)
    wider[[0, 2, 5]] = probabilities
    alone = crf_uncertainty(probabilities, image, SETTINGS["small"])
    assert torch.equal(crf_uncertainty(wider, image, SETTINGS["small"]), alone)


def test_where_no_power_moves_a_label_nothing_is_uncertain() -> None:
    sure = torch.zeros(2, HEIGHT, WIDTH)
    sure[0] = 1
    assert not crf_uncertainty(sure, _image(0), SETTINGS["irn"]).any()


def test_only_the_least_certain_pixels_weigh_little() -> None:
    uncertainty = torch.tensor([[0.0, 0.5, 0.94, 0.96, 1.0]])
    expected = torch.tensor([[1.0, 1.0, 1.0, 0.05, 0.05]])
    assert torch.equal(pixel_weights(uncertainty), expected)
