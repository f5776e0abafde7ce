"""Archives for PASCAL VOC's evaluation server: written here, read from anywhere.

The layout is that of the VOC2012 development kit for segmentation with outside data (comp6;
weights pre-trained on ImageNet are such)::

    results/VOC2012/Segmentation/comp6_test_cls/ID.png     one palette PNG per image of the list
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from wsss_cli.artifacts.atomic import write_atomically
from wsss_cli.errors import WsssError

FOLDER = PurePosixPath("results/VOC2012/Segmentation/comp6_test_cls")
SUFFIX = ".tar.gz"
# A label map of the largest photograph that Pillow decodes unasked is smaller.
_MOST_BYTES = 2**28


def write_submission(path: Path, label_maps: Mapping[str, Path]) -> None:
    """Pack label maps; equal ones give equal bytes, whenever and by whomever they are packed.

    Args:
        path: The archive; it appears when it is whole.
        label_maps: PNG of each image id, in the order to pack them.

    Raises:
        WsssError: The disk is full.
    """

    def write(file: IO[bytes]) -> None:
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            for image_id, label_map in label_maps.items():
                entry = tarfile.TarInfo(f"{FOLDER}/{image_id}.png")  # its owner and time are 0
                entry.size = label_map.stat().st_size
                with label_map.open("rb") as content:
                    archive.addfile(entry, content)

    write_atomically(path, write)


@dataclass(frozen=True)
class Entry:
    """One entry of an archive, which is never unpacked to the disk.

    Attributes:
        name: As it stands in the archive.
        is_folder: Whether it is one.
        content: Bytes of a plain file of reasonable size; None for anything else.
    """

    name: str
    is_folder: bool
    content: bytes | None

    @property
    def escapes(self) -> bool:
        """Whether it would be unpacked outside of the folder it is unpacked in."""
        path = PurePosixPath(self.name)
        return path.is_absolute() or ".." in path.parts

    @property
    def image_id(self) -> str | None:
        """The image whose label map it is by its place; None where it is none."""
        path = PurePosixPath(self.name)
        return path.stem if path.parent == FOLDER and path.suffix == ".png" else None


class _Unpacked(gzip.GzipFile):
    """The inside of an archive, of which nothing reads much at a time.

    An entry's name may be as long as its header says, and tarfile reads it at once.
    """

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes.

        Raises:
            ReadError: Somebody wants more than any entry may hold.
        """
        if size is None or not 0 <= size <= _MOST_BYTES:
            raise tarfile.ReadError("a header says that it is far too long")
        return super().read(size)


def read_submission(path: Path) -> Iterator[Entry]:
    """Read the entries of an archive one by one.

    Raises:
        WsssError: The file is missing, cut off or no such archive.
    """
    try:
        with (
            _Unpacked(path, "rb") as unpacked,
            tarfile.open(fileobj=unpacked, mode="r:") as archive,
        ):
            for member in archive:
                content = None
                if member.isreg() and member.size <= _MOST_BYTES:
                    file = archive.extractfile(member)
                    content = None if file is None else file.read()
                yield Entry(member.name, member.isdir(), content)
    except FileNotFoundError:
        raise WsssError(f"{path} does not exist; check the path") from None
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, zlib.error) as error:
        raise WsssError(
            f"{path} cannot be read as a .tar.gz ({error}); pack it again, or copy it again if it "
            "was cut off"
        ) from error
