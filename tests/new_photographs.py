"""Networks with random weights, and photographs and videos that no data set knows."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from conftest import CLASSES
from PIL import Image

from wsss_cli.models import deeplab_largefov
from wsss_cli.stages.segment.network_file import write_network


def segmentation_checkpoint(
    path: Path, class_names: Sequence[str] = CLASSES, *, longest_side: int = 80
) -> Path:
    """A tiny network with random scores, which sees every class somewhere."""
    torch.manual_seed(1)
    network = deeplab_largefov.build("tiny", len(class_names) + 1)
    weight = network.state_dict()["classifier.score.weight"]
    weight.copy_(torch.randn(weight.shape))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_network(path, network, "tiny", "none", class_names, (0.7, 1.3), longest_side)
    return path


def pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) coloured blobs, so that a network sees more than one thing."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(1, height // 9), max(1, width // 9), 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def photograph(
    path: Path, height: int = 48, width: int = 64, seed: int = 0, *, orientation: int = 1
) -> Path:
    """Save a photograph in the format of its ending; it is stored as drawn, whatever its tag."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels(height, width, seed))
    exif = Image.Exif()
    if orientation != 1:
        exif[274] = orientation
    image.save(path, exif=exif)
    return path


def video(
    path: Path, frames: int = 5, height: int = 48, width: int = 64, *, fps: float = 12.5
) -> Path:
    """Save a video, MPEG-4 or, as AVI, a row of JPEGs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, (width, height))
    for number in range(frames):
        writer.write(pixels(height, width, number))
    writer.release()
    return path
