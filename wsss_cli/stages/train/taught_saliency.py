"""What a method that learns from saliency takes for salient.

Maps of what stands out, or the attention of an earlier network: where the strongest map of any of
the image's classes is, something is to be drawn. So a network can teach the next one, and no
saliency is needed at all.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from wsss_cli.artifacts.attention_file import AttentionFile, ImageAttention
from wsss_cli.artifacts.stage_directory import Input
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Pixels, check_images
from wsss_cli.data.label_folder import grey_files
from wsss_cli.data.map_sizes import if_turned, read_fitted_saliency, require_size
from wsss_cli.data.resizing import enlarge_maps, resize_grey
from wsss_cli.data.saliency_maps import require_saliency
from wsss_cli.errors import WsssError
from wsss_cli.ops.proxy_labels.threshold import BACKGROUND_SCORE
from wsss_cli.ops.saliency_supervision import COVERED
from wsss_cli.stages.input_kinds import attention_input, pictures_input
from wsss_cli.tracking import Track

_OPTION = "--saliency"

ReadSaliency = Callable[[str, tuple[int, int]], Pixels]
"""Takes an image id and a size (H, W), returns (H, W) uint8."""


class TaughtSaliency(Protocol):
    """Saliency of the images of a training, to be read from several threads."""

    @property
    def input(self) -> Input:
        """What the training records of it."""

    def opened(self) -> AbstractContextManager[ReadSaliency]:
        """Within, maps can be read."""


@dataclass(frozen=True)
class SaliencyFolder:
    """Grey pictures.

    Attributes:
        files: The picture of every image, by id.
        input: The folder.
    """

    files: dict[str, Path]
    input: Input

    @contextmanager
    def opened(self) -> Iterator[ReadSaliency]:
        """Within, maps can be read."""
        yield lambda image_id, size: read_fitted_saliency(self.files[image_id], size)[0]


@dataclass(frozen=True)
class SaliencyOfAttention:
    """The strongest attention of any class.

    Attributes:
        path: The attention file.
        class_names: Classes of the data set.
        input: The file.
    """

    path: Path
    class_names: tuple[str, ...]
    input: Input

    @contextmanager
    def opened(self) -> Iterator[ReadSaliency]:
        """Within, maps can be read."""
        with AttentionFile(self.path, self.class_names, option=_OPTION) as file:
            yield lambda image_id, size: strongest(file.read(image_id), size)


def strongest(attention: ImageAttention, size: tuple[int, int]) -> Pixels:
    """The largest map at every position, as a grey picture.

    Attention is an object's from 0.3 on and saliency from 0.5, so maps are stretched by the ratio:
    untouched, they teach to draw too little (measured in docs/results-diary.md).

    Args:
        attention: Maps (K, h, w) in [0, 1] of the K classes of an image; K may be 0.
        size: (H, W) wanted.

    Returns:
        (H, W) uint8, 255 where the attention is 0.6 or more; black of an image of none of the
        classes.
    """
    maps = enlarge_maps(attention.maps, attention.maps.shape[1:])  # as they are, but float32
    largest = maps.max(axis=0, initial=0) * (COVERED / BACKGROUND_SCORE)
    return resize_grey(np.rint(255 * largest.clip(0, 1)).astype(np.uint8), size)


def find_taught_saliency(
    path: Path,
    data_set: DataSet,
    image_ids: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    track: Track,
) -> TaughtSaliency:
    """Check what is to be learned from, as far as can be done without reading all of it.

    Args:
        path: A folder of grey pictures, or an attention file.
        data_set: The data set.
        image_ids: The N images of the training.
        sizes: (H, W) of each.
        track: Told what is odd about the maps.

    Raises:
        WsssError: An image has none, or one that is rotated, of another image, or unreadable; or
            all pictures are in another range, or all attention is empty.
    """
    if path.is_file():
        with AttentionFile(path, data_set.class_names, option=_OPTION) as file:
            file.require(image_ids)
            for image_id, size in zip(image_ids, sizes, strict=True):
                recorded = file.outline(image_id).size
                require_size(f"the attention of {image_id} in {path}", recorded, size)
            if not any(file.read(image_id).maps.any() for image_id in image_ids):
                raise WsssError(
                    f"{path} is empty in all {len(image_ids)} images, so there is nothing to learn "
                    "from; attend with a network that has learned more"
                )
            return SaliencyOfAttention(path, data_set.class_names, attention_input(file))
    files = _pictures(path, image_ids, sizes, track)
    return SaliencyFolder(
        dict(zip(image_ids, files, strict=True)), input=pictures_input(path, files)
    )


def _pictures(
    folder: Path, image_ids: Sequence[str], sizes: Sequence[tuple[int, int]], track: Track
) -> list[Path]:
    """The picture of every image, checked as far as headers and a bright one tell.

    Raises:
        WsssError: One is missing, rotated or unreadable, or all are in another range.
    """
    files = grey_files(folder, image_ids, _OPTION)
    for sentence in require_saliency(folder, files, _OPTION):
        track.note(sentence)
    others = 0
    for path, size in zip(files, sizes, strict=True):
        (map_size,) = check_images([path])
        if if_turned(map_size, size):
            require_size(str(path), map_size, size)
        others += map_size != size
    if others:
        track.note(
            f"{others} of {len(files)} saliency maps of {folder} have another size than their "
            "image and are resized"
        )
    return files
