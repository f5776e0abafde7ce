"""Checks that label maps fit the image-level labels of their images.

Masks of 0 and 255 only show background and ignored pixels; probably 255 was meant to be the object.
Masks with another order of classes contradict the labels of most images. A single such map is
harmless, but not a set of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Pixels
from wsss_cli.errors import WsssError, listing
from wsss_cli.labels import IGNORE

Bools = npt.NDArray[np.bool_]

# Share of the images above which labels and masks contradict each other, and the least number of
# images: a single one may be labelled wrongly.
_MOST = 0.75
_FEWEST = 2
# Share above which one warning replaces those of single images.
_HALF = 0.5


@dataclass(frozen=True)
class ImageLabels:
    """Image-level labels, of which some may be unknown.

    Attributes:
        rows: (N, C) bool, multi-hot.
        known: (N,) bool, whether an image has labels.
    """

    rows: Bools
    known: Bools


def known_labels(data_set: DataSet, image_ids: Sequence[str]) -> ImageLabels:
    """Read the labels of images, of which some may have none."""
    try:
        return ImageLabels(data_set.labels(image_ids), np.ones(len(image_ids), np.bool_))
    except WsssError:
        rows = np.zeros((len(image_ids), len(data_set.class_names)), np.bool_)
        readable = np.zeros(len(image_ids), np.bool_)
    for position, image_id in enumerate(image_ids):
        try:
            rows[position] = data_set.labels([image_id])[0]
        except WsssError:
            continue
        readable[position] = True
    return ImageLabels(rows, readable)


def shown_labels(label_map: Pixels, num_classes: int) -> Bools:
    """(C + 2,) bool: which of the labels 0..C, and last 255, occur in an (H, W) label map."""
    there: Bools = np.bincount(label_map.ravel(), minlength=IGNORE + 1) > 0
    return np.append(there[: num_classes + 1], there[IGNORE])


@dataclass(frozen=True)
class MaskSurvey:
    """The labels that occur in each label map of a set, beside those of its image.

    Attributes:
        class_names: Names of classes 1..C.
        image_ids: Ids of the N images.
        shown: (N, C + 2) bool, rows of :func:`shown_labels`.
        labels: Image-level labels; None where there are none.
    """

    class_names: Sequence[str]
    image_ids: Sequence[str]
    shown: Bools
    labels: ImageLabels | None

    @classmethod
    def of(
        cls,
        class_names: Sequence[str],
        labels_by_id: Mapping[str, Bools],
        labels: ImageLabels | None,
    ) -> "MaskSurvey":
        """Make a survey of the :func:`shown_labels` by image id."""
        rows = np.array(list(labels_by_id.values()), np.bool_).reshape(
            len(labels_by_id), len(class_names) + 2
        )
        return cls(class_names, list(labels_by_id), rows, labels)

    @property
    def classes(self) -> Bools:
        """(N, C) bool: the classes that the maps show."""
        return self.shown[:, 1:-1]

    def without_class(self) -> str | None:
        """Describe maps of which none shows a class; None where one does.

        Images that are all labelled as negatives have masks without classes.
        """
        if not len(self.image_ids) or self.classes.any():
            return None
        if self.labels is not None and self.labels.known.all() and not self.labels.rows.any():
            return None
        return self.held()

    def held(self) -> str:
        """Describe the values of maps without classes."""
        background, ignored = self.shown[:, 0].any(), self.shown[:, -1].any()
        if background and ignored:
            return "0 and 255 only, which are background and pixels to be ignored"
        return "255 only, which is for pixels to be ignored" if ignored else "background only (0)"

    @property
    def is_binary(self) -> bool:
        """Whether the maps show 0 and 255 and no class."""
        ends = self.shown[:, [0, -1]].any(axis=0)
        return bool(ends.all() and not self.classes.any())

    def contradiction(self, noun: str = "mask", advice: str | None = None) -> str | None:
        """Explain that masks and labels contradict each other; None where they do not.

        Args:
            noun: What to call the maps in the message.
            advice: Advice for the message; None gives the probable cause.
        """
        if self.labels is None:
            return None
        compared = self._compared(self.labels)
        disjoint = compared & ~(self.classes & self.labels.rows).any(axis=1)
        if not _prevails(disjoint, compared):
            return None
        disagree = self._disagree(disjoint, compared, self.labels, noun)
        return f"{disagree}; {advice or self._likely(self.labels)}"

    def doubt(self) -> str | None:
        """Report that most masks show a class that their labels do not name; else None."""
        if self.labels is None:
            return None
        compared = self._compared(self.labels)
        beyond = compared & (self.classes & ~self.labels.rows).any(axis=1)
        if not _prevails(beyond, compared, _HALF):
            return None
        return (
            f"{self._disagree(beyond, compared, self.labels)}; either labels are incomplete or the "
            "order of classes is wrong (classes.txt sets it)"
        )

    def beyond_labels(self) -> Iterator[tuple[str, list[str]]]:
        """Yield images whose mask shows classes that their labels lack, with these classes."""
        if self.labels is None:
            return
        beyond = self.classes & ~self.labels.rows & self.labels.known[:, None]
        for position in np.flatnonzero(beyond.any(axis=1)).tolist():
            yield self.image_ids[position], self._names(beyond[position])

    def lacking(self) -> Iterator[tuple[str, list[str]]]:
        """Yield images whose map lacks classes that their labels name, with these classes."""
        if self.labels is None:
            return
        lacking = self.labels.rows & self.labels.known[:, None] & ~self.classes
        for position in np.flatnonzero(lacking.any(axis=1)).tolist():
            yield self.image_ids[position], self._names(lacking[position])

    def empty(self) -> list[str]:
        """Images whose map shows no class although their labels name some."""
        if self.labels is None:
            return []
        empty = self.labels.known & self.labels.rows.any(axis=1) & ~self.classes.any(axis=1)
        return [self.image_ids[position] for position in np.flatnonzero(empty).tolist()]

    def never_shown(self) -> list[str]:
        """Classes that labels name but no mask shows, with their number of images."""
        if self.labels is None:
            return []
        counts = (self.labels.rows & self.labels.known[:, None]).sum(axis=0)  # (C,)
        columns = np.flatnonzero(self.classes.any(axis=0)).tolist()
        return [
            f"{name} ({counts[column]} images)"
            for column, name in enumerate(self.class_names)
            if counts[column] and column not in columns
        ]

    def _compared(self, labels: ImageLabels) -> Bools:
        """(N,) bool: the images whose labels are known and whose mask shows a class."""
        compared: Bools = labels.known & self.classes.any(axis=1)
        return compared

    def _names(self, row: Bools) -> list[str]:
        return [self.class_names[column] for column in np.flatnonzero(row).tolist()]

    def _disagree(
        self, differing: Bools, compared: Bools, labels: ImageLabels, noun: str = "mask"
    ) -> str:
        first = int(differing.argmax())
        mask_classes = self._names(self.classes[first])
        label_classes = self._names(labels.rows[first])
        return (
            f"{noun}s and labels disagree for {differing.sum()} of {compared.sum()} images, such "
            f"as {self.image_ids[first]} ({noun} {', '.join(mask_classes)}; labels "
            f"{', '.join(label_classes) or 'none'})"
        )

    def _likely(self, labels: ImageLabels) -> str:
        """Name the probable cause, and what to do."""
        named = labels.known & labels.rows.any(axis=1)
        # If classes are counted from 0, the values 1..C-1 are each a class less one.
        counted = self.shown[:, : len(self.class_names)]
        from_zero = ~self.shown[:, -2] & ~(counted[:, 1:] & ~labels.rows[:, 1:]).any(axis=1)
        from_zero &= ~(labels.rows & ~counted).any(axis=1)
        if _prevails(named & from_zero, named):
            return (
                "the masks probably count classes from 0; add 1 to their values, 0 is the "
                "background"
            )
        order = self._order(labels)
        hint = f" (by their images it is {listing(order)})" if order else ""
        return (
            "the order of classes is probably wrong: write a classes.txt with the names in the "
            f"order of the masks' numbers{hint}"
        )

    def _order(self, labels: ImageLabels) -> list[str]:
        """The classes in the order of the masks' labels, if the images determine it."""
        together = self.classes.T.astype(np.int64) @ (labels.rows & labels.known[:, None])  # (C, C)
        best = together.argmax(axis=1)
        sure = (together == together.max(axis=1, keepdims=True)).sum(axis=1) == 1
        if not sure.all() or len(set(best.tolist())) < len(best):
            return []
        return [self.class_names[column] for column in best.tolist()]


def _prevails(selected: Bools, compared: Bools, share: float = _MOST) -> bool:
    """Whether the selected images are at least this share of several compared ones."""
    return int(compared.sum()) >= _FEWEST and int(selected.sum()) >= share * int(compared.sum())
