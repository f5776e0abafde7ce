"""One image on the page: the photograph, its truth, and what every run makes of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from wsss_cli.artifacts.thumbnail import Thumbnail, thumbnail
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Pixels
from wsss_cli.errors import WsssError
from wsss_cli.inspect.report.image_selection import Gallery
from wsss_cli.inspect.report.numbers import Evaluations, Number
from wsss_cli.inspect.report.pictures import RunPictures, label_thumbnail


@dataclass(frozen=True)
class Column:
    """One run's pictures of the image, by kind, its score and that of the gallery's class."""

    run: str
    pictures: Mapping[str, Thumbnail]
    score: Number | None
    of_class: Number | None


@dataclass(frozen=True)
class Figure:
    """One image.

    Attributes:
        image_id: Its id.
        why: Why it is in the gallery.
        anchor: Its place on the page, where its pictures are.
        here: Whether that is this very place; else there is only a link.
        classes: Ids of the classes it truly has, as far as known.
        looked_for: The class whose attention is shown.
        image: The photograph.
        truth: Its mask, where it is known.
        columns: Columns of each run.
        problem: What could not be read.
    """

    image_id: str
    why: str
    anchor: str
    here: bool
    classes: Sequence[int]
    looked_for: str = ""
    image: Thumbnail | None = None
    truth: Thumbnail | None = None
    columns: Sequence[Column] = field(default_factory=list)
    problem: str = ""


def figures(
    gallery: Gallery, pictures: Sequence[RunPictures], shown: dict[str, str]
) -> Iterator[Figure]:
    """The images of a gallery, one at a time.

    Args:
        gallery: Which images.
        pictures: Pictures of every run; the first one's data set has the photographs.
        shown: Anchors of images that the page has already; filled.
    """
    data_set = pictures[0].record.data_set
    assert data_set is not None
    numbers = Evaluations([run_pictures.record for run_pictures in pictures])
    for image_id, why in gallery.image_ids.items():
        true_mask = shown.get(image_id)
        anchor = shown.setdefault(image_id, f"image-{len(shown) + 1}")
        try:
            truth = data_set.true_label_map(image_id)
            classes = _classes(data_set, image_id, truth)
            if true_mask is not None:
                yield Figure(image_id, why, anchor, False, classes)
                continue
            image = data_set.read_image(image_id)
            class_id = gallery.class_id or _largest(classes, truth)
            scored = [(run, gallery.what, "per_image", image_id) for run in range(len(pictures))]
            name = data_set.class_names[gallery.class_id - 1] if gallery.class_id else ""
            columns = [
                Column(
                    run_pictures.record.name,
                    run_pictures.of(image_id, image, class_id),
                    numbers.number(*place, "miou"),
                    numbers.number(*place, "iou", name),
                )
                for run_pictures, place in zip(pictures, scored, strict=True)
            ]
        except WsssError as error:
            yield Figure(image_id, why, anchor, true_mask is None, [], problem=str(error))
            continue
        yield Figure(
            image_id,
            why,
            anchor,
            True,
            classes,
            data_set.class_names[class_id - 1] if class_id else "",
            thumbnail(image),
            None if truth is None else label_thumbnail(truth),
            columns,
        )


def _classes(data_set: DataSet, image_id: str, truth: Pixels | None) -> list[int]:
    """Classes of the true mask, else of the image-level labels; empty where neither is known."""
    if truth is not None:
        return [int(i) for i in np.unique(truth) if 0 < i <= len(data_set.class_names)]
    try:
        return [int(i) + 1 for i in data_set.labels([image_id])[0].nonzero()[0]]
    except WsssError:
        return []


def _largest(classes: Sequence[int], truth: Pixels | None) -> int | None:
    """The class with the most pixels, else the first."""
    if not classes:
        return None
    return classes[0] if truth is None else max(classes, key=lambda i: int((truth == i).sum()))
