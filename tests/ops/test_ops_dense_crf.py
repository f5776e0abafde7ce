from dataclasses import replace

import pytest
import torch
from peer_crf import pydensecrf_marginals

from wsss_cli.configs.crf import PRESETS, CrfSettings
from wsss_cli.configs.setting import option
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.ops.dense_crf import LEAST_PROBABILITY, dense_crf

HEIGHT, WIDTH = 26, 35  # N is not a multiple of four
# Kernels that fit so small an image.
SMALL = CrfSettings(5, 3, 2, 5, 12, 20)


def _image(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> torch.Tensor:
    """A bright disc and a blue bar on a noisy ground."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.full((height, width, 3), 110.0)
    image[(y - height / 2) ** 2 + (x - width / 3) ** 2 < (height / 3.5) ** 2] = torch.tensor(
        [220.0, 180.0, 60.0]
    )
    image[:, int(width * 0.75) : int(width * 0.9)] = torch.tensor([30.0, 60.0, 200.0])
    image += 12 * torch.randn(height, width, 3, generator=generator)
    return image.clamp(0, 255).to(torch.uint8)


def _probabilities(
    labels: int, height: int = HEIGHT, width: int = WIDTH, seed: int = 1
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(1, labels, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(scores, (height, width), mode="bicubic")[0]
    return (smooth + 0.3 * torch.randn(labels, height, width, generator=generator)).softmax(dim=0)


def _close(actual: torch.Tensor, expected: torch.Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(actual.double(), expected.double(), atol=atol, rtol=0)


def _mean_field_by_pairs(
    probabilities: torch.Tensor, image: torch.Tensor, settings: CrfSettings
) -> torch.Tensor:
    """Mean field with the exact Gaussian of every pair of pixels, in float64."""
    labels, height, width = probabilities.shape
    places = torch.tensor([[x, y] for y in range(height) for x in range(width)]).double()
    colours = image.reshape(-1, 3).double()
    smooth = places / settings.gaussian_xy
    alike = torch.cat([places / settings.bilateral_xy, colours / settings.bilateral_rgb], dim=1)
    kernel = torch.zeros(len(places), len(places), dtype=torch.float64)
    for features, weight in (
        (smooth, settings.gaussian_weight),
        (alike, settings.bilateral_weight),
    ):
        pairs = torch.exp(-(torch.cdist(features, features) ** 2) / 2)
        norm = pairs.sum(dim=1).rsqrt()
        kernel += weight * norm[:, None] * pairs * norm
    unary = probabilities.reshape(labels, -1).double().clamp(min=LEAST_PROBABILITY).log()
    beliefs = unary.softmax(dim=0)
    for _ in range(settings.iterations):
        beliefs = (unary + beliefs @ kernel).softmax(dim=0)
    return beliefs.reshape(labels, height, width)


@pytest.mark.parametrize("labels", [2, 3, 21])
@pytest.mark.parametrize("preset", PRESETS)
def test_marginals_equal_those_of_pydensecrf(preset: str, labels: int) -> None:
    # 4 divides the number of pixels: else pydensecrf pads with points at the lattice's origin.
    probabilities, image = _probabilities(labels, 60, 81), _image(60, 81)
    expected = pydensecrf_marginals(probabilities, image, PRESETS[preset])
    marginals = dense_crf(probabilities, image, PRESETS[preset])
    _close(marginals, expected, 1e-4)
    assert torch.equal(marginals.argmax(dim=0), expected.argmax(dim=0))


@pytest.mark.parametrize("labels", [2, 4])
def test_labels_are_nearly_those_of_exact_mean_field(labels: int) -> None:
    probabilities, image = _probabilities(labels), _image()
    expected = _mean_field_by_pairs(probabilities, image, SMALL)
    marginals = dense_crf(probabilities, image, SMALL)
    same = (marginals.argmax(dim=0) == expected.argmax(dim=0)).double().mean()
    before = (probabilities.argmax(dim=0) == expected.argmax(dim=0)).double().mean()
    assert float(same) > 0.97
    assert float(before) < 0.9  # so there was something to do
    assert float((marginals - expected).abs().mean()) < 0.03


def test_each_kernel_alone_is_nearly_exact() -> None:
    probabilities, image = _probabilities(3), _image()
    for settings in (replace(SMALL, bilateral_weight=0), replace(SMALL, gaussian_weight=0)):
        expected = _mean_field_by_pairs(probabilities, image, settings)
        marginals = dense_crf(probabilities, image, settings)
        same = (marginals.argmax(dim=0) == expected.argmax(dim=0)).double().mean()
        assert float(same) > 0.96


def test_without_kernels_the_probabilities_come_back() -> None:
    probabilities = _probabilities(4)
    settings = replace(SMALL, gaussian_weight=0, bilateral_weight=0)
    _close(dense_crf(probabilities, _image(), settings), probabilities)


def test_labels_short_of_an_edge_snap_to_it() -> None:
    image = torch.zeros(20, 30, 3, dtype=torch.uint8)
    image[:, 13:] = 200
    probabilities = torch.full((2, 20, 30), 0.4)
    probabilities[0, :, :10] = 0.6  # three columns short of the edge
    probabilities[1] = 1 - probabilities[0]
    labels = dense_crf(probabilities, image, CrfSettings(10, 1, 1, 10, 30, 10)).argmax(dim=0)
    expected = torch.zeros(20, 30, dtype=torch.long)
    expected[:, 13:] = 1
    assert torch.equal(labels, expected)


def test_marginals_sum_to_one() -> None:
    marginals = dense_crf(_probabilities(5), _image(), PRESETS["irn"])
    assert marginals.dtype == torch.float32
    assert float(marginals.min()) >= 0
    _close(marginals.sum(dim=0), torch.ones(HEIGHT, WIDTH))


def test_permuted_labels_give_permuted_marginals() -> None:
    probabilities, order = _probabilities(4), torch.tensor([2, 0, 3, 1])
    expected = dense_crf(probabilities, _image(), SMALL)[order]
    _close(dense_crf(probabilities[order], _image(), SMALL), expected)


def test_the_order_of_the_colours_hardly_matters() -> None:
    # Red and blue exchanged: another lattice, nearly the same filter.
    probabilities, image = _probabilities(3), _image()
    one = dense_crf(probabilities, image, SMALL).argmax(dim=0)
    other = dense_crf(probabilities, image.flip(2).contiguous(), SMALL).argmax(dim=0)
    assert float((one == other).double().mean()) > 0.97


def test_impossible_labels_change_nothing_and_get_nothing() -> None:
    probabilities = _probabilities(3)
    padded = torch.zeros(7, HEIGHT, WIDTH)
    padded[[1, 4, 5]] = probabilities
    marginals = dense_crf(padded, _image(), SMALL)
    assert torch.equal(marginals[[1, 4, 5]], dense_crf(probabilities, _image(), SMALL))
    assert not marginals[[0, 2, 3, 6]].any()


@pytest.mark.parametrize("preset", PRESETS)
def test_carrying_impossible_labels_along_would_not_change_a_label(preset: str) -> None:
    """What peers do: every label keeps at least the least probability."""
    probabilities = _probabilities(3)
    padded = torch.zeros(9, HEIGHT, WIDTH)
    padded[[0, 4, 5]] = probabilities
    carried = padded.clamp(min=LEAST_PROBABILITY)
    expected = dense_crf(carried, _image(), PRESETS[preset])
    marginals = dense_crf(padded, _image(), PRESETS[preset])
    assert torch.equal(marginals.argmax(dim=0), expected.argmax(dim=0))
    _close(marginals, expected, 1e-3)


def test_one_possible_label_takes_all() -> None:
    probabilities = torch.zeros(3, HEIGHT, WIDTH)
    probabilities[1] = torch.rand(HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    marginals = dense_crf(probabilities, _image(), SMALL)
    assert bool((marginals[1] == 1).all())


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (1, 1), (2, 3)])
def test_thin_and_tiny_images_work(size: tuple[int, int]) -> None:
    probabilities, image = _probabilities(3, *size), _image(*size)
    marginals = dense_crf(probabilities, image, SMALL)
    expected = _mean_field_by_pairs(probabilities, image, SMALL)
    assert marginals.shape == (3, *size)
    assert float((marginals - expected).abs().mean()) < 0.05


def test_certain_pixels_of_a_constant_image_keep_their_label() -> None:
    image = torch.full((HEIGHT, WIDTH, 3), 77, dtype=torch.uint8)
    probabilities = torch.tensor([0.99, 0.01])[:, None, None].repeat(1, HEIGHT, WIDTH)
    assert not dense_crf(probabilities, image, PRESETS["psa"]).argmax(dim=0).any()


def test_zero_probability_at_a_pixel_counts_as_the_least() -> None:
    probabilities = _probabilities(3)
    probabilities[:, 4:9, 4:9] = 0
    clipped = probabilities.clamp(min=LEAST_PROBABILITY)
    marginals = dense_crf(probabilities, _image(), SMALL)
    assert torch.equal(marginals, dense_crf(clipped, _image(), SMALL))
    assert bool(marginals.isfinite().all())


def test_weights_beyond_the_range_of_the_exponential_stay_finite() -> None:
    settings = replace(SMALL, gaussian_weight=200, bilateral_weight=300)
    marginals = dense_crf(_probabilities(3), _image(), settings)
    _close(marginals.sum(dim=0), torch.ones(HEIGHT, WIDTH))


def test_float64_and_float16_probabilities_give_float32_marginals() -> None:
    probabilities = _probabilities(3)
    expected = dense_crf(probabilities, _image(), SMALL)
    assert torch.equal(dense_crf(probabilities.double(), _image(), SMALL), expected)
    half = dense_crf(probabilities.half(), _image(), SMALL)
    assert half.dtype == torch.float32
    assert float((half - expected).abs().mean()) < 1e-2


def test_a_second_call_gives_the_same_bits_and_leaves_its_arguments() -> None:
    probabilities, image = _probabilities(4), _image()
    copies = probabilities.clone(), image.clone()
    first = dense_crf(probabilities, image, SMALL)
    assert torch.equal(first, dense_crf(probabilities, image, SMALL))
    assert torch.equal(probabilities, copies[0])
    assert torch.equal(image, copies[1])


def test_the_cached_smoothness_kernel_serves_only_its_own_size_and_settings() -> None:
    def refine(height: int, width: int, settings: CrfSettings) -> torch.Tensor:
        return dense_crf(_probabilities(2, height, width), _image(height, width), settings)

    wider = replace(SMALL, gaussian_xy=4)
    first = [refine(20, 30, SMALL), refine(30, 20, SMALL), refine(20, 30, wider)]
    again = [refine(20, 30, SMALL), refine(30, 20, SMALL), refine(20, 30, wider)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[2])


def test_probabilities_that_carry_a_gradient_are_taken_as_numbers() -> None:
    probabilities = _probabilities(2).requires_grad_()
    assert not dense_crf(probabilities, _image(), SMALL).requires_grad
    with torch.inference_mode():
        dense_crf(_probabilities(2, 11, 13), _image(11, 13), SMALL)
    dense_crf(_probabilities(2, 11, 13), _image(11, 13), SMALL)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int8, torch.int64])
def test_an_image_that_is_not_8_bit_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(WsssError, match="8-bit"):
        dense_crf(_probabilities(2), _image().to(dtype), SMALL)


@pytest.mark.parametrize("shape", [(WIDTH, HEIGHT, 3), (3, HEIGHT, WIDTH), (HEIGHT, WIDTH)])
def test_an_image_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(WsssError, match="probabilities"):
        dense_crf(_probabilities(2), torch.zeros(shape, dtype=torch.uint8), SMALL)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 2.0])
def test_values_that_are_no_probabilities_are_refused(value: float) -> None:
    probabilities = _probabilities(2)
    probabilities[1, 3, 4] = value
    with pytest.raises(WsssError, match=r"\[0, 1\]"):
        dense_crf(probabilities, _image(), SMALL)


def test_an_image_without_a_possible_label_is_refused() -> None:
    with pytest.raises(WsssError, match="not all 0"):
        dense_crf(torch.zeros(2, HEIGHT, WIDTH), _image(), SMALL)


@pytest.mark.parametrize(
    "change",
    [
        {"iterations": 0},
        {"gaussian_weight": -1.0},
        {"bilateral_weight": float("nan")},
        {"gaussian_xy": 0.0},
        {"bilateral_xy": float("inf")},
        {"bilateral_rgb": -3.0},
    ],
)
def test_impossible_settings_are_refused_by_name(change: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=option(next(iter(change)))):
        replace(SMALL, **change)
