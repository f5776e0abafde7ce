"""Pictures of attention over its image."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.plain_png import write_png


def heatmap(
    image: npt.NDArray[np.uint8], attention: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Draw 0.8 attention + 0.2 grey in jet colours, the mixture of the authors' notebook.

    Args:
        image: (H, W, 3) RGB.
        attention: (H, W) in [0, 1].

    Returns:
        (H, W, 3) RGB.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    mixed = np.clip(0.8 * attention + 0.2 * grey / 255.0, 0, 1)
    coloured = cv2.applyColorMap((mixed * 255).astype(np.uint8), cv2.COLORMAP_JET)
    return cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def write_heatmap(
    path: Path, image: npt.NDArray[np.uint8], attention: npt.NDArray[np.float32]
) -> None:
    """Write :func:`heatmap` as a PNG."""
    write_png(path, heatmap(image, attention))
