"""``wsss segment``: train a segmentation network on proxies and predict with it."""

import time
from typing import Any

from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.stages.making import make
from wsss_cli.stages.optimisation import last_losses
from wsss_cli.stages.report import Report
from wsss_cli.stages.segment.network_file import CHECKPOINT_FILE, load_network
from wsss_cli.stages.segment.plan import PREDICTIONS, SegmentPlan, prepare
from wsss_cli.stages.segment.prediction import predict
from wsss_cli.stages.segment.training import train, untrained
from wsss_cli.tracking import Track

__all__ = ["CHECKPOINT_FILE", "PREDICTIONS", "SegmentPlan", "load_network", "prepare", "run"]


def run(config: SegmentConfig, *, track: Track) -> Report:
    """Train unless a checkpoint is given, then predict; both go on where they were stopped.

    Raises:
        WsssError: The inputs are wrong, the loss diverges or the disk is full.
    """
    plan = prepare(config, track)
    return make(plan.directory, lambda: _train_andpredict(plan, track), overwrite=config.overwrite)


def _train_andpredict(plan: SegmentPlan, track: Track) -> dict[str, Any]:
    """Do what of both is not done yet; returns the counts."""
    config, directory = plan.config, plan.directory
    started = time.monotonic()
    checkpoint = config.checkpoint or directory.path / CHECKPOINT_FILE
    fresh = untrained(plan) if config.checkpoint is None else None
    directory.begin(overwrite=config.overwrite)  # only now: the weights have been found to fit
    if fresh is not None and not checkpoint.exists():
        train(plan, fresh, track)
    trained = time.monotonic()
    network, _, _ = load_network(checkpoint)
    written = predict(plan, network, track)
    return {
        "initial_weights": None if fresh is None else fresh.origin,
        "training_images": len(plan.supervision),
        "losses": last_losses(directory.path),
        "images": len(plan.predicted_ids),
        "written": written,
        "skipped": len(plan.predicted_ids) - written,
        "training_seconds": round(trained - started, 1),
        "seconds": round(time.monotonic() - started, 1),
        "rate": round(written / (time.monotonic() - trained), 2),
    }
