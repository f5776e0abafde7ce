"""Label maps that need no learning, for the images that are scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.data.images import read_saliency
from wsss_cli.data.resizing import resize_grey
from wsss_cli.ops.baselines import centre_box, painted_saliency

Size = tuple[int, int]


@dataclass(frozen=True)
class Baselines:
    """What the baselines need of some images.

    Attributes:
        image_ids: The images.
        labels: (N, C) multi-hot image-level labels.
        saliency: Saliency map of each image.
        best: The present label that a classifier is surest of, per image; None without one.
    """

    image_ids: Sequence[str]
    labels: npt.NDArray[np.bool_]
    saliency: Sequence[Path]
    best: Sequence[int] | None

    @property
    def names(self) -> list[str]:
        """Names of the baselines, in the order of the report."""
        always = ["background", "saliency_first_label", "centre_box"]
        return always if self.best is None else [*always, "saliency_best_label"]

    def label_maps(self, index: int, size: Size) -> dict[str, Tensor]:
        """The (H, W) uint8 label map of each baseline for one image.

        The first label is that of the lowest class id: the choice has to be blind.
        """
        first = int(self.labels[index].argmax()) + 1
        grey = resize_grey(read_saliency(self.saliency[index]), size)
        salient = torch.from_numpy(grey).float() / 255
        label_maps = {
            "background": torch.zeros(size, dtype=torch.uint8),
            "saliency_first_label": painted_saliency(salient, first),
            "centre_box": centre_box(size, first),
        }
        if self.best is not None:
            label_maps["saliency_best_label"] = painted_saliency(salient, self.best[index])
        return label_maps


def surest_labels(path: Path, image_ids: Sequence[str]) -> list[int] | None:
    """The present label with the largest logit of each image, None unless all have logits."""
    if not path.exists():
        return None
    best = []
    with AttentionFile(path) as file:
        if not set(image_ids) <= set(file.image_ids):
            return None
        for image_id in image_ids:
            attention = file.read(image_id)
            if attention.logits is None:
                return None
            present = attention.class_ids
            best.append(int(present[attention.logits[present.astype(int) - 1].argmax()]))
    return best


def recorded_saliency(run: Path) -> Path | None:
    """The saliency maps that the run's proxies were made with, if any."""
    try:
        return Path(read_manifest(run / "proxy")["inputs"]["saliency"]["path"])
    except (FileNotFoundError, KeyError):
        return None
