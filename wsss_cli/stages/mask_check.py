"""Faults of the true masks of a data set as a whole."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.command_line import command_line
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.label_folder import other_files
from wsss_cli.data.mask_survey import ImageLabels, MaskSurvey
from wsss_cli.errors import listing


def white_in_data_set(data_set: DataSet) -> str:
    """Advise what to do where 255 in the data set's masks should be an object, for messages."""
    convert = command_line("data convert", data_set.root, "OUT", binary=True)
    return (
        f"if 255 is the object, `{convert}` makes a data set in whose masks it is the class that "
        "the image's labels name"
    )


def white_in_folder(folder: Path) -> str:
    """Advise what to do where 255 in a folder of label maps should be an object, for messages."""
    convert = command_line("data masks", folder, "OUT", white=1)
    return f"if 255 is the object, `{convert}` writes label maps in which it is class 1"


def survey_masks(
    data_set: DataSet,
    classes_shown: Mapping[str, npt.NDArray[np.bool_]],
    names: Mapping[str, Collection[str]],
) -> MaskSurvey:
    """Put what the masks show beside the labels.

    Args:
        data_set: Data set with the masks.
        classes_shown: Labels of each image's mask, as
            :func:`~wsss_cli.data.mask_survey.shown_labels` has them.
        names: Classes of each image whose labels are known.
    """
    rows = [
        [name in names.get(image_id, ()) for name in data_set.class_names]
        for image_id in classes_shown
    ]
    has_labels = np.array([image_id in names for image_id in classes_shown], np.bool_)
    labels = np.array(rows, np.bool_).reshape(len(classes_shown), len(data_set.class_names))
    return MaskSurvey.of(data_set.class_names, classes_shown, ImageLabels(labels, has_labels))


def mask_problem(data_set: DataSet, survey: MaskSurvey) -> str | None:
    """Why the masks cannot be meant as they are: no command would score or learn by them.

    Args:
        data_set: Data set with the masks.
        survey: Contents of the masks.
    """
    where = data_set.root if data_set.masks is None else data_set.masks
    held = survey.without_class()
    if held is not None and data_set.masks is not None:
        way_out = (
            white_in_data_set(data_set) if survey.is_binary else "draw them with the classes 1..C"
        )
        return (
            f"{where}: the masks of all {len(survey.image_ids)} images that have a readable one "
            f"hold {held}, and no class; {way_out}"
        )
    contradiction = survey.contradiction()
    return None if contradiction is None else f"{where}: {contradiction}"


def mask_warnings(survey: MaskSurvey) -> Iterator[str]:
    """Say what is odd about the masks, where they can be meant: one sentence for most of them."""
    doubt = survey.doubt()
    if doubt is not None:
        yield doubt
    else:
        for image_id, names in survey.beyond_labels():
            yield f"the mask of {image_id} shows {', '.join(names)}, its labels do not name it"
    empty = survey.empty()
    if empty:
        yield (
            f"the masks of {len(empty):,} images show no class, only 0 or 255, though their labels "
            f"name some: {listing(empty)}"
        )
    never = survey.never_shown()
    if never:
        yield f"no mask shows {listing(never)}, though the labels name it there"


def unused_masks(data_set: DataSet, image_ids: Sequence[str]) -> Iterator[str]:
    """Files among the masks that belong to no image, or are not named ``ID.png``.

    Args:
        data_set: Data set with the folder of masks.
        image_ids: Ids of all images in its lists.
    """
    folder = data_set.masks
    if folder is None or not folder.is_dir():
        return
    image_names = {path.stem for path in data_set.pictures()} | set(image_ids)
    bare = [i for i in image_ids if not (folder / f"{i}.png").exists()]
    others = other_files(folder, bare) if bare else ""
    if others:
        yield f"{len(bare)} images have no mask ID.png in {folder}{others}"
    strangers = sorted(
        path.name
        for path in folder.glob("*.png")
        if path.stem not in image_names and not path.name.startswith(".")
    )
    if strangers:
        yield (
            f"{len(strangers)} files of {folder} are named after no image, so nothing uses them: "
            f"{listing(strangers)}"
        )
