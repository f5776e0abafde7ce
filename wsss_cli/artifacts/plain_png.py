"""Pixels as they are, as 8-bit PNG: grey maps, such as saliency, and pictures in colour."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.errors import WsssError


def write_png(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write an (H, W) grey or (H, W, 3) RGB uint8 image; atomically."""
    done, png = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[:, :, ::-1])
    if not done:
        raise WsssError(f"OpenCV cannot encode {path}; reinstall opencv-python")
    write_bytes(path, png.tobytes())
