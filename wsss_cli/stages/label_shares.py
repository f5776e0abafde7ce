"""Contents of label maps: the share of objects, and the classes that they never show."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli import ranks
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.loading import prefetch
from wsss_cli.data.mask_survey import ImageLabels
from wsss_cli.device import resolve_workers
from wsss_cli.labels import IGNORE

# Objects of less than a thousandth or of more than 95 % of the decided pixels are hardly what the
# photographs show.
HARDLY_ANY, NEARLY_ALL = 0.001, 0.95
# Classes that a warning names.
_NAMED = 12
_VALUES = IGNORE + 1


class LabelShares:
    """Counts the pixels of label maps by label; each rank those that it has."""

    def __init__(self) -> None:
        """Begin with no label map."""
        self._pixels = np.zeros(_VALUES, np.int64)
        self._labelled = np.zeros(_VALUES, np.int64)  # images that are said to have the class
        self._found = np.zeros(_VALUES, np.int64)  # of these, images whose label map shows it
        self._images = np.zeros(2, np.int64)  # with any class, and without any object of these
        self._decided = np.zeros(2, np.int64)  # pixels of images with any class, and of objects

    def add(self, pixels: npt.NDArray[np.int64], class_ids: Iterable[int]) -> None:
        """Count a label map.

        Args:
            pixels: (256,) of each label, as :func:`count_pixels` gives them.
            class_ids: Classes 1..C that the image is said to have; none where nobody says.
        """
        labelled = list(class_ids)
        self._pixels += pixels
        self._labelled[labelled] += 1
        self._found[labelled] += pixels[labelled] > 0
        if labelled:
            self._images += 1, not pixels[1:IGNORE].any()
            self._decided += pixels[:IGNORE].sum(), pixels[1:IGNORE].sum()

    def values(self, class_names: Sequence[str] | None) -> dict[str, Any]:
        """Sum up the label maps of all ranks, as JSON values.

        Args:
            class_names: Names of classes 1..C; None where nobody knows them.

        Returns:
            ``objects`` and ``ignored``, shares of all pixels; ``objects_by_class``, those of each
            class that is shown; ``labelled_images`` and how many of these are
            ``without_object``, and ``objects_where_labelled``, the share of objects among their
            decided pixels, None where there are none; ``never_shown``, by class the images that
            should show it and of which none does.
        """
        counts = np.concatenate(
            (self._pixels, self._labelled, self._found, self._images, self._decided)
        )
        summed = np.sum(ranks.gathered(counts), axis=0)
        pixels, labelled, predicted = summed[: 3 * _VALUES].reshape(3, _VALUES)
        images, without_object, decided, objects = summed[3 * _VALUES :].tolist()
        total = max(1, int(pixels.sum()))
        names = {
            label: class_names[label - 1]
            if class_names is not None and label <= len(class_names)
            else f"class {label}"
            for label in range(1, IGNORE)
        }
        return {
            "objects": float(pixels[1:IGNORE].sum() / total),
            "ignored": float(pixels[IGNORE] / total),
            "objects_by_class": {
                name: float(pixels[label] / total) for label, name in names.items() if pixels[label]
            },
            "labelled_images": images,
            "without_object": without_object,
            "objects_where_labelled": objects / decided if decided else None,
            "never_shown": {
                name: int(labelled[label])
                for label, name in names.items()
                if labelled[label] and not predicted[label]
            },
        }


def count_pixels(
    label_map: npt.NDArray[np.uint8], among: Iterable[int] | None = None
) -> npt.NDArray[np.int64]:
    """(256,) pixels of each label in an (H, W) label map.

    Args:
        label_map: (H, W) uint8.
        among: Classes that it may show beside background and 255, which makes counting cheap; None
            counts all.
    """
    if among is None:
        return np.bincount(label_map.ravel(), minlength=_VALUES)
    pixels = np.zeros(_VALUES, np.int64)
    for label in {0, IGNORE, *among}:
        pixels[label] = np.count_nonzero(label_map == label)
    return pixels


def shares_of_files(paths: Sequence[Path], labels: ImageLabels, workers: int | None) -> LabelShares:
    """Count written label maps; each rank reads its part.

    Args:
        paths: Paths of the N label maps.
        labels: Labels of their images, as far as they are known.
        workers: Threads that decode.
    """
    shares = LabelShares()
    numbers = ranks.mine(range(len(paths)))
    counted = prefetch(
        lambda number: count_pixels(read_label_map(paths[number])),
        numbers,
        resolve_workers(workers),
    )
    for number, pixels in zip(numbers, counted, strict=True):
        shares.add(pixels, (np.flatnonzero(labels.rows[number]) + 1).tolist())
    return shares


def warnings(values: dict[str, Any], name: str) -> list[str]:
    """Say what is odd about the label maps, a sentence each; none where nothing is.

    Images that are known to show no class say nothing about how well objects were found.

    Args:
        values: As :meth:`LabelShares.values` gives them.
        name: Their name, for the sentence.
    """
    decided = 1 - values["ignored"]
    share = values["objects_where_labelled"]
    of_these = "of the decided pixels of images that show a class"
    if share is None:
        share, of_these = values["objects"] / max(decided, 1e-9), "of the decided pixels"
    sentences = []
    if decided <= 0:
        sentences.append(f"all pixels of the {name} are ignored (255), so nothing is decided")
    elif share < HARDLY_ANY:
        how = "no" if share == 0 else "hardly any"
        sentences.append(f"the {name} show {how} object: {share:.2%} {of_these}")
    elif share > NEARLY_ALL:
        sentences.append(
            f"nearly everything in the {name} is object: {share:.1%} {of_these}, so "
            "there is hardly any background"
        )
    never = values["never_shown"]
    if never and share >= HARDLY_ANY:
        named = [
            f"{name} ({images:,} image{'' if images == 1 else 's'})"
            for name, images in list(never.items())[:_NAMED]
        ]
        more = f" and {len(never) - _NAMED} more" if len(never) > _NAMED else ""
        sentences.append(
            f"the {name} never show classes that the images are labelled with: "
            f"{', '.join(named)}{more}"
        )
    return sentences
