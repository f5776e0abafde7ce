"""Grey maps, such as saliency, as 8-bit PNG."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.errors import WsssError


def write_grey(path: Path, grey: npt.NDArray[np.uint8]) -> None:
    """Write an (H, W) uint8 map; atomically."""
    done, png = cv2.imencode(".png", grey)
    if not done:
        raise WsssError(f"OpenCV cannot encode {path}; reinstall opencv-python")
    write_bytes(path, png.tobytes())
