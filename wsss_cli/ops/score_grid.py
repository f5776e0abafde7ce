"""Soft scores of an image on a coarse grid, and the label maps and probabilities they stand for.

The grid spans the image: its first and last samples sit on the first and last pixels, the others
evenly between them. What lies between samples is interpolated linearly, and only then turned into
probabilities: the order in which DeepLab's score maps are enlarged and compared.

Scores are stored as float16 logarithms of probabilities. Against logits that leaves out a constant
at each sample; interpolated, it is a constant at each pixel, to which softmax and the best label
are blind. Where labels compete the logarithms are near 0 and float16 is finest.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

# Numbers of an enlarged band of rows, so that an image of any size takes 64 MB at a time.
_BAND = 2**24


def log_probabilities(logits: Tensor, possible: Tensor | None = None) -> Tensor:
    """Logits of a grid in the form that is stored.

    Args:
        logits: (L, h, w) float32.
        possible: (L,) bool, labels that the image can have; None is all.

    Returns:
        (L, h, w) float16, at most 0; labels that the image cannot have are minus infinity, all
        others are finite.
    """
    if possible is not None:
        logits = logits.masked_fill(~possible[:, None, None], -torch.inf)
    scores = logits.float().log_softmax(dim=0).clamp_min(torch.finfo(torch.float16).min).half()
    return scores if possible is None else scores.masked_fill(~possible[:, None, None], -torch.inf)


def label_probabilities(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Probabilities of the labels at every pixel.

    Args:
        scores: (L, h, w) log-probabilities or logits, any floating dtype, on a grid that spans the
            image; a label that the image cannot have is minus infinity everywhere.
        size: (H, W) of the image.

    Returns:
        (L, H, W) float32; they sum to 1, labels that the image cannot have are 0.
    """
    possible = _possible(scores)
    probabilities = torch.zeros((len(scores), *size), device=scores.device)
    for top, band in _enlarged(scores[possible].float(), size):
        probabilities[possible, top : top + band.shape[1]] = band.softmax(dim=0)
    return probabilities


def best_labels(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """The most probable label of every pixel, in memory that the size of the image does not raise.

    Args:
        scores: (L, h, w) as in :func:`label_probabilities`.
        size: (H, W) of the image.

    Returns:
        (H, W) uint8.
    """
    possible = _possible(scores)
    labels = torch.empty(size, dtype=torch.uint8, device=scores.device)
    for top, band in _enlarged(scores[possible].float(), size):
        labels[top : top + band.shape[1]] = possible[band.max(dim=0).indices].to(torch.uint8)
    return labels


def evenly(count: int, samples: int) -> Tensor:
    """(count,) float64: positions spread evenly from the first to the last of some samples."""
    return torch.linspace(0, samples - 1, count, dtype=torch.float64)


def interpolate_at(values: Tensor, positions: Tensor, dim: int) -> Tensor:
    """Values between samples, linearly; beyond the first and last sample those two go on.

    Args:
        values: Any shape, floating.
        positions: (N,) float64, where 0 is the first sample of ``dim`` and 1 the second.
        dim: The dimension to interpolate along, counted from the end (-1 or -2).

    Returns:
        As ``values``, with N entries in ``dim``.
    """
    positions = positions.clamp(0, values.shape[dim] - 1)
    low = positions.floor()
    weight = (positions - low).to(values.dtype).to(values.device)
    before = low.long().to(values.device)
    after = positions.ceil().long().to(values.device)
    return torch.lerp(
        values.index_select(dim, before),
        values.index_select(dim, after),
        weight if dim == -1 else weight[:, None],
    )


def _possible(scores: Tensor) -> Tensor:
    """(K,) int64: labels that are not minus infinity."""
    return (scores[:, 0, 0] > -torch.inf).nonzero().flatten()


def _enlarged(scores: Tensor, size: tuple[int, int]) -> Iterator[tuple[int, Tensor]]:
    """Finite (K, h, w) scores at the size of the image, as (K, rows, W) bands and their top row."""
    height, width = size
    rows = evenly(height, scores.shape[1])  # where each pixel's row lies between those of the grid
    step = max(1, _BAND // (len(scores) * width))
    for top in range(0, height, step):
        band = interpolate_at(scores, rows[top : top + step], dim=-2)[None]  # (1, K, rows, w)
        yield (
            top,
            functional.interpolate(
                band, (band.shape[2], width), mode="bilinear", align_corners=True
            )[0],
        )
