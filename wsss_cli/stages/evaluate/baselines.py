"""Label maps that need no learning, for the images that are scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.data.map_sizes import read_fitted_saliency
from wsss_cli.ops.baselines import centre_box, painted_saliency

Size = tuple[int, int]

LABELS, SALIENCY, LOGITS = "labels", "saliency", "logits"
NEEDS: Mapping[str, tuple[str, ...]] = {
    "background": (),
    "saliency_first_label": (LABELS, SALIENCY),
    "centre_box": (LABELS,),
    "saliency_best_label": (LABELS, SALIENCY, LOGITS),
    "saliency_predicted_label": (SALIENCY, LOGITS),
}
"""The baselines in the order of the report, with what each needs of the images."""


@dataclass(frozen=True)
class Baselines:
    """Inputs of the baselines for some images.

    Attributes:
        image_ids: The images.
        labels: (N, C) multi-hot image-level labels; None where they are not known.
        saliency: Saliency map of each image; None where some have none.
        logits: (N, C) of a classifier; None without one.
        lacking: Why labels, saliency or logits are None, by ``NEEDS``.
    """

    image_ids: Sequence[str]
    labels: npt.NDArray[np.bool_] | None
    saliency: Sequence[Path] | None
    logits: npt.NDArray[np.float32] | None
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the baselines that there is everything for."""
        there = {LABELS: self.labels, SALIENCY: self.saliency, LOGITS: self.logits}
        return [name for name, needs in NEEDS.items() if all(there[n] is not None for n in needs)]

    def label_maps(self, index: int, size: Size) -> dict[str, Tensor]:
        """The (H, W) uint8 label map of each baseline for one image.

        The first label is that of the lowest class id: the choice has to be blind. The best one is
        the classifier's surest of the image's own labels; the predicted one its surest of all, so
        that this baseline alone is told nothing that a segmentation network is not told. Of an
        image without labels the others call everything background.
        """
        names = self.names
        labels = {} if self.labels is None else self._chosen(self.labels[index], index)
        if self.logits is not None:
            labels["saliency_predicted_label"] = int(self.logits[index].argmax()) + 1
        salient = None
        if self.saliency is not None:
            grey = read_fitted_saliency(self.saliency[index], size)[0]
            salient = torch.from_numpy(grey).float() / 255
        label_maps = {}
        for name in names:
            label = labels.get(name, 0)
            if label == 0:
                label_maps[name] = torch.zeros(size, dtype=torch.uint8)
            elif name == "centre_box":
                label_maps[name] = centre_box(size, label)
            elif salient is not None:
                label_maps[name] = painted_saliency(salient, label)
        return label_maps

    def _chosen(self, labels: npt.NDArray[np.bool_], index: int) -> dict[str, int]:
        """The one label of an image's own that each baseline paints with."""
        if not labels.any():
            return {}
        first = int(labels.argmax()) + 1
        class_ids = {"saliency_first_label": first, "centre_box": first}
        if self.logits is not None:
            surest = np.where(labels, self.logits[index], -np.inf).argmax()
            class_ids["saliency_best_label"] = int(surest) + 1
        return class_ids


def recorded_logits(
    path: Path, image_ids: Sequence[str], class_names: Sequence[str]
) -> npt.NDArray[np.float32] | None:
    """(N, C) logits kept in an attention file; None unless it has them of every image.

    Raises:
        WsssError: It is no attention file, or one of other classes.
    """
    with AttentionFile(path, class_names) as file:
        if not all(image_id in file for image_id in image_ids):
            return None
        recorded = [file.outline(image_id).logits for image_id in image_ids]
    present = [logits for logits in recorded if logits is not None]
    return np.stack(present) if len(present) == len(recorded) else None


def recorded_saliency(run: Path) -> Path | None:
    """The saliency maps that the run's proxies were made with, if any."""
    try:
        return Path(read_manifest(run / "proxy")["inputs"]["saliency"]["path"])
    except (FileNotFoundError, KeyError):
        return None
