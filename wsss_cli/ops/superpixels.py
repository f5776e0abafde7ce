"""Superpixels: small regions of like colour that follow the edges of an image.

Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods", TPAMI 2012.
Cluster centres start on a regular grid; every pixel joins the nearest of the centres around it, by
colour and place together; every centre moves to the mean of its pixels; and so on.

Here "around it" are the centres that started in the pixel's own cell and the eight next to it, so
that all pixels of a cell have the same nine to choose from and a step is one product of matrices.
The published search, a square around each moving centre, differs from it where a centre has
wandered. Stray pixels that lie apart from their superpixel are left with it.
"""

import numpy as np
import numpy.typing as npt

# Weight of place against CIELAB colour, and steps: the published range is 1 to 40, and 10.
COMPACTNESS = 20.0
ITERATIONS = 10

Floats = npt.NDArray[np.floating]


def superpixels(lab: Floats, cell: int) -> npt.NDArray[np.intp]:
    """Divide an image into superpixels of about ``cell`` x ``cell`` pixels.

    Args:
        lab: (H, W, 3) CIELAB; both sides are multiples of ``cell``.
        cell: Side of the cells in which the centres start.

    Returns:
        (H, W) numbers 0..N-1, each of which some pixel has.
    """
    height, width = lab.shape[:2]
    rows, columns = height // cell, width // cell
    places = np.moveaxis(np.indices((height, width)), 0, -1) * (COMPACTNESS / cell)
    features = np.concatenate((lab, places.astype(lab.dtype)), axis=-1)  # (H, W, 5)
    blocks = features.reshape(rows, cell, columns, cell, 5).swapaxes(1, 2)
    blocks = blocks.reshape(rows, columns, cell * cell, 5)
    centres = blocks.mean(axis=2).reshape(-1, 5)
    around = _around(rows, columns)  # (rows, columns, 9)
    pixels = blocks.reshape(-1, 5).astype(np.float64)
    for _ in range(ITERATIONS):
        near = centres[around]  # (rows, columns, 9, 5)
        # Half the squared distance, less what all nine have in common.
        distances = (near**2).sum(-1)[:, :, None] / 2 - blocks @ near.swapaxes(-1, -2)
        nearest = distances.argmin(axis=-1)  # (rows, columns, cell * cell)
        labels = np.take_along_axis(around, nearest, axis=-1)
        counts = np.bincount(labels.ravel(), minlength=len(centres))
        sums = [np.bincount(labels.ravel(), column, len(centres)) for column in pixels.T]
        taken = counts > 0  # a centre that lost all its pixels stays where it is
        centres[taken] = (np.stack(sums, axis=-1)[taken] / counts[taken, None]).astype(lab.dtype)
    tiles = labels.reshape(rows, columns, cell, cell).swapaxes(1, 2).reshape(height, width)
    return np.unique(tiles, return_inverse=True)[1].reshape(height, width)


def _around(rows: int, columns: int) -> npt.NDArray[np.intp]:
    """(rows, columns, 9) numbers of the cells around each cell; beyond the edge, the last one."""
    steps = np.arange(-1, 2)
    row = np.clip(np.arange(rows)[:, None] + steps, 0, rows - 1)  # (rows, 3)
    column = np.clip(np.arange(columns)[:, None] + steps, 0, columns - 1)  # (columns, 3)
    numbers = row[:, None, :, None] * columns + column[None, :, None, :]
    around: npt.NDArray[np.intp] = numbers.reshape(rows, columns, 9)
    return around
