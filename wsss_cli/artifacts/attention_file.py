"""Attention maps in HDF5: shards of images and an index that links to them.

Layout, the same for maps from any other tool::

    attention.h5                 attributes: schema, class_names
      ID/                        one group per image (in our index: a link into a shard)
        maps        (K, h, w)    float16 in [0, 1], one map per class present in the image
        class_ids   (K,)         uint8, 1..C
        logits      (C,)         float32 class logits of the whole image (optional)
        attributes: height, width of the image (optional; else those of the maps)

So ``h5py.File("attention.h5")["2007_000039/maps"]`` is all a reader needs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from types import TracebackType

import h5py
import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.artifacts.fingerprint import file_fingerprint, files_fingerprint
from wsss_cli.artifacts.stage_directory import MANIFEST, read_manifest
from wsss_cli.errors import WsssError, listing

SCHEMA = 1
INDEX = "attention.h5"
SHARDS = "shards"
# A kill loses at most one shard; an index of ten thousand images still links to few files.
SHARD_IMAGES = 128
# The limit at which Pillow suspects a decompression bomb; a recorded size is believed below it.
_MOST_PIXELS = 178_956_970


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
def _published_whole(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file that is made in memory and written at once when it is whole.

    The HDF5 library does not survive a full disk: it goes on failing while its handles are
    closed, and ends in a segmentation fault. Plain bytes can be written without it.
    """
    content = BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    write_bytes(path, content.getvalue())


@contextmanager
def write_shard(path: Path) -> Iterator[Callable[[str, ImageAttention], None]]:
    """Write one shard, of so few images that it fits into memory; it appears when whole.

    Yields:
        A function that adds one image's attention under its id.

    Raises:
        WsssError: The disk is full.
    """
    with _published_whole(path) as file:

        def write(image_id: str, attention: ImageAttention) -> None:
            group = file.create_group(image_id)
            group.attrs["schema"] = SCHEMA
            group.attrs["height"], group.attrs["width"] = attention.size
            # Uncompressed on purpose: deflate halves the file and takes thirty times as long.
            group.create_dataset("maps", data=attention.maps.astype(np.float16, copy=False))
            group.create_dataset("class_ids", data=attention.class_ids)
            if attention.logits is not None:
                group.create_dataset("logits", data=attention.logits)

        yield write


def shard_path(directory: Path, number: int) -> Path:
    """Where a shard lies."""
    return directory / SHARDS / f"{number:05d}.h5"


def write_index(
    directory: Path, shards: Sequence[Sequence[str]], class_names: Sequence[str]
) -> None:
    """Link every image id to its group in its shard, by relative paths."""
    with _published_whole(directory / INDEX) as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["class_names"] = list(class_names)
        for number, image_ids in enumerate(shards):
            target = shard_path(directory, number).relative_to(directory).as_posix()
            for image_id in image_ids:
                file[image_id] = h5py.ExternalLink(target, f"/{image_id}")


class AttentionFile:
    """Read access to an attention file, ours or another tool's."""

    def __init__(
        self,
        path: Path,
        class_names: Sequence[str] | None = None,
        *,
        option: str = "--attention",
    ) -> None:
        """Open the file and check what concerns all images.

        Args:
            path: The index, or a whole file of another tool.
            class_names: Those of the data set; the file's own must be the same.
            option: The option that names such a file, for the message.

        Raises:
            WsssError: It is missing, no HDF5 file, not in the layout or of other classes.
        """
        self.path = path
        if not path.exists():
            raise WsssError(f"{path} does not exist; run `wsss attend` or pass {option} FILE")
        if path.is_dir():
            raise WsssError(f"{path} is a folder; give the HDF5 file in it")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise WsssError(f"{path} is not a readable HDF5 file ({error})") from error
        schema = self._file.attrs.get("schema", SCHEMA)
        if schema != SCHEMA:
            raise WsssError(f"{path} has attention schema {schema}, this wsss reads {SCHEMA}")
        self.image_ids: list[str] = list(self._file)
        if not self.image_ids:
            raise WsssError(f"{path} holds no image; it should have one group per image id")
        stored = self._file.attrs.get("class_names")
        own = None if stored is None else tuple(str(name) for name in stored)
        if own is not None and class_names is not None and own != tuple(class_names):
            raise WsssError(
                f"{path} has the classes {listing(own)}, the data set {listing(list(class_names))}"
            )
        self.class_names = own if class_names is None else tuple(class_names)
        self._check_links()

    def fingerprint(self) -> str:
        """The attend stage's fingerprint for its own index, else that of all bytes linked."""
        if (self.path.parent / MANIFEST).exists() and self.path.name == INDEX:
            return str(read_manifest(self.path.parent)["fingerprint"])
        linked = [self.path.parent / target for target in sorted(self._links())]
        return files_fingerprint([self.path, *linked]) if linked else file_fingerprint(self.path)

    def _links(self) -> set[str]:
        """Files that the index links to, relative to its folder."""
        found = (self._file.get(image_id, getlink=True) for image_id in self.image_ids)
        return {str(link.filename) for link in found if isinstance(link, h5py.ExternalLink)}

    def require(self, image_ids: Sequence[str]) -> None:
        """Refuse a file that lacks some images.

        Raises:
            WsssError: Names the images that are missing.
        """
        there = set(self.image_ids)
        missing = [image_id for image_id in image_ids if image_id not in there]
        if missing:
            raise WsssError(
                f"{self.path} lacks the attention of {len(missing)} of {len(image_ids)} images: "
                f"{listing(missing)}; run `wsss attend` on the same --split, or give another file"
            )

    def read(self, image_id: str) -> ImageAttention:
        """Read one image.

        Raises:
            WsssError: The image is not in the file, or its group is not in the layout.
        """
        outline = self.outline(image_id)
        try:
            maps = self._file[image_id]["maps"][()]
        except (KeyError, OSError, AttributeError, TypeError, ValueError) as error:
            raise self._odd(image_id, f"cannot be read ({error})") from error
        low, high = float(maps.min()), float(maps.max())
        if not (low >= 0 and high <= 1.001):  # also refuses nan
            raise self._odd(image_id, f"has maps from {low:g} to {high:g}; they should be in 0..1")
        return ImageAttention(maps, outline.class_ids, outline.size, outline.logits)

    def outline(self, image_id: str) -> ImageOutline:
        """Read of one image all but the maps.

        Raises:
            WsssError: The image is not in the file, or its group is not in the layout.
        """
        try:
            group = self._file[image_id]
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise self._odd(image_id, f"holds {name} as a link instead of as data")
            maps, class_ids = group["maps"], group["class_ids"][()]
            logits = group["logits"][()] if "logits" in group else None
            height = int(group.attrs.get("height", maps.shape[-1 - 1]))
            width = int(group.attrs.get("width", maps.shape[-1]))
            shape, dtype = maps.shape, maps.dtype
        except (KeyError, OSError, AttributeError, IndexError, TypeError, ValueError) as error:
            raise self._odd(image_id, f"cannot be read ({error})") from error
        if len(shape) != 3 or class_ids.shape != shape[:1] or not shape[0]:
            raise self._odd(
                image_id,
                f"has maps {shape} and class_ids {class_ids.shape}; they should be (K, h, w) "
                "and (K,) with K of 1 or more",
            )
        if not np.issubdtype(dtype, np.floating):
            raise self._odd(image_id, f"has maps of type {dtype}; they should be floats")
        if 0 in shape:
            raise self._odd(image_id, f"has maps of the shape {shape}, without any pixel")
        if not np.issubdtype(class_ids.dtype, np.integer) or len(set(class_ids)) < len(class_ids):
            raise self._odd(
                image_id, f"has class ids {class_ids.tolist()}; they are different integers"
            )
        most = len(self.class_names) if self.class_names is not None else 254
        if class_ids.min() < 1 or class_ids.max() > most:
            raise self._odd(image_id, f"has class ids {class_ids.tolist()}; they are 1..{most}")
        if not (0 < height <= _MOST_PIXELS and 0 < width <= _MOST_PIXELS // height):
            raise self._odd(image_id, f"has the size {height} x {width}, which no image has")
        if logits is not None and logits.shape != (most,) and self.class_names is not None:
            raise self._odd(image_id, f"has logits {logits.shape}; they should be ({most},)")
        return ImageOutline(class_ids.astype(np.uint8), (height, width), logits)

    def _odd(self, image_id: str, what: str) -> WsssError:
        return WsssError(f"{self.path}: image {image_id} {what}; see the README for the layout")

    def _check_links(self) -> None:
        """Every link must lead to a file below the index's folder, and that file must exist."""
        targets = self._links()
        for target in targets:
            inside = PurePosixPath(target)
            if inside.is_absolute() or ".." in inside.parts:
                raise WsssError(f"{self.path} links to {target}, outside its own folder")
        lost = sorted(target for target in targets if not (self.path.parent / target).exists())
        if lost:
            raise WsssError(f"{self.path} links to files that are missing: {listing(lost)}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "AttentionFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
