"""Soft scores of a segmentation network in HDF5: what its label maps are made from.

Layout, the same for scores from any other tool::

    scores.h5                    attributes: schema, class_names
      ID/                        one group per image (in our index: a link into a shard)
        scores      (L, h, w)    float16, one map per label: background, then classes 1..C
        attributes: height, width of the image

The grid spans the image: its first and last samples sit on the first and last pixels, the others
evenly between them. The scores are logarithms of the labels' probabilities there, so none is above
0 and none overflows. The probabilities of the pixels are the softmax of the scores interpolated
linearly; it is blind to a constant at each sample, so logits of another tool serve as well. A label
that the image cannot have is minus infinity everywhere.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.image_groups import (
    ODDITIES,
    ImageGroups,
    Layout,
    add_group,
    published_whole,
)

INDEX = "scores.h5"
LAYOUT = Layout(
    content="scores",
    schema=1,
    index=INDEX,
    stage="segment",
    option="--scores",
    extra="probabilities",
)


@dataclass(frozen=True)
class ImageScores:
    """The soft scores of one image.

    Attributes:
        scores: (L, h, w) float16 or float32; a label that the image cannot have is minus infinity
            everywhere, all others are finite.
        size: (H, W) of the image, which the grid spans from corner to corner.
    """

    scores: npt.NDArray[np.floating]
    size: tuple[int, int]


@contextmanager
def write_shard(path: Path) -> Iterator[Callable[[str, ImageScores], None]]:
    """Write one shard, of so few images that it fits into memory; it appears when whole.

    Yields:
        A function that adds one image's scores under its id.

    Raises:
        WsssError: The disk is full.
    """
    with published_whole(path) as file:

        def write(image_id: str, image: ImageScores) -> None:
            group = add_group(file, LAYOUT, image_id, image.size)
            group.create_dataset("scores", data=image.scores.astype(np.float16, copy=False))

        yield write


NOT_FINITE = "are not finite; only a label that the image cannot have is minus infinity, everywhere"


def is_finite(scores: npt.NDArray[np.floating]) -> bool:
    """Whether (L, h, w) scores are finite but for labels, not all, that the image cannot have."""
    impossible = np.isneginf(scores).all(axis=(1, 2))  # (L,)
    return not impossible.all() and bool(np.isfinite(scores[~impossible]).all())


class ScoreFile(ImageGroups):
    """Read access to a score file, ours or another tool's."""

    layout = LAYOUT

    def read(self, image_id: str) -> ImageScores:
        """Read one image, its scores as float32.

        Raises:
            WsssError: The image is not in the file, or its group is not in the layout.
        """
        try:
            group = self._group(image_id)
            stored = self._data(image_id, group, "scores")
            height, width = (int(self._attribute(group, side)) for side in ("height", "width"))
            shape, dtype = stored.shape, stored.dtype
        except ODDITIES as error:
            raise self._unreadable(image_id, error) from error
        self._require_size(image_id, height, width)
        if len(shape) != 3 or 0 in shape or not 2 <= shape[0] <= 255:
            raise self._odd(
                image_id, f"has scores {shape}; they should be (L, h, w), L with the background"
            )
        if self.class_names is not None and shape[0] != len(self.class_names) + 1:
            raise self._odd(
                image_id,
                f"has scores of {shape[0]} labels; {len(self.class_names)} classes and the "
                f"background make {len(self.class_names) + 1}",
            )
        if not np.issubdtype(dtype, np.floating):
            raise self._odd(image_id, f"has scores of type {dtype}; they should be floats")
        try:
            scores = stored[()].astype(np.float32)
        except ODDITIES as error:
            raise self._unreadable(image_id, error) from error
        if not is_finite(scores):
            raise self._odd(image_id, f"has scores that {NOT_FINITE}")
        return ImageScores(scores, (height, width))
