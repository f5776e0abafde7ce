"""``wsss evaluate``: score predictions, proxies or attention against true masks.

Scores take seconds and are made of what is on disk now, so unlike the other stages this one
neither keeps an earlier result nor refuses to replace it.
"""

import math

from wsss_cli import ranks
from wsss_cli.artifacts.atomic import write_json
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.results import RESULTS
from wsss_cli.metrics.tally import Tally
from wsss_cli.stages.evaluate.attention import (
    FIXED_THRESHOLD,
    MATCHED_RECALL,
    score_attention,
)
from wsss_cli.stages.evaluate.attention_counts import THRESHOLDS
from wsss_cli.stages.evaluate.difficulties import image_difficulties
from wsss_cli.stages.evaluate.label_maps import score_label_maps
from wsss_cli.stages.evaluate.plan import EvaluatePlan, prepare
from wsss_cli.stages.evaluate.verdict import verdict
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track

# The unit of every score in JSON; text for people has per cent.
FRACTION = "fraction"

__all__ = [
    "FIXED_THRESHOLD",
    "FRACTION",
    "MATCHED_RECALL",
    "THRESHOLDS",
    "EvaluatePlan",
    "prepare",
    "run",
]


def run(
    config: EvaluateConfig, *, track: Track, per_image: dict[str, Tally] | None = None
) -> Report:
    """Score, and keep the scores in the run unless foreign folders were compared.

    Args:
        config: Settings.
        track: Shown the progress.
        per_image: Filled, if given, with the counts of each image by id, in the order scored; of
            attention those at ``FIXED_THRESHOLD``.

    Raises:
        WsssError: A file is missing or broken, or a size or value does not fit.
    """
    plan = prepare(config, track)
    score = score_attention if config.what == "attention" else score_label_maps
    scores = score(plan, track, per_image)
    if config.difficulty:
        for image_id, difficulty in image_difficulties(plan, track).items():
            scores["per_image"][image_id] |= difficulty
    scores |= {"what": config.what, **plan.baselines_missing}
    worth = verdict(scores)
    values = {
        "what": config.what,
        "unit": FRACTION,
        "verdict": worth.sentence,
        "verdict_standing": worth.standing,
        "verdict_baseline": worth.baseline,
        **scores,
        "images": len(plan.image_ids),
        "without_ground_truth": plan.without_truth,
        "without_prediction": len(plan.missing_predictions),
        "missing_predictions": plan.missing_predictions,
        "source": str(plan.source),
        "ground_truth": str(plan.truth[0].parent),
    }
    failure = _shortfall(config, values["miou"])
    if not plan.keeps_scores:
        return Report("evaluate", None, False, values, failure)
    made = read_manifest(config.run / RESULTS[config.what].stage)["fingerprint"]
    if ranks.first():
        path = config.run / "evaluate" / f"{config.what}.json"
        write_json(path, {**values, "artifact_fingerprint": made})
    return Report("evaluate", config.run / "evaluate", False, values, failure)


def _shortfall(config: EvaluateConfig, miou: float | None) -> str | None:
    """Why ``--fail-under`` is not satisfied, if it is not."""
    least = config.fail_under
    if least is None:
        return None
    if miou is None or math.isnan(miou):
        return f"there is no mIoU of the {config.what} to compare with --fail-under {least:g}"
    if miou < least:
        return f"the mIoU of the {config.what}, {miou:.4f}, is below --fail-under {least:g}"
    return None
