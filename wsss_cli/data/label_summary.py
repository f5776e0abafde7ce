"""Counts the image-level labels of a list, and finds labels that cannot be learned."""

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
        images: Number of images.
        counts: Number of images by class name, in the order of the classes.
        negatives: Number of images without any class.
        never: Names of classes in no image.
        always: Names of classes in all images.
        together: Groups of classes that occur in exactly the same images.
        equal: Whether all images have the same labels.
    """

    images: int
    counts: Mapping[str, int]
    negatives: int
    never: Sequence[str]
    always: Sequence[str]
    together: Sequence[Sequence[str]]
    equal: bool

    def sentence(self, images: str) -> str:
        """Report the counts in a sentence.

        Args:
            images: Name of the images in the sentence, such as ``images of train``.
        """
        counts = ", ".join(f"{name} ({count:,})" for name, count in self.counts.items())
        negatives = f"; {self.negatives:,} show none of them (negatives)" if self.negatives else ""
        return f"{self.images:,} {images}: {counts}{negatives}"

    def problem(self, images: str) -> str | None:
        """Explain that nothing can be learned from the labels; None where something can.

        A single image is accepted, since overfitting one image is a usual test.
        """
        return self._alike(images) if self.equal and self.images > 1 else None

    def _alike(self, images: str) -> str:
        class_names = [name for name, count in self.counts.items() if count]
        labels = f"show {listing(class_names)}" if class_names else "show none of the classes"
        return f"all {self.images:,} {images} {labels}, so they cannot be distinguished; {_WAY_OUT}"

    def warnings(self, images: str) -> list[str]:
        """Sentences about classes that cannot be learned, or not be distinguished."""
        sentences = [self._alike(images)] if self.equal and self.images == 1 else []
        if self.never:
            sentences.append(
                f"no training image shows {listing(self.never)}: nothing can be learned"
            )
        if self.always and not self.equal:
            sentences.append(
                f"all {self.images:,} {images} show {listing(self.always)}, so it cannot be "
                f"located; {_WAY_OUT}"
            )
        for names in self.together:
            sentences.append(
                f"{listing(names)} always come together, so they cannot be distinguished; if they "
                "are the words of one name, separate labels by | or write the names into "
                "classes.txt, one per line"
            )
        return sentences


def summarise(class_names: Sequence[str], labels: npt.NDArray[np.bool_]) -> LabelSummary:
    """Count the labels of some images.

    Args:
        class_names: Names of classes 1..C.
        labels: (N, C) multi-hot, N of 1 or more.
    """
    totals = labels.sum(axis=0).tolist()
    counts = dict(zip(class_names, totals, strict=True))
    by_images: dict[bytes, list[str]] = {}
    for column, name in enumerate(class_names):
        if 0 < totals[column] < len(labels):
            by_images.setdefault(np.packbits(labels[:, column]).tobytes(), []).append(name)
    return LabelSummary(
        images=len(labels),
        counts=counts,
        negatives=count_negatives(labels),
        never=[name for name, count in counts.items() if not count],
        always=[name for name, count in counts.items() if count == len(labels)],
        together=[names for names in by_images.values() if len(names) > 1],
        equal=bool((labels == labels[:1]).all()),
    )


def count_negatives(labels: npt.NDArray[np.bool_]) -> int:
    """Count the images without any class in (N, C) multi-hot labels."""
    return int((~labels.any(axis=1)).sum())
