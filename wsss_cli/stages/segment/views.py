"""Scores of a photograph seen at several scales, upright and mirrored.

Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution,
and Fully Connected CRFs", TPAMI 2018, section 4.1: the score maps of several scales are enlarged
and fused by the maximum at each position; public implementations average them, and add mirrored
views. Here the views meet on one grid, that of the largest scale at the network's stride, so that
the image's size is reached once, after they are merged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import moved, pinned
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.ops.score_grid import evenly, interpolate_at

# So many pixels pass the network at a time, larger views in tiles. In float32 on a CPU, VGG16's
# LargeFOV takes about 500 bytes a pixel, so 1.2 GB at this limit.
MOST_PIXELS = 1537 * 1537
# Side of a tile, and how much of it at each inner edge is context only, in steps of the stride: an
# edge reaches 215 pixels, 27 steps of 8, into the scores of VGG16's LargeFOV. A ResNet sees further
# (309 and 581 pixels), and with as much context little would be left of a tile.
TILE = 192
CONTEXT = 32


def merged_logits(
    network: DeepLabLargeFOV,
    image: Pixels,
    scales: Sequence[float],
    *,
    flip: bool,
    merge: str,
    device: torch.device,
) -> Tensor:
    """Logits of all views of a photograph, merged on the grid of the largest one.

    Args:
        network: In evaluation mode, on the device.
        image: (H, W, 3) uint8 RGB.
        scales: Factors of the photograph's sides.
        flip: Also look at the mirrored views.
        merge: ``mean`` or ``max`` of the logits.
        device: Where to compute.

    Returns:
        (L, h, w) float32 on a grid that spans the image, no coarser than the network's own at the
        largest scale.
    """
    size = image.shape[0], image.shape[1]
    grid = grid_size(network, size, scales)
    stride = network.trunk.stride
    merged = None
    first = 0.0 if network.corner_aligned else (stride - 1) / 2
    for scale in scales:
        view = resize_image(image, (_scaled(size[0], scale), _scaled(size[1], scale)))
        pixels = torch.from_numpy(view).permute(2, 0, 1)[None]  # (1, 3, Hv, Wv)
        if flip:
            pixels = torch.cat((pixels, pixels.flip(-1)))  # (2, 3, Hv, Wv)
        rows = (_seen_at(grid[0], size[0], view.shape[0]) - first) / stride
        columns = _seen_at(grid[1], size[1], view.shape[1])
        for mirrored, logits in enumerate(_logits(network, pixels, device)):
            seen = view.shape[1] - 1 - columns if mirrored else columns
            logits = interpolate_at(logits, rows, dim=-2)  # (L, h, wv)
            logits = interpolate_at(logits, (seen - first) / stride, dim=-1)  # (L, h, w)
            if merged is None:
                merged = logits
            elif merge == "max":
                merged = torch.maximum(merged, logits)
            else:
                merged += logits
    assert merged is not None
    return merged if merge == "max" else merged / (len(scales) * (2 if flip else 1))


def grid_size(
    network: DeepLabLargeFOV, size: tuple[int, int], scales: Sequence[float]
) -> tuple[int, int]:
    """(h, w) of the grid: in the largest view its samples are at most the stride apart."""
    height, width = (
        -(-(_scaled(side, max(scales)) - 1) // network.trunk.stride) + 1 for side in size
    )
    return height, width


def _scaled(side: int, scale: float) -> int:
    return max(1, round(side * scale))


def _seen_at(samples: int, side: int, view_side: int) -> Tensor:
    """(samples,) float64: where in a view, in its pixels, the samples of the grid lie."""
    return (evenly(samples, side) + 0.5) * (view_side / side) - 0.5


def _logits(network: DeepLabLargeFOV, views: Tensor, device: torch.device) -> Tensor:
    """(V, 3, H, W) uint8 to (V, L, h, w) logits at network stride.

    The views pass the network together, as many as are of :data:`MOST_PIXELS`.
    """
    (views,) = moved(pinned((views,), device), device)
    pixels = views.shape[-2] * views.shape[-1]
    if pixels > MOST_PIXELS:
        return torch.stack([_logits_by_tiles(network, view[None]) for view in views])
    together = torch.split(views, MOST_PIXELS // pixels)
    return torch.cat([network.scores(some) for some in together])


def _logits_by_tiles(network: DeepLabLargeFOV, view: Tensor) -> Tensor:
    """(1, 3, H, W) uint8 to (L, h, w) logits at network stride, a tile at a time."""
    height, width = view.shape[-2:]
    stride, extra = network.trunk.stride, int(network.corner_aligned)
    rows, columns = (-(-(side - extra) // stride) + extra for side in (height, width))
    merged = None
    for y, x in product(_spans(rows), _spans(columns)):
        top, left = stride * y.start, stride * x.start
        bottom, right = (stride * (span.stop - extra) + extra for span in (y, x))
        logits = network.scores(view[:, :, top:bottom, left:right])[0]
        if merged is None:
            merged = logits.new_empty((len(logits), rows, columns))
        merged[:, y.first : y.last, x.first : x.last] = logits[
            :, y.first - y.start : y.last - y.start, x.first - x.start : x.last - x.start
        ]
    assert merged is not None
    return merged


@dataclass(frozen=True)
class _Span:
    """One side of a tile, in samples: what it gives, and what it has to see for that."""

    first: int
    last: int
    start: int
    stop: int


def _spans(samples: int) -> Iterator[_Span]:
    if samples <= TILE:
        yield _Span(0, samples, 0, samples)
        return
    inner = TILE - 2 * CONTEXT
    for first in range(0, samples, inner):
        last = min(first + inner, samples)
        yield _Span(first, last, max(0, first - CONTEXT), min(samples, last + CONTEXT))
