"""Pixel counts image by image in one NumPy file, so that scores can be resampled without images.

``image_ids`` (N,) text and, by name, int32 arrays (N, L, L + 1).
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.errors import WsssError

Counts = npt.NDArray[np.int32]
_IDS = "image_ids"


def write_image_counts(path: Path, image_ids: Sequence[str], counts: Mapping[str, Counts]) -> None:
    """Write the counts of some images; compressed, since most cells are zero."""
    content = io.BytesIO()
    arrays: dict[str, Any] = {_IDS: np.array(image_ids), **counts}
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getvalue())


def read_image_counts(path: Path) -> tuple[list[str], dict[str, Counts]]:
    """Read what :func:`write_image_counts` wrote.

    Raises:
        WsssError: The file is broken.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays.pop(_IDS).tolist(), arrays
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise WsssError(f"{path} cannot be read ({error}); remove its folder") from error
