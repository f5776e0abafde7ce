"""What image-level labels say of a list of images, and what nothing can be learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsss_cli.errors import listing

_WAY_OUT = (
    "add images that show none of the classes (an empty cell of labels, a folder background) or "
    "images of other classes"
)


@dataclass(frozen=True)
class LabelSummary:
    """Counts of the labels of some images.

    Attributes:
        images: How many there are.
        counts: Images of each class, by its name, in the order of the classes.
        negatives: Images of none of the classes.
        never: Classes of no image.
        always: Classes of all images, where others tell images apart.
        together: Groups of classes that the very same images show.
        equal: Whether all images have the same labels, so that nothing tells them apart.
    """

    images: int
    counts: Mapping[str, int]
    negatives: int
    never: Sequence[str]
    always: Sequence[str]
    together: Sequence[Sequence[str]]
    equal: bool

    def sentence(self, images: str) -> str:
        """Counts in a sentence.

        Args:
            images: What to call the images: ``images of train``.
        """
        counts = ", ".join(f"{name} ({count:,})" for name, count in self.counts.items())
        negatives = f"; {self.negatives:,} show none of them (negatives)" if self.negatives else ""
        return f"{self.images:,} {images}: {counts}{negatives}"

    def problem(self, images: str) -> str | None:
        """Say that nothing can be learned from the labels, and what to do; None where it can.

        A single image is no problem: whoever trains on one wants to see whether it can be learnt.
        """
        return self._alike(images) if self.equal and self.images > 1 else None

    def _alike(self, images: str) -> str:
        class_names = [name for name, count in self.counts.items() if count]
        labels = f"show {listing(class_names)}" if class_names else "show none of the classes"
        return f"all {self.images:,} {images} {labels}, so nothing tells them apart; {_WAY_OUT}"

    def warnings(self, images: str) -> list[str]:
        """Sentences about classes that cannot be learned from these labels, or not alone."""
        sentences = [self._alike(images)] if self.equal and self.images == 1 else []
        if self.never:
            sentences.append(
                f"no training image shows {listing(self.never)}: nothing can be learned"
            )
        if self.always and not self.equal:
            sentences.append(
                f"all {self.images:,} {images} show {listing(self.always)}, so nothing tells where "
                f"it is; {_WAY_OUT}"
            )
        for names in self.together:
            sentences.append(
                f"{listing(names)} always come together, so nothing tells them apart; if they are "
                "the words of one name, separate labels by | or write the names into classes.txt, "
                "one a line"
            )
        return sentences


def summarise(class_names: Sequence[str], labels: npt.NDArray[np.bool_]) -> LabelSummary:
    """Count the labels of some images.

    Args:
        class_names: Of classes 1..C.
        labels: (N, C) multi-hot, N of 1 or more.
    """
    totals = labels.sum(axis=0).tolist()
    counts = dict(zip(class_names, totals, strict=True))
    alike: dict[bytes, list[str]] = {}
    for column, name in enumerate(class_names):
        if 0 < totals[column] < len(labels):
            alike.setdefault(np.packbits(labels[:, column]).tobytes(), []).append(name)
    return LabelSummary(
        images=len(labels),
        counts=counts,
        negatives=count_negatives(labels),
        never=[name for name, count in counts.items() if not count],
        always=[name for name, count in counts.items() if count == len(labels)],
        together=[names for names in alike.values() if len(names) > 1],
        equal=bool((labels == labels[:1]).all()),
    )


def count_negatives(labels: npt.NDArray[np.bool_]) -> int:
    """How many images show none of the classes, given (N, C) multi-hot labels."""
    return int((~labels.any(axis=1)).sum())
