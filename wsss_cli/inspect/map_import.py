"""``wsss import``: an attention file made of another tool's maps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wsss_cli.artifacts.atomic import require_free
from wsss_cli.artifacts.attention_file import ImageAttention, write_attention_file
from wsss_cli.artifacts.stage_directory import MANIFEST
from wsss_cli.configs.attend import GIVEN
from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.map_import import ImportConfig
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.foreign_maps import DENSE, SQUARE, ForeignMapFolder, NumberedMaps
from wsss_cli.data.map_sizes import require_size
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.stages.image_loop import each_image
from wsss_cli.stages.inputs import find_data
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track

# What is added to a number of the tool to make it a class 1..C, and how that is said.
_FROM_ZERO, _BEHIND_BACKGROUND = 1, 0


@dataclass(frozen=True)
class _Image:
    """An image of the list.

    Attributes:
        size: (H, W).
        class_ids: Classes 1..C of its labels.
    """

    size: tuple[int, int]
    class_ids: frozenset[int]


def run(config: ImportConfig, *, track: Track) -> Report:
    """Write the attention file; every map is read and checked before the first is written.

    Raises:
        UsageError: The file is there already, its folder is a stage's, or there is nothing to
            import.
        WsssError: A map is broken or of another size, an image of the list has none, or most maps
            are not of the classes of the image labels.
    """
    require_free(config.out, "--out", overwrite=config.overwrite)
    if (config.out.absolute().parent / MANIFEST).exists():
        raise UsageError(
            f"--out {config.out} is in the folder of a stage, which keeps its own result there; "
            "name a file elsewhere and pass it as --attention"
        )
    data_set = find_data(CommonConfig(data=config.data, run=config.run))
    folder = ForeignMapFolder(config.maps, config.as_)
    split = config.split or data_set.training_split()
    images = _images(data_set, data_set.image_ids(split), track.note)
    image_ids = [image_id for image_id in folder.image_ids if image_id in images]
    warnings = _left_out(folder, image_ids, split, data_set)
    lacking = [i for i, image in images.items() if image.class_ids and i not in set(image_ids)]
    if lacking:
        raise WsssError(
            f"MAPS {config.maps} lacks maps of {len(lacking)} of the {len(images)} images of "
            f"{split}: {listing(lacking)}; make them too, or choose another list with --split"
        )

    def look(image_id: str) -> tuple[str, tuple[int, ...]]:
        maps = folder.read(image_id)
        _require_size(folder, image_id, maps, images[image_id].size)
        return image_id, maps.numbers

    numbers = dict(each_image(image_ids, look, track, "reading maps", config.workers))
    shift, numbering, misfits = _numbering(folder, numbers, images, data_set.class_names)
    warnings += misfits

    def convert(image_id: str) -> tuple[str, ImageAttention]:
        if image_id not in numbers:
            size = images[image_id].size
            return image_id, ImageAttention(
                np.zeros((0, *size), np.float16), np.zeros(0, np.uint8), size
            )
        return image_id, _attention(folder, folder.read(image_id), images[image_id], shift)

    count = 0
    with write_attention_file(config.out, data_set.class_names, GIVEN) as write:
        converted = each_image(list(images), convert, track, "importing", config.workers)
        for image_id, attention in converted:
            write(image_id, attention)
            count += len(attention.class_ids)
    values = {
        "attention": str(config.out),
        "kind": folder.kind,
        "numbering": numbering,
        "split": split,
        "images": len(images),
        "maps": count,
        "negatives": sum(not image.class_ids for image in images.values()),
        "warnings": warnings,
    }
    return Report("import", None, False, values)


def _images(
    data_set: DataSet, image_ids: Sequence[str], note: Callable[[str], None]
) -> dict[str, _Image]:
    """The images of a list by their ids."""
    labels = data_set.labels(image_ids)
    sizes = image_sizes(data_set, image_ids, note)
    return {
        image_id: _Image(size, frozenset((np.flatnonzero(row) + 1).tolist()))
        for image_id, size, row in zip(image_ids, sizes, labels, strict=True)
    }


def _left_out(
    folder: ForeignMapFolder, image_ids: Sequence[str], split: str, data_set: DataSet
) -> list[str]:
    """Sentences on files that are not imported.

    Raises:
        UsageError: None is.
    """
    used = set(image_ids)
    strangers = [image_id for image_id in folder.image_ids if image_id not in used]
    if not image_ids:
        raise UsageError(
            f"MAPS {folder.path} holds maps of {listing(strangers, most=3)}, none of which is an "
            f"image of {split} of {data_set.root}; choose the list with --split "
            f"({', '.join(data_set.splits())}), or name the files after the images"
        )
    warnings = []
    if strangers:
        warnings.append(
            f"maps of {len(strangers)} images that are not in {split} are left out: "
            f"{listing(strangers)}"
        )
    if folder.unused:
        warnings.append(
            f"{len(folder.unused)} files of {folder.path} are no maps of the kind {folder.kind} "
            f"and are left out: {listing(folder.unused)}"
        )
    return warnings


def _require_size(
    folder: ForeignMapFolder, image_id: str, maps: NumberedMaps, size: tuple[int, int]
) -> None:
    """Refuse maps of another size than their image; those that are squares are resized."""
    if len(maps.maps) and folder.kind not in SQUARE:
        require_size(
            f"{folder.path}: the map of {image_id}", maps.maps.shape[1:], size, beside="its image"
        )


def _numbering(
    folder: ForeignMapFolder,
    numbers: Mapping[str, tuple[int, ...]],
    images: Mapping[str, _Image],
    class_names: Sequence[str],
) -> tuple[int, str, list[str]]:
    """Decide by the image labels how the tool counts its classes.

    Returns:
        What is to be added to its numbers; a sentence on it; and sentences on the few images whose
        maps are not of the classes of their labels.

    Raises:
        WsssError: Most maps do not fit the labels, or one is of a class that there is not.
    """
    if folder.kind in DENSE:
        return *_dense_numbering(folder, numbers, class_names), []
    misfits_by_shift = {
        shift: [
            i for i, of_image in numbers.items() if _ids(of_image, shift) != images[i].class_ids
        ]
        for shift in (_FROM_ZERO, _BEHIND_BACKGROUND)
    }
    shift = min(misfits_by_shift, key=lambda shift: len(misfits_by_shift[shift]))
    misfits = misfits_by_shift[shift]
    if 2 * len(misfits) > len(numbers):
        raise WsssError(
            f"MAPS {folder.path}: whether classes are counted from 0 or behind the background, the "
            f"maps of {len(misfits)} of {len(numbers)} images are not of the classes of their "
            f"labels ({misfits[0]} has maps numbered {list(numbers[misfits[0]])} and the labels "
            f"{_names(images[misfits[0]].class_ids, class_names)}); give the data set that the "
            "tool used, with its classes in the same order"
        )
    said = _said(shift, class_names)
    beyond, without = [], []
    for image_id in misfits:
        there, labels = _ids(numbers[image_id], shift), images[image_id].class_ids
        if there - labels:
            beyond.append(f"{image_id} ({_names(there - labels, class_names)})")
        if labels - there:
            without.append(f"{image_id} ({_names(labels - there, class_names)})")
        if not there <= set(range(1, len(class_names) + 1)):
            raise WsssError(
                f"MAPS {folder.path}: {said}, so {image_id} has a map of "
                f"{_names(there - labels, class_names)}, and the data set has {len(class_names)} "
                "classes; remove that map, or give the data set that the tool used"
            )
    warnings = []
    if beyond:
        warnings.append(
            f"{len(beyond)} images have maps of classes that their labels do not name, imported "
            f"all the same: {listing(beyond)}"
        )
    if without:
        warnings.append(
            f"{len(without)} images have no map of a class that their labels name: "
            f"{listing(without)}"
        )
    fitting = len(numbers) - len(misfits)
    count = f"all {fitting}" if not misfits else f"{fitting} of {len(numbers)}"
    return shift, f"{said}, which fits the labels of {count} images", warnings


def _dense_numbering(
    folder: ForeignMapFolder, numbers: Mapping[str, tuple[int, ...]], class_names: Sequence[str]
) -> tuple[int, str]:
    """The numbering of files that have a map for every class, by how many there are.

    Raises:
        WsssError: There are as many for no numbering, or not the same number for all images.
    """
    shifts = {len(class_names): _FROM_ZERO, len(class_names) + 1: _BEHIND_BACKGROUND}
    counts = {len(of_image): image_id for image_id, of_image in numbers.items()}
    odd = next((count for count in counts if count not in shifts), None)
    if odd is not None or len(counts) > 1:
        count = max(counts) if odd is None else odd
        raise WsssError(
            f"MAPS {folder.path} has {count} maps of {counts[count]}, and the data set has "
            f"{len(class_names)} classes, so it should be {len(class_names)} maps, or one more for "
            "the background, the same for all images; give the data set that the tool used"
        )
    shift = shifts[next(iter(counts))]
    said = f"{_said(shift, class_names)}, as many as the data set has"
    return shift, f"{said}; those of the image labels are kept"


def _said(shift: int, class_names: Sequence[str]) -> str:
    if shift == _FROM_ZERO:
        return f"classes are counted from 0 (0 is {class_names[0]})"
    return f"classes are counted from 1 (1 is {class_names[0]}), 0 is the background"


def _ids(numbers: Iterable[int], shift: int) -> frozenset[int]:
    """Classes 1..C of the tool's numbers; the background is none."""
    return frozenset(number + shift for number in numbers if number + shift != 0)


def _names(class_ids: Iterable[int], class_names: Sequence[str]) -> str:
    """Names of classes for people; the number of one that there is not."""
    known = range(1, len(class_names) + 1)
    names = [class_names[i - 1] if i in known else f"class {i}" for i in sorted(class_ids)]
    return ", ".join(names) or "none"


def _attention(
    folder: ForeignMapFolder, numbered: NumberedMaps, image: _Image, shift: int
) -> ImageAttention:
    """The maps of the image's classes, in the order of the classes' numbers."""
    rows = {number + shift: row for row, number in enumerate(numbered.numbers)}
    class_ids = sorted(image.class_ids if folder.kind in DENSE else rows.keys() - {0})
    maps = numbered.maps[[rows[class_id] for class_id in class_ids]]
    if not class_ids:  # a dictionary without maps does not tell their size
        maps = np.zeros((0, *image.size), np.float32)
    if folder.kind in SQUARE:
        maps = enlarge_maps(maps, image.size)
    return ImageAttention(maps.astype(np.float16), np.array(class_ids, np.uint8), image.size)
