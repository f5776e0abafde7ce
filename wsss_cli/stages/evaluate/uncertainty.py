"""The uncertainty of a mIoU, from what each image adds to it."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsss_cli.metrics.bootstrap import CONFIDENCE, RESAMPLES, bootstrap, paired_bootstrap
from wsss_cli.metrics.segmentation import iou_of


def interval(overlaps: Tensor, seed: int) -> dict[str, Any]:
    """Where the mIoU lies if other images of the same kind had been drawn.

    Args:
        overlaps: (N, 2, L) intersection and union of each label in each image.
        seed: Seed of the draws.
    """
    spread = bootstrap(overlaps, seed=seed)
    return {
        "low": spread.low,
        "high": spread.high,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
    }


def comparison(overlaps: Tensor, rival: Tensor, source: Path, seed: int) -> dict[str, Any]:
    """The mIoU of a rival on the same images, and whether the difference is real.

    Args:
        overlaps: (N, 2, L) intersection and union of each label in each image.
        rival: Those of the rival, images in the same order.
        source: Where the rival lies.
        seed: Seed of the draws.
    """
    difference = paired_bootstrap(rival, overlaps, seed=seed)
    return {
        "source": str(source),
        "miou": float(iou_of(rival.sum(dim=0, dtype=torch.int64)).nanmean()),
        "difference": difference.difference,
        "low": difference.low,
        "high": difference.high,
        "real": difference.real,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
    }
