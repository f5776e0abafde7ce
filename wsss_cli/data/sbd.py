"""SBD's lists, from which the usual training list of VOC is made.

Hariharan et al., "Semantic Contours from Inverse Detectors", ICCV 2011: masks for 11,355 of VOC's
photographs. What the field calls ``train_aug`` is SBD's train and val and VOC's train, less VOC's
val: 10,582 images.
"""

from pathlib import Path

# Folders of the archive and usual names, looked up in the tree, beside it and above it.
_PLACES = ("benchmark_RELEASE/dataset", "SBD/dataset", "SBD", "sbd")
TRAIN_AUG_IMAGES = 10_582


def find_sbd(voc: Path) -> Path | None:
    """Find the folder of SBD's ``train.txt`` and ``val.txt`` for a VOC tree, if there is one."""
    for above in (voc, voc.parent, voc.parent.parent):
        for name in _PLACES:
            folder = above / name
            if (folder / "train.txt").is_file() and (folder / "val.txt").is_file():
                return folder
    return None


def train_aug(sbd_train: set[str], sbd_val: set[str], train: set[str], val: set[str]) -> list[str]:
    """Make the sorted ids of ``train_aug`` from the lists of SBD and VOC."""
    return sorted((sbd_train | sbd_val | train) - val)
