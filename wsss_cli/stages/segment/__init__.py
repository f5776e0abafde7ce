"""``wsss segment``: train a segmentation network on proxies and predict with it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsss_cli import ranks
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.score_file import INDEX
from wsss_cli.artifacts.submission import write_submission
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.stages import FEATURES_FILE
from wsss_cli.data.mask_survey import known_labels
from wsss_cli.stages.label_shares import shares_of_files, warnings
from wsss_cli.stages.optimisation.tracker import track_complete, track_finished
from wsss_cli.stages.optimisation.trainer import last_losses
from wsss_cli.stages.result import Report, make
from wsss_cli.stages.segment.label_correction import correction_values
from wsss_cli.stages.segment.network_file import load_network, read_network
from wsss_cli.stages.segment.plan import SegmentPlan, prepare
from wsss_cli.stages.segment.prediction import has_scores, label_path, predict
from wsss_cli.stages.segment.training import train, untrained
from wsss_cli.tracking import Track

__all__ = ["CHECKPOINT_FILE", "SegmentPlan", "load_network", "prepare", "run"]


def run(config: SegmentConfig, *, track: Track) -> Report:
    """Train unless a checkpoint is given, then predict; both go on where they were stopped.

    Raises:
        WsssError: The inputs are wrong, the loss diverges or the disk is full.
    """
    plan = prepare(config, track)
    report = make(plan.directory, _train_and_predict, plan, track, overwrite=config.overwrite)
    values, made = dict(report.values), not report.up_to_date
    if report.up_to_date:
        track_complete(plan.directory, config.tracker, track)
    if config.probabilities:
        # They change no result, so a complete one may lack them.
        if not ranks.agreed(lambda: has_scores(plan)):
            with plan.directory.claimed():
                plan.directory.reopen()
                predict(plan, load_network(_checkpoint(plan))[0], track)
            made = True
        values["scores"] = str(plan.directory.path / INDEX)
    if config.submission is not None:
        if ranks.first():
            paths = {i: label_path(plan, i) for i in plan.predicted_ids}
            write_submission(config.submission, paths)
        values["submission"] = str(config.submission)
        made = True
    return replace(report, up_to_date=not made, values=values)


def _train_and_predict(plan: SegmentPlan, track: Track) -> dict[str, Any]:
    """Train and predict as far as this is not done yet; returns the counts."""
    config, directory = plan.config, plan.directory
    started = time.monotonic()
    checkpoint = _checkpoint(plan)
    fresh = untrained(plan) if config.checkpoint is None else None
    recorded = directory.recorded_counts()
    directory.begin(overwrite=config.overwrite)  # only now: the weights have been found to fit
    if ranks.agreed(checkpoint.exists):
        track_finished(directory, config.tracker, track)
    elif fresh is not None:
        recorded = {}
        train(plan, fresh, track)
    if ranks.first():
        (directory.path / FEATURES_FILE).unlink(missing_ok=True)  # gigabytes, and learned from
    trained = time.monotonic()
    training_seconds = recorded.get("training_seconds", trained - started)
    content = read_network(checkpoint)
    predicted = predict(plan, content.network, track)
    shares = shares_of_files(
        [label_path(plan, image_id) for image_id in plan.predicted_ids],
        known_labels(plan.data_set, plan.predicted_ids),
        config.workers,
    ).values(plan.data_set.class_names)
    corrected: dict[str, Any] = {}
    unchanged: list[str] = []
    if plan.correctable is not None:
        corrected["replaced_labels"], unchanged = correction_values(
            directory.path, recorded.get("replaced_labels", content.replaced_labels)
        )
    return {
        "initial_weights": None if fresh is None else fresh.origin,
        "training_images": len(plan.supervision),
        "losses": recorded.get("losses") or last_losses(directory.path),
        **corrected,
        **predicted,
        "training_seconds": round(training_seconds, 2),
        # Of both, where the rate is the prediction's.
        "seconds": round(training_seconds + time.monotonic() - trained, 2),
        **shares,
        "warnings": [*unchanged, *warnings(shares, "predictions")],
    }


def _checkpoint(plan: SegmentPlan) -> Path:
    """The network to predict with: the one given, else the one trained here."""
    return plan.config.checkpoint or plan.directory.path / CHECKPOINT_FILE
