"""The layouts that a data set may have.

A new layout is a module of ``wsss_cli.data`` and a line of :data:`LAYOUTS`: what ``--data`` finds,
its messages and the help of ``wsss data`` are made from this table.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

_HELP_COLUMN = 26  # where explanations begin in the help


@dataclass(frozen=True)
class Layout:
    """One way in which a data set may lie on disk.

    Attributes:
        module: Module of ``wsss_cli.data`` with ``find(folder)``, which returns a data set or None,
            ``read(file)``, which returns a data set, or both.
        title: Short name in the help of ``wsss data``.
        explanation: Lines of that help.
        folder: What a folder of this layout contains; empty if the layout has no folders.
        suffixes: Endings of the files that are read.
    """

    module: str
    title: str
    explanation: tuple[str, ...]
    folder: str = ""
    suffixes: tuple[str, ...] = ()

    def load(self) -> Any:  # noqa: ANN401 - a module
        """Import the module that reads this layout."""
        return import_module(f"wsss_cli.data.{self.module}")


LAYOUTS = (
    Layout(
        "voc",
        "a PASCAL VOC tree",
        (
            "VOCdevkit or VOC2012, the folder of JPEGImages; train_aug is made",
            "of SBD's lists where these lie beside it",
        ),
        folder="a JPEGImages folder (PASCAL VOC)",
    ),
    Layout(
        "coco",
        "a COCO tree",
        ("annotations/instances_*.json, train2017, val2017; or one JSON",),
        folder="annotations/*.json (COCO)",
        suffixes=(".json",),
    ),
    Layout(
        "csv_labels",
        "pictures with a CSV",
        (
            "labels.csv, its header `image,labels` or `image,CLASS,CLASS,...`,",
            "with a column split; or train.csv and val.csv; or one CSV",
            "in each list's folder",
        ),
        folder="a CSV file of labels",
        suffixes=(".csv", ".tsv"),
    ),
    Layout(
        "class_folders",
        "one folder per class",
        (
            "dog/*.jpg cat/*.jpg, or train/dog/*.jpg val/dog/*.jpg, or Training,",
            "Testing or others instead of train, val",
        ),
        folder="at least two folders with pictures (one per class)",
    ),
    Layout(
        "unlabelled_pictures",
        "pictures and classes.txt",
        ("without labels, for wsss attend --labels predicted alone",),
        folder="pictures with a classes.txt (without labels)",
    ),
    Layout(
        "toml_layout",
        "a TOML that names parts",
        ('images = "photos", labels = "labels.csv", masks = "masks"',),
        suffixes=(".toml",),
    ),
)
"""Every layout; of a folder the first one that recognises it is used."""


def layouts_help() -> str:
    """List the layouts for the help of ``wsss data``, indented by two spaces."""
    lines = []
    for layout in LAYOUTS:
        for number, explanation in enumerate(layout.explanation):
            title = "" if number else layout.title
            lines.append(f"  {title:{_HELP_COLUMN - 2}}  {explanation}")
    return "\n".join(lines)
