"""How many attention maps show nothing: classes that the network does not find."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli import ranks
from wsss_cli.artifacts.attention_file import AttentionFile, ImageAttention

# Maps are normalised by their own maximum, so one that shows anything reaches about 1. Below this
# the network's scores were so close to zero that nothing but the division is left.
EMPTY_BELOW = 0.01
# Classes that a warning names.
_NAMED = 12


class MapCount:
    """Counts maps, and those of them that are empty, by class; each rank those that it has."""

    def __init__(self, class_names: Sequence[str]) -> None:
        """Begin with no map.

        Args:
            class_names: Names of classes 1..C.
        """
        self._class_names = class_names
        self._counts = np.zeros((2, len(class_names)), np.int64)  # of maps, of empty maps

    def add(self, attention: ImageAttention) -> None:
        """Count the maps of an image."""
        columns = attention.class_ids.astype(np.int64) - 1
        self._counts[0, columns] += 1
        self._counts[1, columns[are_empty(attention.maps)]] += 1

    def add_shard(self, path: Path, image_ids: Sequence[str]) -> None:
        """Count the maps that an earlier command has written.

        Raises:
            WsssError: The shard cannot be read.
        """
        with AttentionFile(path, self._class_names) as file:
            for image_id in image_ids:
                self.add(file.read(image_id))

    def values(self) -> dict[str, Any]:
        """The counts of all ranks as JSON values; classes without an empty map are left out."""
        maps, empty = np.sum(ranks.gathered(self._counts), axis=0).tolist()
        return {
            "maps": sum(maps),
            "empty_maps": sum(empty),
            "empty_maps_by_class": {
                name: {"empty": without, "maps": number}
                for name, without, number in zip(self._class_names, empty, maps, strict=True)
                if without
            },
        }


def are_empty(maps: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Tell which of (K, h, w) attention maps show nothing."""
    if not len(maps):
        return np.zeros(0, np.bool_)
    if maps.dtype == np.float16:  # not negative, so as integers they are in the same order
        highest = maps.view(np.uint16).max(axis=(1, 2)).view(np.float16)
    else:
        highest = maps.max(axis=(1, 2))
    empty: npt.NDArray[np.bool_] = highest < EMPTY_BELOW
    return empty


def warnings(values: dict[str, Any]) -> list[str]:
    """A sentence that names the classes of the empty maps, if there are any.

    Args:
        values: As :meth:`MapCount.values` gives them.
    """
    if not values["empty_maps"]:
        return []
    by_class = values["empty_maps_by_class"]
    ordered = sorted(by_class, key=lambda name: -by_class[name]["empty"] / by_class[name]["maps"])
    named = [f"{n} {by_class[n]['empty']:,} of {by_class[n]['maps']:,}" for n in ordered[:_NAMED]]
    more = f" and {len(ordered) - _NAMED} more classes" if len(ordered) > _NAMED else ""
    return [
        f"{values['empty_maps']:,} of {values['maps']:,} maps are empty, as the network finds "
        f"nothing of the class in the image: {', '.join(named)}{more}; where there are many, train "
        "longer (--iterations of wsss train) before going on"
    ]
