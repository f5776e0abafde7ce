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
from wsss_cli.data.turned import read_fitted_saliency
from wsss_cli.ops.baselines import centre_box, painted_saliency

Size = tuple[int, int]


@dataclass(frozen=True)
class Baselines:
    """What the baselines need of some images.

    Attributes:
        image_ids: The images.
        labels: (N, C) multi-hot image-level labels.
        saliency: Saliency map of each image.
        logits: (N, C) of a classifier; None without one.
    """

    image_ids: Sequence[str]
    labels: npt.NDArray[np.bool_]
    saliency: Sequence[Path]
    logits: npt.NDArray[np.float32] | None

    @property
    def names(self) -> list[str]:
        """Names of the baselines, in the order of the report."""
        always = ["background", "saliency_first_label", "centre_box"]
        if self.logits is None:
            return always
        return [*always, "saliency_best_label", "saliency_predicted_label"]

    def label_maps(self, index: int, size: Size) -> dict[str, Tensor]:
        """The (H, W) uint8 label map of each baseline for one image.

        The first label is that of the lowest class id: the choice has to be blind. The best one is
        the classifier's surest of the image's own labels; the predicted one its surest of all, so
        that this baseline alone is told nothing that a segmentation network is not told. An image
        of none of the classes is background to all that are told so.
        """
        own_labels = self.labels[index]
        first = int(own_labels.argmax()) + 1 if own_labels.any() else 0
        grey = read_fitted_saliency(self.saliency[index], size)[0]
        salient = torch.from_numpy(grey).float() / 255
        label_maps = {
            "background": torch.zeros(size, dtype=torch.uint8),
            "saliency_first_label": painted_saliency(salient, first),
            "centre_box": centre_box(size, first),
        }
        if self.logits is not None:
            logits = self.logits[index]
            own = np.where(own_labels, logits, -np.inf)
            best = int(own.argmax()) + 1 if own_labels.any() else 0
            for name, label in (("best", best), ("predicted", int(logits.argmax()) + 1)):
                label_maps[f"saliency_{name}_label"] = painted_saliency(salient, label)
        return label_maps


def recorded_logits(
    path: Path, image_ids: Sequence[str], class_names: Sequence[str]
) -> npt.NDArray[np.float32] | None:
    """(N, C) logits kept in an attention file; None unless it has them of every image.

    Raises:
        WsssError: It is no attention file, or one of other classes.
    """
    with AttentionFile(path, class_names) as file:
        if not set(image_ids) <= set(file.image_ids):
            return None
        found = [file.outline(image_id).logits for image_id in image_ids]
    whole = [logits for logits in found if logits is not None]
    return np.stack(whole) if len(whole) == len(found) else None


def recorded_saliency(run: Path) -> Path | None:
    """The saliency maps that the run's proxies were made with, if any."""
    try:
        return Path(read_manifest(run / "proxy")["inputs"]["saliency"]["path"])
    except (FileNotFoundError, KeyError):
        return None
