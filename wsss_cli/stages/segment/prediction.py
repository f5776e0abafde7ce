"""Prediction with a trained segmentation network."""

from collections.abc import Iterator

import torch
from torch import Tensor

from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.data.images import read_image
from wsss_cli.data.loading import prefetch
from wsss_cli.device import autocast, resolve_workers
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.stages.segment.plan import PREDICTIONS, SegmentPlan
from wsss_cli.tracking import Track


def predict(plan: SegmentPlan, network: DeepLabLargeFOV, track: Track) -> int:
    """Write the label map of each image that has none yet; returns how many."""
    folder = plan.directory.path / PREDICTIONS
    missing = [i for i in plan.predicted_ids if not (folder / f"{i}.png").exists()]
    allowed = _allowed_labels(plan)
    network.eval().to(plan.device)
    network.to(memory_format=torch.channels_last)

    def load(image_id: str) -> tuple[str, Tensor]:
        pixels = read_image(plan.tree.image_path(image_id))
        return image_id, torch.from_numpy(pixels).permute(2, 0, 1)[None]  # (1, 3, H, W)

    def compute() -> Iterator[tuple[str, Tensor]]:
        for image_id, image in prefetch(load, missing, resolve_workers(plan.config.workers)):
            with torch.inference_mode(), autocast(plan.device, plan.precision):
                logits = network(image.to(plan.device))  # (1, L, H, W)
            if image_id in allowed:
                logits = logits.masked_fill(~allowed[image_id][:, None, None], -torch.inf)
            yield image_id, logits[0].argmax(dim=0).to(torch.uint8).cpu()

    def write(predicted: tuple[str, Tensor]) -> None:
        image_id, label_map = predicted
        write_label_map(folder / f"{image_id}.png", label_map.numpy())

    written = prefetch(write, compute(), workers=1)
    total = len(plan.predicted_ids)
    for _ in track.steps(written, total=total, label="predicting", done=total - len(missing)):
        pass
    return len(missing)


def _allowed_labels(plan: SegmentPlan) -> dict[str, Tensor]:
    """(L,) bool of every image with ``--restrict-labels``: background and its own labels."""
    if plan.predicted_labels is None:
        return {}
    own = torch.from_numpy(plan.predicted_labels)  # (M, C)
    allowed = torch.cat((torch.ones(len(own), 1, dtype=torch.bool), own), dim=1)  # (M, L)
    return dict(zip(plan.predicted_ids, allowed.to(plan.device), strict=True))
