"""Names of the labels where no data set is known: those that something given tells, or numbers."""

from collections.abc import Iterator, Sequence
from os.path import realpath
from pathlib import Path

import numpy as np

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.data import voc
from wsss_cli.data.loading import prefetch
from wsss_cli.device import resolve_workers
from wsss_cli.labels import IGNORE
from wsss_cli.stages.label_map_check import recorded_classes, require_recorded_classes
from wsss_cli.tracking import Track


def names_without_data_set(
    config: EvaluateConfig,
    source: Path,
    truth: Sequence[Path],
    rival: Path | None,
    track: Track,
) -> tuple[str, ...]:
    """Find out how the classes are called, and say so.

    Args:
        config: What is scored, and who decodes.
        source: What is scored: a folder, or an attention file.
        truth: The true mask of each image.
        rival: What it is compared with, of the same kind.
        track: Told whose names they are.

    Returns:
        Names of classes 1..C: those that an attention file or the run of a folder recorded, or
        those of the VOC tree that the true masks lie in; else ``class 1`` to the largest label.

    Raises:
        WsssError: Two folders are known to be of different classes, or a label map is broken.
    """
    gt = truth[0].parent
    places = {"--pred": source, "--gt": gt, "--against": rival}
    given = {option: path for option, path in places.items() if path is not None}
    for place, names in _known(given):
        for option, path in given.items():
            if path.is_dir():
                require_recorded_classes(path, option, names, place)
        track.note(
            f"no data set is known, so classes are named as those of {place}; pass --data DIR for "
            "others"
        )
        return names
    largest = max(
        prefetch(
            _largest_label,
            [path / mask.name for path in given.values() if path.is_dir() for mask in truth],
            resolve_workers(config.workers),
        )
    )
    for path in given.values():
        if not path.is_dir():
            largest = max(largest, _largest_class(path))
    track.note(
        "no data set is known, and nothing given tells the names of classes, so their labels are "
        "numbered; pass --data DIR for names"
    )
    return tuple(f"class {label}" for label in range(1, max(1, largest) + 1))


def _known(given: dict[str, Path]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Places that tell names of classes, and these."""
    for path in given.values():
        if path.is_dir():
            names = recorded_classes(path)
        else:
            with AttentionFile(path) as file:
                names = tuple(file.class_names or ())
        if names:
            yield path, names
    masks = Path(realpath(given["--gt"]))
    tree = voc.find(masks.parent) if masks.name in (voc.VOC_MASKS, voc.VOC_AND_SBD_MASKS) else None
    if tree is not None:
        yield tree.root, tree.class_names


def _largest_label(path: Path) -> int:
    label_map = read_label_map(path)
    return int(np.where(label_map == IGNORE, 0, label_map).max(initial=0))


def _largest_class(attention: Path) -> int:
    """The largest class that a map is of in a file."""
    with AttentionFile(attention) as file:
        return max(int(file.outline(i).class_ids.max(initial=0)) for i in file.image_ids)
