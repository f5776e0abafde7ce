"""The fully connected CRF: labels that follow the edges of the image.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials",
NeurIPS 2011. Every pair of pixels pays for taking different labels, the more the closer the two are
(smoothness) and the closer and the more alike in colour (appearance). Mean-field inference passes
the messages of all pairs at once by Gaussian filtering.

As in the authors' later implementation, which the Python packages wrap, both kernels are normalised
symmetrically, a pixel's own label takes part in its message, and the Potts model only rewards equal
labels: that differs from the paper's cost of unequal ones by a constant per pixel. Different here
is that a label which the image cannot have takes no part, instead of being carried along at
`LEAST_PROBABILITY`: of so little mass its messages are as small, so it would win no pixel where
another label has a chance. What it costs is saved.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from wsss_cli.configs.crf import CrfSettings
from wsss_cli.errors import WsssError
from wsss_cli.ops.permutohedral import Lattice

# Of a possible label at a pixel, whose logarithm is taken; that of pydensecrf's own helper.
LEAST_PROBABILITY = 1e-5
# Its exponential, summed over 255 labels, is still finite in float32.
LARGEST_EXPONENT = 80.0
# Keeps a norm finite; of the authors' implementation.
EPSILON = 1e-20


@torch.no_grad()
def dense_crf(probabilities: Tensor, image: Tensor, settings: CrfSettings) -> Tensor:
    """Refine the labels of one image by mean-field inference.

    Args:
        probabilities: (L, H, W) in [0, 1], any floating dtype; a label that is 0 everywhere is one
            that the image cannot have.
        image: (H, W, 3) uint8, red, green, blue as decoded: nothing subtracted, nothing scaled.
        settings: Kernels and iterations.

    Returns:
        (L, H, W) float32 marginals on the device of `probabilities`; they sum to 1, labels that the
        image cannot have are 0.

    Raises:
        WsssError: The image is not 8-bit or not of the same size, or the probabilities are not
            such: NaN, outside [0, 1] or 0 for every label.
    """
    _check(probabilities, image)
    labels, height, width = probabilities.shape
    possible = probabilities.flatten(1).amax(dim=1).nonzero().flatten()
    unaries = probabilities[possible].flatten(1).T.float()  # (H W, K)
    unary = unaries.clamp(min=LEAST_PROBABILITY).log().contiguous()
    kernels = _kernels(image.to(unary.device), settings)
    beliefs = _mean_field(unary[:, None], kernels, settings.iterations)[:, 0]
    marginals = beliefs.new_zeros((labels, height, width))
    return marginals.index_copy_(0, possible, beliefs.T.reshape(-1, height, width))


@torch.no_grad()
def powered_labels(
    probabilities: Tensor, image: Tensor, settings: CrfSettings, powers: Sequence[float]
) -> Iterator[tuple[int, Tensor]]:
    """Refine with the probabilities of one label raised to powers, for each label that wins pixels.

    A power below 1 makes the label likelier, one above 1 less likely. The kernels are made once,
    and what is refined with the powers passes them together.

    Args:
        probabilities: (L, H, W) as for :func:`dense_crf`.
        image: (H, W, 3) uint8 as for :func:`dense_crf`.
        settings: Kernels and iterations.
        powers: P powers above 0.

    Yields:
        A label that is the most probable one of a pixel, and (P, H, W) bool: whether
        :func:`dense_crf` gives a pixel that label, with each power.

    Raises:
        WsssError: As :func:`dense_crf`.
    """
    _check(probabilities, image)
    _, height, width = probabilities.shape
    possible = probabilities.flatten(1).amax(dim=1).nonzero().flatten()
    unaries = probabilities[possible].flatten(1).T.float()  # (H W, K)
    kernels = _kernels(image.to(unaries.device), settings)
    for column in torch.bincount(unaries.argmax(dim=1)).nonzero().flatten().tolist():
        powered = unaries[:, None].repeat(1, len(powers), 1)  # (H W, P, K)
        for number, power in enumerate(powers):
            powered[:, number, column] = unaries[:, column] ** power
        unary = powered.clamp_(min=LEAST_PROBABILITY).log_()
        beliefs = _mean_field(unary, kernels, settings.iterations)
        won = beliefs.argmax(dim=2) == column  # (H W, P)
        yield int(possible[column]), won.T.reshape(-1, height, width)


def _mean_field(unary: Tensor, kernels: Sequence[Lattice], iterations: int) -> Tensor:
    """Beliefs after some updates; (N, P, K), of P problems that share the kernels, as the unary."""
    points, problems, labels = unary.shape
    beliefs = _normalise(unary.clone().view(-1, labels))
    for _ in range(iterations):
        messages = [kernel.filter(beliefs.view(points, -1)) for kernel in kernels]
        beliefs.copy_(unary.view(-1, labels))
        for message in messages:
            beliefs += message.view(-1, labels)
        _normalise(beliefs)
    return beliefs.view(points, problems, labels)


def refined_labels(probabilities: Tensor, image: Tensor, settings: CrfSettings) -> Tensor:
    """(H, W) uint8: the most probable label of every pixel after :func:`dense_crf`."""
    return dense_crf(probabilities, image, settings).argmax(dim=0).to(torch.uint8)


def _check(probabilities: Tensor, image: Tensor) -> None:
    if image.dtype != torch.uint8:
        raise WsssError(
            f"the dense CRF got an image of {str(image.dtype).removeprefix('torch.')}; hand over "
            "the decoded 8-bit image, because values without their mean wrap around as uint8"
        )
    if image.shape != (*probabilities.shape[1:], 3):
        raise WsssError(
            f"the dense CRF got an image of {tuple(image.shape)} and probabilities of "
            f"{tuple(probabilities.shape)}; resize the probabilities to the image's height and "
            "width"
        )
    low, high = (float(side) for side in torch.aminmax(probabilities))
    if not 0 <= low <= high <= 1 + 1e-3 or high == 0:
        raise WsssError(
            f"the dense CRF got probabilities from {low:g} to {high:g}; they must lie in [0, 1], "
            "not all 0: apply the softmax, and look for NaN in what made them"
        )


def _kernels(image: Tensor, settings: CrfSettings) -> list[Lattice]:
    """The weighted, normalised filters of an (H, W, 3) image; those of weight 0 left out."""
    kernels = []
    if settings.gaussian_weight:
        kernels.append(
            smoothness_kernel(
                image.shape[0],
                image.shape[1],
                settings.gaussian_xy,
                settings.gaussian_weight,
                image.device,
            )
        )
    if settings.bilateral_weight:
        positions = (
            _coordinates(image.shape[0], image.shape[1], image.device) / settings.bilateral_xy
        )
        colour = image.reshape(-1, 3).T / settings.bilateral_rgb
        kernels.append(_kernel(torch.cat([positions, colour]), settings.bilateral_weight))
    return kernels


@lru_cache(maxsize=8)
def smoothness_kernel(
    height: int, width: int, xy: float, weight: float, device: torch.device
) -> Lattice:
    """The smoothness kernel, which images of one size share."""
    return _kernel(_coordinates(height, width, device) / xy, weight)


def _coordinates(height: int, width: int, device: torch.device) -> Tensor:
    """(2, H W) float32: the column, then the row of every pixel."""
    rows = torch.arange(height, dtype=torch.float32, device=device)
    columns = torch.arange(width, dtype=torch.float32, device=device)
    return torch.stack([columns.repeat(height), rows.repeat_interleave(width)])


def _kernel(features: Tensor, weight: float) -> Lattice:
    """Normalise symmetrically: ``weight * D K D`` with ``D = 1 / sqrt(K 1)``."""
    lattice = Lattice.build(features)
    norm = (lattice.filter(torch.ones_like(features[:1].T)) + EPSILON).rsqrt().flatten()
    return lattice.scaled(before=norm, after=weight * norm)


def _normalise(scores: Tensor) -> Tensor:
    """Softmax of each row, in place; torch's own is ten times as slow on rows of two or three."""
    # Messages are not negative, so no score is below the logarithm of the least probability; only
    # large weights can make one too large for its exponential.
    too_large = scores.max() > LARGEST_EXPONENT
    if scores.device.type != "cpu":  # to ask a GPU would be to wait for it, in every iteration
        scores -= scores.amax(dim=1, keepdim=True).masked_fill(~too_large, 0.0)
    elif too_large:
        scores -= scores.amax(dim=1, keepdim=True)
    scores.exp_()
    scores /= scores.sum(dim=1, keepdim=True)
    return scores
