"""Attention maps in HDF5: shards of images and an index that links to them.

Layout, the same for maps from any other tool::

    attention.h5                 attributes: schema, class_names, labels (optional): whether the
                                 maps are of labels "given" or "predicted" by the network
      ID/                        one group per image (in our index: a link into a shard)
        maps        (K, h, w)    float16 in [0, 1], one map per class present in the image
        class_ids   (K,)         uint8, 1..C; K is 0 for an image of none of the classes
        logits      (C,)         float32 class logits of the whole image (optional)
        attributes: height, width of the image (optional; else those of the maps)

So ``h5py.File("attention.h5")["2007_000039/maps"]`` is all a reader needs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.image_groups import (
    ODDITIES,
    ImageGroups,
    Layout,
    add_group,
    published_on_disk,
    published_whole,
)
from wsss_cli.configs.attend import GIVEN, PREDICTED

INDEX = "attention.h5"
LAYOUT = Layout(content="attention", schema=1, index=INDEX, stage="attend", option="--attention")

LABELS = "labels"
"""Attribute of the index that says whose labels the maps are of."""

# Label maps of 8 bits have room for the background, as many classes and 255.
MOST_CLASSES = 254

_ONE = np.float16(1).view(np.uint16)


@dataclass(frozen=True)
class ImageOutline:
    """What a file says of one image beside the maps: cheap to read.

    Attributes:
        class_ids: (K,) uint8, 1..C.
        size: (H, W) of the image; the maps may be smaller.
        logits: (C,) float32, or None where the file has none.
    """

    class_ids: npt.NDArray[np.uint8]
    size: tuple[int, int]
    logits: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class ImageAttention:
    """The attention of one image.

    Attributes:
        maps: (K, h, w) float16 or float32 in [0, 1].
        class_ids: (K,) uint8, 1..C.
        size: (H, W) of the image; the maps may be smaller.
        logits: (C,) float32, or None where the file has none.
    """

    maps: npt.NDArray[np.floating]
    class_ids: npt.NDArray[np.uint8]
    size: tuple[int, int]
    logits: npt.NDArray[np.float32] | None = None


@contextmanager
def write_shard(path: Path) -> Iterator[Callable[[str, ImageAttention], None]]:
    """Write one shard, of so few images that it fits into memory; it appears when whole.

    Yields:
        A function that adds one image's attention under its id.

    Raises:
        WsssError: The disk is full.
    """
    with published_whole(path) as file:

        def write(image_id: str, attention: ImageAttention) -> None:
            _add_image(file, image_id, attention)

        yield write


@contextmanager
def write_attention_file(
    path: Path, class_names: Sequence[str], labels: str
) -> Iterator[Callable[[str, ImageAttention], None]]:
    """Write one file of any number of images, without shards; it appears when whole.

    Args:
        path: The file; one that is there is replaced.
        class_names: Names of classes 1..C.
        labels: Whose labels the maps are of: ``given`` or ``predicted``.

    Yields:
        A function that adds one image's attention under its id.

    Raises:
        WsssError: The disk is full.
    """
    with published_on_disk(path) as with_room_for:
        attributes = with_room_for(0).attrs
        attributes["schema"] = LAYOUT.schema
        attributes["class_names"] = list(class_names)
        attributes[LABELS] = labels

        def write(image_id: str, attention: ImageAttention) -> None:
            _add_image(with_room_for(attention.maps.nbytes), image_id, attention)

        yield write


def _add_image(file: h5py.File, image_id: str, attention: ImageAttention) -> None:
    group = add_group(file, LAYOUT, image_id, attention.size)
    # Uncompressed on purpose: deflate halves the file and takes thirty times as long.
    group.create_dataset("maps", data=attention.maps.astype(np.float16, copy=False))
    group.create_dataset("class_ids", data=attention.class_ids)
    if attention.logits is not None:
        group.create_dataset("logits", data=attention.logits)


class AttentionFile(ImageGroups):
    """Read access to an attention file, ours or another tool's."""

    layout = LAYOUT

    @property
    def labels(self) -> str | None:
        """Whose labels the maps are of: ``given`` or ``predicted``; None where it does not say.

        Files that `wsss attend` wrote before it could predict labels say nothing: they were given.
        """
        try:
            said = self._attribute(self._file, LABELS, GIVEN if self._is_own() else None)
        except ODDITIES as error:
            raise self._broken(error) from error
        return said if isinstance(said, str) and said in (GIVEN, PREDICTED) else None

    def read(self, image_id: str) -> ImageAttention:
        """Read one image.

        Raises:
            WsssError: The image is not in the file, or its group is not in the layout.
        """
        outline, stored = self._outline(image_id)
        if not len(outline.class_ids):
            nothing = np.zeros((0, *outline.size), np.float16)
            return ImageAttention(nothing, outline.class_ids, outline.size, outline.logits)
        try:
            maps = stored[()]
        except ODDITIES as error:
            raise self._unreadable(image_id, error) from error
        if not _in_range(maps):
            low, high = float(maps.min()), float(maps.max())
            raise self._odd(image_id, f"has maps from {low:g} to {high:g}; they should be in 0..1")
        return ImageAttention(maps, outline.class_ids, outline.size, outline.logits)

    def outline(self, image_id: str) -> ImageOutline:
        """Read everything of one image but the maps.

        Raises:
            WsssError: The image is not in the file, or its group is not in the layout.
        """
        outline, _ = self._outline(image_id)
        return outline

    def _outline(self, image_id: str) -> tuple[ImageOutline, h5py.Dataset]:
        """The outline, and the maps, checked but not read yet."""
        try:
            group = self._group(image_id)
            maps = self._data(image_id, group, "maps")
            class_ids = self._data(image_id, group, "class_ids", most=MOST_CLASSES)[()]
            logits = None
            if "logits" in group:
                logits = self._data(image_id, group, "logits", most=MOST_CLASSES)[()]
            shape, dtype = maps.shape, maps.dtype
            # Of none of the classes: numpy writes an empty list as (0,) floats.
            negative = class_ids.shape == (0,) and shape[:1] == (0,)
            sides = (0, 0) if negative and len(shape) == 1 else shape[-2:]
            height = int(self._attribute(group, "height", sides[0]))
            width = int(self._attribute(group, "width", sides[1]))
        except ODDITIES as error:
            raise self._unreadable(image_id, error) from error
        largest = len(self.class_names) if self.class_names is not None else MOST_CLASSES
        if negative:
            class_ids = np.zeros(0, np.uint8)
        else:
            self._require_maps(image_id, shape, dtype, class_ids, largest)
        self._require_size(image_id, height, width)
        if logits is not None and not self._fit(logits, largest, class_ids):
            raise self._odd(
                image_id, f"has logits {logits.shape}; they should be ({largest},) floats"
            )
        return ImageOutline(class_ids.astype(np.uint8), (height, width), logits), maps

    def _require_maps(
        self,
        image_id: str,
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        class_ids: npt.NDArray[np.integer],
        largest: int,
    ) -> None:
        """Refuse maps and class ids that do not fit each other."""
        if len(shape) != 3 or class_ids.shape != shape[:1]:
            raise self._odd(
                image_id,
                f"has maps {shape} and class_ids {class_ids.shape}; they should be (K, h, w) "
                "and (K,)",
            )
        if not np.issubdtype(dtype, np.floating):
            raise self._odd(image_id, f"has maps of type {dtype}; they should be floats")
        if 0 in shape:
            raise self._odd(image_id, f"has maps of the shape {shape}, without any pixel")
        if not np.issubdtype(class_ids.dtype, np.integer) or len(set(class_ids)) < len(class_ids):
            raise self._odd(
                image_id, f"has class ids {class_ids.tolist()}; they are different integers"
            )
        if class_ids.min() < 1 or class_ids.max() > largest:
            raise self._odd(image_id, f"has class ids {class_ids.tolist()}; they are 1..{largest}")

    def _fit(
        self, logits: npt.NDArray[np.generic], largest: int, class_ids: npt.NDArray[np.integer]
    ) -> bool:
        """Whether there is a logit for each class; without class names, for those present."""
        if logits.ndim != 1 or not np.issubdtype(logits.dtype, np.floating):
            return False
        least = class_ids.max(initial=0) if self.class_names is None else largest
        return bool(least <= len(logits) <= largest)


def _in_range(maps: npt.NDArray[np.floating]) -> bool:
    """Whether all values are in 0..1, but for rounding; nan is not."""
    # As integers, half floats in 0..1 are the smallest of all, and compared ten times as fast.
    if maps.dtype == np.float16 and maps.view(np.uint16).max() <= _ONE:
        return True
    return bool(maps.min() >= 0 and maps.max() <= 1.001)
