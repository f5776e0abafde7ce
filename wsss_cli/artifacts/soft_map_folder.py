"""Soft maps of other tools: a folder with one numpy array for each image.

``ID.npy``, or ``ID.npz`` with one array in it: (L, h, w) floats, a map for each label, background
first. Whether they are probabilities or logits is said by whoever gives the folder, and checked:
one taken for the other would be refined without complaint, to something else.
"""

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.fingerprint import files_fingerprint
from wsss_cli.artifacts.score_file import NOT_FINITE, is_finite
from wsss_cli.errors import UsageError, WsssError, first_line, listing

SUFFIXES = (".npy", ".npz")
# By how much the probabilities of a pixel may miss 1: 21 that were rounded to 8 bits miss it by up
# to 0.042, rounded to float16 by far less.
TOLERANCE = 0.05
# Of an array whose values are looked at, where only a look is wanted.
MOST_BYTES = 2**28
# A zip of a few megabytes may inflate to any size.
_MOST_INFLATED = 2**30


class SoftMapFolder:
    """Read access to a folder of soft maps.

    Attributes:
        path: The folder.
        image_ids: Ids of all files, sorted.
        logits: Whether the maps are logits.
    """

    def __init__(self, path: Path, num_labels: int, *, logits: bool) -> None:
        """List the folder.

        Args:
            path: The folder.
            num_labels: Labels including background, of which every image must have a map.
            logits: The maps are logits, not probabilities.

        Raises:
            UsageError: There is no array in it.
            WsssError: An image has two.
        """
        self.path = path
        self._num_labels = num_labels
        self.logits = logits
        self._files = array_files(path)
        self.image_ids = list(self._files)

    def fingerprint(self) -> str:
        """Fingerprint of all names and contents."""
        return files_fingerprint(self._files.values())

    def read(self, image_id: str) -> npt.NDArray[np.float32]:
        """Read one image.

        Returns:
            (L, h, w) float32: probabilities that sum to about 1 at each pixel; or logits, where a
            label that the image cannot have is minus infinity everywhere.

        Raises:
            WsssError: The file is broken or holds something else; nothing is ever unpickled.
        """
        path = self._files[image_id]
        try:
            maps = _only_array(path)
        except Exception as error:  # numpy raises whatever its parsers meet
            raise _no_plain_array(path, error) from error
        if maps is None:
            raise _several(path)
        if maps.ndim != 3 or maps.shape[0] != self._num_labels or 0 in maps.shape:
            raise WsssError(
                f"{path} has the shape {maps.shape}; it should be ({self._num_labels}, h, w), a "
                "map for the background and one for each class of the data set"
            )
        if not np.issubdtype(maps.dtype, np.floating):
            raise WsssError(f"{path} has values of type {maps.dtype}; they should be floats")
        with np.errstate(over="ignore"):  # the infinity that it becomes is refused
            return self._checked(path, maps.astype(np.float32))

    def _checked(self, path: Path, maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if not is_finite(maps):
            raise WsssError(f"{path} has values that {NOT_FINITE}")
        missed = float(abs(maps.sum(axis=0) - 1).max())
        probable = _is_probable(maps)
        if self.logits and probable:
            raise WsssError(
                f"{path} holds probabilities, in [0, 1] and with a sum of 1; leave --logits out"
            )
        if not self.logits and not probable:
            raise WsssError(
                f"{path} holds no probabilities: values from {float(maps.min()):g} to "
                f"{float(maps.max()):g}, sums that miss 1 by {missed:g}; pass --logits if they are "
                "logits, else normalise them"
            )
        return maps


@dataclass(frozen=True)
class SoftMapLook:
    """Facts about an array on disk; the values are None where there are too many to look at.

    Attributes:
        shape: Shape of the array.
        dtype: Its type.
        low: Least finite value.
        high: Largest finite value.
        probable: Whether they are probabilities of labels, the first axis.
    """

    shape: tuple[int, ...]
    dtype: str
    low: float | None = None
    high: float | None = None
    probable: bool | None = None


def look(path: Path) -> SoftMapLook:
    """Look at one file.

    Raises:
        WsssError: It is not a plain array, or holds several.
    """
    try:
        if path.suffix == ".npz" and _unpacked_size(path) > MOST_BYTES:
            raise WsssError(
                f"{path} unpacks to more than {MOST_BYTES:,} bytes, too many to look at"
            )
        maps = _only_array(path, mapped=True)
    except WsssError:
        raise
    except Exception as error:  # as in read
        raise _no_plain_array(path, error) from error
    if maps is None:
        raise _several(path)
    description = SoftMapLook(tuple(maps.shape), str(maps.dtype))
    if maps.nbytes > MOST_BYTES or not maps.size or not np.issubdtype(maps.dtype, np.number):
        return description
    values = np.asarray(maps, np.float32)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return description
    low, high = float(finite.min()), float(finite.max())
    return replace(
        description, low=low, high=high, probable=values.ndim == 3 and _is_probable(values)
    )


def array_files(folder: Path) -> dict[str, Path]:
    """The files of a folder of soft maps by image id, sorted.

    Raises:
        UsageError: There is no array in it.
        WsssError: An image has two.
    """
    files = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and p.name[0] != ".")
    if not files:
        others = sorted(p.name for p in folder.iterdir() if p.name[0] != ".")
        there = f" (it holds {listing(others, most=3)})" if others else ""
        raise UsageError(
            f"{folder} holds neither ID.npy nor ID.npz; give the folder with them{there}"
        )
    by_id = {file.stem: file for file in files}
    twice = [file.stem for file in files if by_id[file.stem] != file]
    if twice:
        raise WsssError(f"{folder} holds ID.npy and ID.npz of {listing(twice)}; remove one")
    return by_id


def _is_probable(maps: npt.NDArray[np.float32]) -> bool:
    """Whether (L, h, w) values are in [0, 1] and sum to about 1 at each pixel."""
    missed = float(abs(maps.sum(axis=0) - 1).max())
    return float(maps.min()) >= 0 and missed <= TOLERANCE


def _no_plain_array(path: Path, error: Exception) -> WsssError:
    reason = first_line(error)[:200]
    return WsssError(
        f"{path} is no plain numpy array ({reason}); write one with numpy.save, since "
        "pickled objects are never opened"
    )


def _several(path: Path) -> WsssError:
    return WsssError(f"{path} must hold one array; save the (L, h, w) maps alone")


def _unpacked_size(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _only_array(path: Path, *, mapped: bool = False) -> npt.NDArray[np.generic] | None:
    """The array of the file, left on the disk if ``mapped``; None if there is another number."""
    if path.suffix == ".npz" and _unpacked_size(path) > _MOST_INFLATED:
        raise ValueError(f"it inflates to more than {_MOST_INFLATED} bytes")
    content = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return content
    with content:
        return content[content.files[0]] if len(content.files) == 1 else None
