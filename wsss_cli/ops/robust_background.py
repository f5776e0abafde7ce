"""Saliency without weights: what is not connected to the edge of the image.

Zhu et al., "Saliency Optimization from Robust Background Detection", CVPR 2014. Background lies
along the image's edge; an object may touch it too, but with little of its outline. So a region is
background if, of the area that looks like it, much lies along the edge (*boundary connectivity*).
Regions unlike the background around them stand out, and both hints are reconciled by least squares,
with neighbours of like colour close to each other.

Here: superpixels as in ``ops/superpixels.py``. Steps of colour are shortened as in the released
code; its further weight of 5 for the background is left out, as the paper does without it and maps
are then too dark for rules that compare with a half. The constants are marked with where they are
from. The minimum barrier distance (Zhang et al., ICCV 2015) does such work on bare pixels; the
read-me of its authors' program calls it patent-pending and for research only.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.ops.superpixels import superpixels

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# CIELAB distance at which two regions begin to look different: 10 in the paper (from memory), in
# the released code 5 to 10 by the image's own colours; this lies between.
COLOUR = 7.0
CONNECTIVITY = 1.0  # boundary connectivity from which on a region is background (from memory)
PLACE = 0.25  # of the image's sides: how far contrast reaches (from memory)
SMOOTH = 0.1  # weight between neighbours of any colour (released code)


@dataclass(frozen=True)
class Regions:
    """What is known of N regions of an image.

    Attributes:
        colours: (N, 3) mean CIELAB.
        places: (N, 2) mean row and column, as shares of the image's sides.
        adjacent: (N, N), symmetric; no region is adjacent to itself.
        at_edge: (N,), whether a region touches the image's edge.
    """

    colours: Array
    places: Array
    adjacent: Flags
    at_edge: Flags


def robust_background_saliency(image: npt.NDArray[np.uint8], cell: int) -> npt.NDArray[np.float32]:
    """The saliency of each pixel, the same within a superpixel.

    Args:
        image: (H, W, 3) RGB; both sides are multiples of ``cell``.
        cell: Side of a superpixel, in pixels, about.

    Returns:
        (H, W), the least value 0 and the largest 1, or 0 everywhere where nothing stands out.
    """
    scaled = image.astype(np.float32) / 255
    lab = cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB).astype(np.float32, copy=False)
    labels = superpixels(lab, cell)
    values = region_saliency(regions_of(labels, lab))
    lowest, span = values.min(), np.ptp(values)
    stretched = (values - lowest) / span if span > 0 else np.zeros_like(values)
    return stretched.astype(np.float32)[labels]


def regions_of(labels: npt.NDArray[np.intp], lab: npt.NDArray[np.floating]) -> Regions:
    """Describe the regions of an (H, W) map of numbers 0..N-1 in an (H, W, 3) CIELAB image."""
    counts = np.bincount(labels.ravel())  # (N,)
    rows, columns = np.mgrid[: labels.shape[0], : labels.shape[1]]

    def mean(values: npt.NDArray[np.generic]) -> Array:
        return np.bincount(labels.ravel(), values.ravel()) / counts

    adjacent = np.zeros((len(counts), len(counts)), np.bool_)
    for first, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        adjacent[first, other] = adjacent[other, first] = True
    np.fill_diagonal(adjacent, False)
    at_edge = np.zeros(len(counts), np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        at_edge[edge] = True
    return Regions(
        colours=np.stack([mean(lab[:, :, channel]) for channel in range(3)], axis=-1),
        places=np.stack(
            [mean((rows + 0.5) / labels.shape[0]), mean((columns + 0.5) / labels.shape[1])], axis=-1
        ),
        adjacent=adjacent,
        at_edge=at_edge,
    )


def region_saliency(regions: Regions) -> Array:
    """(N,) saliency, 0 or more (section 4.2 of the paper).

    Minimises the sum over regions of ``background s^2 + foreground (s - 1)^2`` and over neighbours
    of ``likeness (s_i - s_j)^2``.
    """
    unlike = distances(regions.colours)
    background = background_probability(regions, unlike)
    contrast = background_contrast(regions, unlike, background)
    highest = contrast.max()
    foreground = contrast / highest if highest > 0 else contrast
    like = regions.adjacent * (np.exp(-(unlike**2) / (2 * COLOUR**2)) + SMOOTH)
    # Regions at the edge are background to some degree, and all hang together: never singular.
    system = np.diag(like.sum(axis=1) + background + foreground) - like
    values: Array = np.linalg.solve(system, foreground)
    return values


def background_probability(regions: Regions, unlike: Array) -> Array:
    """(N,) in [0, 1], by boundary connectivity (section 3).

    Args:
        regions: The regions.
        unlike: (N, N) distances of their colours.
    """
    likeness = np.exp(-(geodesic_distances(regions, unlike) ** 2) / (2 * COLOUR**2))
    along_edge = likeness[:, regions.at_edge].sum(axis=1)
    connectivity = along_edge / np.sqrt(likeness.sum(axis=1))
    probability: Array = 1 - np.exp(-(connectivity**2) / (2 * CONNECTIVITY**2))
    return probability


def background_contrast(regions: Regions, unlike: Array, background: Array) -> Array:
    """(N,) contrast of each region to the background around it (section 4.1)."""
    near = np.exp(-(distances(regions.places) ** 2) / (2 * PLACE**2))
    contrast: Array = (unlike * near) @ background
    return contrast


def geodesic_distances(regions: Regions, unlike: Array) -> Array:
    """(N, N) lengths of the shortest ways from region to region, counted in steps of colour.

    Regions at the edge are neighbours of each other, as what an object separates may be one
    background. Steps are shortened by the mean of every region's smallest one: on long ways through
    a single texture they would add up (released code).
    """
    linked = regions.adjacent | (regions.at_edge[:, None] & regions.at_edge)
    np.fill_diagonal(linked, False)
    steps = np.where(linked, unlike, np.inf)
    smallest = steps.min(axis=1)
    steps = np.maximum(steps - smallest[np.isfinite(smallest)].mean(), 0) if linked.any() else steps
    np.fill_diagonal(steps, 0)
    for through in range(len(steps)):  # Floyd and Warshall
        np.minimum(steps, steps[:, through, None] + steps[through], out=steps)
    return steps


def distances(points: Array) -> Array:
    """(N, N) Euclidean distances of N points."""
    apart: Array = np.sqrt(((points[:, None] - points) ** 2).sum(axis=-1))
    return apart
