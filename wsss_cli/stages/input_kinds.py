"""The fingerprint of each kind of input.

A stage asks here when it records what it reads, and ``wsss show`` asks again whether that has
changed since.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.fingerprint import file_fingerprint, files_fingerprint, fingerprint
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.artifacts.soft_map_folder import SoftMapFolder
from wsss_cli.artifacts.stage_directory import Input
from wsss_cli.data.data_set import DataSet


def images_input(
    data_set: DataSet, image_ids: Sequence[str], labels: npt.NDArray[np.bool_] | None = None
) -> Input:
    """Images of a data set, with their (N, C) image-level labels where these count."""
    return Input(data_set.root, data_set.fingerprint(image_ids, labels))


def file_input(path: Path) -> Input:
    """A file, by its bytes."""
    return Input(path, file_fingerprint(path))


def attention_input(file: AttentionFile) -> Input:
    """An attention file, ours or another tool's."""
    return Input(file.path.resolve(), file.fingerprint())


def scores_input(maps: ScoreFile | SoftMapFolder) -> Input:
    """A score file, or a folder of soft maps."""
    return Input(maps.path.resolve(), maps.fingerprint())


def pictures_input(folder: Path, paths: Iterable[Path]) -> Input:
    """Saliency maps or predicted label maps of some images, in the images' order."""
    return Input(folder.resolve(), files_fingerprint(paths))


def regions_input(folder: Path, files: Mapping[str, Sequence[Path]]) -> Input:
    """Files of regions by image, which may be none."""
    whole = pictures_input(folder, [path for paths in files.values() for path in paths])
    without = [image_id for image_id, paths in files.items() if not paths]
    return Input(whole.path, fingerprint([whole.fingerprint, without])) if without else whole


def supervision_input(
    source: Path, label_maps: Iterable[Path], data_set: DataSet, image_ids: Sequence[str]
) -> Input:
    """Label maps to learn from, and their images."""
    of_images = data_set.fingerprint(image_ids, None)
    return Input(source, fingerprint([files_fingerprint(label_maps), of_images]))
