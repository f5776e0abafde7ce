"""Small pictures as text, to stand inside a page."""

import base64
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.errors import WsssError

LONGEST = 240  # pixels of the longer side: sharp at the 120 points that a phone gives it
QUALITY = 72  # of WebP: some 6 kB a photograph
_LOSSLESS = 101  # OpenCV's word for it


class Thumbnail(NamedTuple):
    """A small picture: its ``data:`` address and its size in pixels.

    ``key``, where there is one, names everything that decided how it looks.
    """

    address: str
    width: int
    height: int
    key: str = ""


def thumbnail(pixels: npt.NDArray[np.uint8], *, flat: bool = False) -> Thumbnail:
    """Scale a picture down and write it as WebP.

    Args:
        pixels: (H, W, 3) RGB.
        flat: It is made of areas of one colour, which stay exactly that.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST if flat else cv2.INTER_AREA)
    quality = [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS if flat else QUALITY]
    done, webp = cv2.imencode(".webp", small[:, :, ::-1], quality)
    if not done:
        raise WsssError("OpenCV cannot encode WebP; reinstall opencv-python")
    text = base64.b64encode(webp.tobytes()).decode("ascii")
    return Thumbnail(f"data:image/webp;base64,{text}", *size)
