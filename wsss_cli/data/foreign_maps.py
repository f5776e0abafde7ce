"""Folders of other tools' class maps: recognised by their content, read as they number classes.

Every tool writes maps of some classes of an image, in a dictionary of numpy arrays, a plain array
or pictures. The numbers of the classes come as the tool counts: from 0, or from 1 with 0 for the
background; which of the two, only the image labels can tell.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.foreign_pickle import Array, read_foreign_array
from wsss_cli.artifacts.image_size import is_holdable
from wsss_cli.configs.map_import import KINDS
from wsss_cli.data.images import read_saliency
from wsss_cli.data.label_folder import other_files, require_folder
from wsss_cli.errors import UsageError, WsssError, listing

OAA = "oaa"
# Kinds that have a map for every class there is, whether the image shows it or not.
DENSE = frozenset({"toco", "drs"})
# The kind whose maps are squares, whatever the shape of the image.
SQUARE = frozenset({"drs"})

# By how much a map may leave 0..1 by rounding.
_ROUNDING = 1e-3
_OF_CLASS = re.compile(r"(?P<id>.+)_(?P<number>\d{1,3})")

Maps = npt.NDArray[np.float32]
Content = Array | dict[str | int, Array]


@dataclass(frozen=True)
class NumberedMaps:
    """The maps of one image as its tool wrote them.

    Attributes:
        numbers: Number of each map's class as the tool counts.
        maps: (n, h, w) float32 in [0, 1].
    """

    numbers: tuple[int, ...]
    maps: Maps


class ForeignMapFolder:
    """Read access to a folder of another tool's maps.

    Attributes:
        path: The folder.
        kind: Kind of the files, of :data:`KINDS`.
        image_ids: Ids of all images with maps, sorted.
        unused: Names of files that are no maps of this kind.
    """

    def __init__(self, path: Path, kind: str | None = None) -> None:
        """List the folder.

        Args:
            path: The folder.
            kind: Kind of its files; None recognises them.

        Raises:
            UsageError: There is nothing of that kind, or of any.
            WsssError: The files are of no kind that is known.
        """
        require_folder(path, "MAPS")
        self.path = path
        arrays = {p.stem: p for p in _files(path, ".npy")}
        pictures = [p for p in _files(path, ".png") if _OF_CLASS.fullmatch(p.stem)]
        self.kind = kind or (OAA if pictures and not arrays else _recognised(arrays.values()))
        self._arrays = {} if self.kind == OAA else arrays
        self._pictures: dict[str, dict[int, Path]] = {}
        if self.kind == OAA:
            for picture in pictures:
                match = _OF_CLASS.fullmatch(picture.stem)
                assert match is not None
                self._pictures.setdefault(match["id"], {})[int(match["number"])] = picture
        self.image_ids = sorted(self._arrays or self._pictures)
        if not self.image_ids:
            expected = "ID_c.png of any class c" if self.kind == OAA else "ID.npy"
            raise UsageError(
                f"MAPS {path} holds no maps to import, {expected}{other_files(path)}; give the "
                "folder that the tool wrote them into"
            )
        used = {p.name for p in (pictures if self.kind == OAA else self._arrays.values())}
        self.unused = sorted(
            p.name for p in path.iterdir() if p.name not in used and p.name[0] != "."
        )

    def read(self, image_id: str) -> NumberedMaps:
        """Read one image.

        Raises:
            WsssError: The file is broken, of another kind, or its values are no maps.
        """
        if self.kind == OAA:
            return self._read_pictures(image_id)
        path = self._arrays[image_id]
        content = read_foreign_array(path)
        try:
            numbers, maps = _READERS[self.kind](content)
            if len(set(numbers)) != len(maps) or len(numbers) != len(maps):
                raise ValueError(f"it numbers the classes {list(numbers)} of {len(maps)} maps")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise WsssError(
                f"{path} is no file of the kind {self.kind} ({KINDS[self.kind]}): {reason[:200]}; "
                "remove it, or name the kind of all files with --as"
            ) from None
        return NumberedMaps(numbers, _in_range(path, maps))

    def _read_pictures(self, image_id: str) -> NumberedMaps:
        paths = self._pictures[image_id]
        numbers = tuple(sorted(paths))
        greys = [read_saliency(paths[number], grey_only=True) for number in numbers]
        if len({grey.shape for grey in greys}) > 1:
            raise WsssError(f"{paths[numbers[0]]} and other maps of its image differ in size")
        return NumberedMaps(numbers, (np.stack(greys) / 255).astype(np.float32))


def _files(folder: Path, suffix: str) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix == suffix and p.name[0] != ".")


def _recognised(paths: Any) -> str:  # noqa: ANN401 - the values of a dictionary
    """The kind of the first file that says something; ``psa`` where all are empty.

    Raises:
        WsssError: It is of no kind that is known.
    """
    for path in paths:
        content = read_foreign_array(path)
        if isinstance(content, np.ndarray):
            return "drs"
        kind = next((k for k, names in _SIGNATURES.items() if names & content.keys()), None)
        if kind is not None:
            return kind
        if content and not all(isinstance(key, int) for key in content):
            keys = [str(key) for key in content]
            raise WsssError(
                f"{path} holds {listing(keys)}, and no tool is known by that; save each image's "
                "maps as a dictionary {class number from 0: (H, W) array} with numpy.save"
            )
        if content:
            break
    return "psa"


def _keyed(name: str, content: Content) -> tuple[tuple[int, ...], Array]:
    """Maps (n, h, w) under a name, beside the numbers of their classes under ``keys``."""
    if not isinstance(content, dict):
        raise TypeError("it is a plain array")
    keys, maps = content["keys"], content[name]
    if keys.ndim != 1 or (keys.size and keys.dtype.kind not in "iu"):
        raise ValueError(f"keys are {keys.shape} of {keys.dtype}, not the numbers of classes")
    numbers = tuple(keys.tolist())
    # Some name the background first and have no map of it.
    if numbers[:1] == (0,) and len(numbers) == len(maps) + 1:
        numbers = numbers[1:]
    return numbers, maps


def _puzzlecam(content: Content) -> tuple[tuple[int, ...], Array]:
    walked = isinstance(content, dict) and "rw" in content
    return _keyed("rw" if walked else "hr_cam", content)


def _numbered(content: Content) -> tuple[tuple[int, ...], Array]:
    """Maps by the numbers of their classes."""
    if not isinstance(content, dict):
        raise TypeError("it is a plain array")
    numbers = tuple(key for key in content if isinstance(key, int))
    if len(numbers) < len(content):
        raise TypeError("not all keys are numbers of classes")
    if not numbers:
        return (), np.zeros((0, 1, 1), np.float32)
    shapes = {content[number].shape for number in numbers}
    if len(shapes) > 1:
        raise ValueError(f"its maps differ in size: {sorted(map(str, shapes))}")
    if not is_holdable((len(numbers), *shapes.pop()), 8):
        raise ValueError("its maps are too large for an image")
    return numbers, np.stack([content[number] for number in numbers])


def _logits(content: Content) -> tuple[tuple[int, ...], Array]:
    """Logits of all labels as probabilities; those of several scales before those of one."""
    if not isinstance(content, dict):
        raise TypeError("it is a plain array")
    logits = content[next((n for n in ("msc_seg", "msc_segs") if n in content), "segs")]
    if logits.ndim == 4 and logits.shape[0] == 1:
        logits = logits[0]
    if logits.ndim != 3 or logits.dtype.kind != "f" or not np.isfinite(logits).all():
        raise ValueError(f"logits are {logits.shape} of {logits.dtype}, or not finite")
    powers = np.exp(logits.astype(np.float32) - logits.max(axis=0, keepdims=True))
    return tuple(range(len(logits))), powers / powers.sum(axis=0, keepdims=True)


def _bytes(content: Content) -> tuple[tuple[int, ...], Array]:
    """Maps of 0..255 for every class."""
    if isinstance(content, dict) or content.dtype != np.uint8 or content.ndim != 3:
        raise TypeError("it is no plain array of bytes with three axes")
    return tuple(range(len(content))), content.astype(np.float32) / 255


_Reader = Callable[[Content], tuple[tuple[int, ...], Array]]
_READERS: Mapping[str, _Reader] = {
    "irn": partial(_keyed, "high_res"),
    "puzzlecam": _puzzlecam,
    "sipe": partial(_keyed, "IS_CAM"),
    "psa": _numbered,
    "clip-es": partial(_keyed, "attn_highres"),
    "weaktr": partial(_keyed, "prob"),
    "toco": _logits,
    "drs": _bytes,
}
# The names in a dictionary that only this kind has.
_SIGNATURES: Mapping[str, set[str]] = {
    "irn": {"high_res"},
    "puzzlecam": {"hr_cam", "rw"},
    "sipe": {"IS_CAM"},
    "clip-es": {"attn_highres"},
    "weaktr": {"prob"},
    "toco": {"msc_seg", "msc_segs", "segs"},
}


def _in_range(path: Path, maps: Array) -> Maps:
    """Maps as floats in 0..1.

    Raises:
        WsssError: They are something else.
    """
    if maps.ndim != 3 or 0 in maps.shape[1:] or maps.dtype.kind != "f":
        raise WsssError(
            f"{path} has maps {maps.shape} of {maps.dtype}; they should be (K, H, W) floats"
        )
    if not maps.size:
        return np.zeros(maps.shape, np.float32)
    with np.errstate(over="ignore"):  # the infinity that it becomes is refused
        single = maps.astype(np.float32)
    low, high = float(single.min()), float(single.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise WsssError(
            f"{path} has maps from {low:g} to {high:g}; they should be in 0..1: divide each by its "
            "largest value"
        )
    return single.clip(0, 1)
