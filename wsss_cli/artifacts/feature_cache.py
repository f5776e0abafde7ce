"""Features of a frozen trunk, kept in a file while heads learn from them.

The file begins with what the features are of; features of anything else are not read but replaced.
They follow in the order of the images, each with a checksum. So the size says how many there are,
and a stopped stage goes on with the next one.
"""

import math
import os
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.atomic import unwritable
from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.artifacts.stage_directory import LOCK
from wsss_cli.errors import WsssError

_ANY_VERSION = b"wsss features "
MAGIC = _ANY_VERSION + b"2\n"
# The rest is a SHA-256 in hexadecimal and the shape of an image's features.
_HEADER = 128
_KIND = np.dtype("<f2")
_CHECKSUM = np.dtype("<u4")  # CRC-32 of the features of an image
# The largest number of half precision: what is larger is kept as this.
_LARGEST = float(np.finfo(np.float16).max)


def bytes_of_features(images: int, shape: tuple[int, ...]) -> int:
    """Size of the file of so many images, each with features (K, h, w)."""
    return _HEADER + images * (math.prod(shape) * _KIND.itemsize + _CHECKSUM.itemsize)


class FeatureCache:
    """The features of a list of images.

    Attributes:
        path: The file.
        shape: (K, h, w) of the features of an image.
        header: Its first bytes, which say of what the features are.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], identity: object) -> None:
        """Look at what there is.

        Args:
            path: The file.
            shape: (K, h, w) of the features of an image.
            identity: Everything that the features depend on, as a JSON value.
        """
        self.path = path
        self.shape = shape
        sizes = "x".join(map(str, shape))
        self.header = (MAGIC + f"{fingerprint(identity)} {sizes}\n".encode()).ljust(_HEADER)
        self._kind = np.dtype([("features", _KIND, shape), ("checksum", _CHECKSUM)])
        self._record = self._kind.itemsize

    def done(self) -> int:
        """How many images have their features in the file: the first ones of the list."""
        try:
            with self.path.open("rb") as file:
                if file.read(_HEADER) != self.header:
                    return 0
            return (self.path.stat().st_size - _HEADER) // self._record
        except FileNotFoundError:
            return 0

    def intact(self) -> int:
        """How many of them, from the first one on, are as they were written; reads them all."""
        if not self.done():
            return 0
        for number, record in enumerate(self._records()):
            if crc32(record["features"].tobytes()) != record["checksum"]:
                return number
        return self.done()

    def keep(self, images: int) -> None:
        """Drop the features of all but the first images.

        Raises:
            WsssError: The folder cannot be written to.
        """
        if self.done() > images:
            try:
                os.truncate(self.path, _HEADER + images * self._record)
            except OSError as error:
                raise unwritable(self.path, error) from error

    def move_to(self, other: "FeatureCache") -> bool:
        """Give the file to who needs the same features, and in whose folder nothing lies yet.

        It saves time and nothing else, so where it cannot be done nothing is said.

        Returns:
            Whether it is there now.
        """
        with suppress(OSError):
            if self.header == other.header and not _others_than(other.path, LOCK):
                other.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.replace(other.path)
                return True
        return False

    def append(self, features: npt.NDArray[np.floating]) -> None:
        """Write the features of the next images.

        Args:
            features: (N, K, h, w), not negative.

        Raises:
            WsssError: The disk is full or the folder cannot be written to.
        """
        done = self.done()
        records = np.empty(len(features), self._kind)
        records["features"] = features.clip(max=_LARGEST)
        records["checksum"] = [crc32(row.tobytes()) for row in records["features"]]
        try:
            with self.path.open("r+b" if done else "wb") as file:
                if not done:
                    file.write(self.header)
                file.seek(_HEADER + done * self._record)  # over part of an image, if there is one
                file.write(records.tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error

    def rows(self) -> npt.NDArray[np.float16]:
        """(N, K, h, w) of the images that are done, read from the disk where they are looked at."""
        rows: npt.NDArray[np.float16] = self._records()["features"]
        return rows

    def _records(self) -> npt.NDArray[np.void]:
        return np.memmap(self.path, self._kind, "r", _HEADER, (self.done(),))


def is_alone(path: Path) -> bool:
    """Whether a file of features is there, and nothing else in its folder but a lock."""
    if _others_than(path, path.name, LOCK):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_ANY_VERSION)) == _ANY_VERSION
    except OSError:  # not ours to read, so not ours to write over
        return False


def _others_than(path: Path, *names: str) -> bool:
    """Whether the folder of a file holds anything that has none of these names."""
    folder = path.parent
    return folder.exists() and any(other.name not in names for other in folder.iterdir())


def look(path: Path) -> tuple[tuple[int, ...], int]:
    """The shape of an image's features in a file, and how many images have theirs there.

    Raises:
        WsssError: The file does not begin as such a file does.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER)
    try:
        shape = tuple(map(int, header.removeprefix(MAGIC).split()[1].split(b"x")))
        record = bytes_of_features(1, shape) - _HEADER
        return shape, (path.stat().st_size - _HEADER) // record
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise WsssError(f"{path} does not hold features; remove it and train again") from error
