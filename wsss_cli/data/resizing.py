"""Resizing of photographs, label maps and grey maps, each in the way that suits it."""

import cv2
import numpy as np
import numpy.typing as npt
import torch

from wsss_cli.data.images import Pixels


def resize_image(image: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize (H, W, 3) to ``size`` (H, W): areas averaged when shrinking, linear when growing.

    Each side on its own: OpenCV averages areas only where both sides shrink.
    """
    height, width = image.shape[:2]
    smaller = min(height, size[0]), min(width, size[1])
    for target, way in ((smaller, cv2.INTER_AREA), (size, cv2.INTER_LINEAR)):
        if image.shape[:2] != target:
            image = cv2.resize(image, target[::-1], interpolation=way).astype(np.uint8, copy=False)
    return image


def resize_labels(label_map: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize an (H, W) label map to ``size`` (H, W) by nearest neighbour."""
    resized = cv2.resize(label_map, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return resized.astype(np.uint8, copy=False)


def resize_grey(grey: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize an (H, W) grey map to ``size`` (H, W) linearly."""
    if grey.shape == size:
        return grey
    resized = cv2.resize(grey, size[::-1], interpolation=cv2.INTER_LINEAR)
    return resized.astype(np.uint8, copy=False)


def enlarge_maps(maps: npt.NDArray[np.floating], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """(K, h, w) attention maps as (K, H, W) float32; those of other sizes are resized linearly.

    K may be 0, of an image of none of the classes.
    """
    if not len(maps):
        return np.zeros((0, *size), np.float32)
    single = _in_single_precision(maps)
    if maps.shape[1:] == size:
        return single
    return np.stack(
        [cv2.resize(attention, size[::-1], interpolation=cv2.INTER_LINEAR) for attention in single]
    )


def _in_single_precision(maps: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The same numbers as float32; half floats become so in torch, in a tenth of numpy's time."""
    if maps.dtype == np.float16:
        large: npt.NDArray[np.float32] = torch.from_numpy(maps).float().numpy()
        return large
    return maps.astype(np.float32)
