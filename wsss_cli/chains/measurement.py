"""The scores of one run, kept beside it: RUN/compare.

They are made by ``evaluate``. Kept are also the pixel counts of each image, which the paired
bootstrap needs. Attention, proxies and masks that are still the same are not scored again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wsss_cli.artifacts.fingerprint import files_fingerprint
from wsss_cli.artifacts.image_counts import read_image_counts, write_image_counts
from wsss_cli.artifacts.stage_directory import Input, StageDirectory, read_manifest
from wsss_cli.configs.compare import ComparedRun
from wsss_cli.data.label_folder import grey_files
from wsss_cli.metrics.tally import Tally
from wsss_cli.stages import evaluate
from wsss_cli.stages.evaluate import FIXED_THRESHOLD, MATCHED_RECALL
from wsss_cli.stages.result import make
from wsss_cli.tracking import Silent, Track

FOLDER = "compare"
# Raised when a change of evaluate changes the scores.
MEASUREMENT_VERSION = 1
_COUNTS = "image_counts.npz"
ATTENTION, PROXY = "attention", "proxy"


@dataclass(frozen=True)
class Measurement:
    """The scores of one run.

    Attributes:
        scores: By the names of the table's columns; None where not defined.
        losses: Mean losses of the last iterations logged.
        image_ids: Images scored.
        counts: (N, L, L + 1) int32 of ``attention`` at the fixed threshold and of ``proxy``.
        up_to_date: They were there already.
    """

    scores: Mapping[str, float | None]
    losses: Mapping[str, float]
    image_ids: list[str]
    counts: Mapping[str, Tensor]
    up_to_date: bool


def measure(run: ComparedRun, track: Track) -> Measurement:
    """Score a run whose train, attend and proxy are complete.

    Raises:
        WsssError: A file is missing or broken.
    """
    directory = _directory(run)
    other = _fingerprint(directory.path) not in (None, directory.fingerprint)

    def work() -> dict[str, Any]:
        directory.begin(overwrite=other)
        return _score(run, directory.path, track)

    report = make(directory, work, overwrite=other)
    training = read_manifest(run.directory / "train")["counts"]
    # It covers the steps since the last resumption; a process that made none has no rate.
    per_iteration = 1 / training["rate"] if training["rate"] else None
    scores = {**report.values, "seconds_per_iteration": per_iteration}
    image_ids, counts = read_image_counts(directory.path / _COUNTS)
    arrays = {name: torch.from_numpy(array) for name, array in counts.items()}
    return Measurement(scores, training["losses"], image_ids, arrays, report.up_to_date)


def _directory(run: ComparedRun) -> StageDirectory:
    plan = evaluate.prepare(run.attention, Silent())
    inputs = {
        stage: Input(run.directory / stage, str(_fingerprint(run.directory / stage)))
        for stage in ("attend", "proxy")
    }
    assert run.labels.saliency is not None
    maps = grey_files(run.labels.saliency, plan.image_ids, "--saliency")
    inputs["saliency"] = Input(run.labels.saliency, files_fingerprint(maps))
    inputs["truth"] = Input(plan.truth[0].parent, files_fingerprint(plan.truth))
    return StageDirectory(
        path=run.directory / FOLDER,
        stage=FOLDER,
        stage_version=MEASUREMENT_VERSION,
        settings={
            "predicted_ignore": run.labels.predicted_ignore,
            "threshold": FIXED_THRESHOLD,
            "recall": MATCHED_RECALL,
        },
        inputs=inputs,
        owned=(_COUNTS,),
        details={},
    )


def _fingerprint(directory: Path) -> str | None:
    try:
        return str(read_manifest(directory)["fingerprint"])
    except FileNotFoundError:
        return None


def _score(run: ComparedRun, directory: Path, track: Track) -> dict[str, Any]:
    """Write the counts of each image; returns the scores."""
    of_attention: dict[str, Tally] = {}
    of_proxies: dict[str, Tally] = {}
    attention = evaluate.run(run.attention, track=track, per_image=of_attention).values
    labelled = evaluate.run(run.labels, track=track, per_image=of_proxies).values
    at_fixed = dict(zip(attention["curve"]["thresholds"], attention["curve"]["miou"], strict=True))
    scores = {
        "classification_map": attention["classification_map"],
        "attention_best": attention["miou"],
        "best_threshold": attention["best_threshold"],
        "attention_fixed": at_fixed[FIXED_THRESHOLD],
        "background_lit": attention["background_lit_at_recall"],
        "proxy": labelled["miou"],
        "painted_saliency": labelled["baselines"].get("saliency_best_label"),
    }
    image_ids = list(of_attention)
    convention = run.labels.predicted_ignore
    counts = {
        name: np.stack([_square(tallies[i], convention) for i in image_ids])
        for name, tallies in ((ATTENTION, of_attention), (PROXY, of_proxies))
    }
    write_image_counts(directory / _COUNTS, image_ids, counts)
    return scores


def _square(tally: Tally, convention: str) -> Any:  # noqa: ANN401 - (L, L + 1) int32 array
    confusion, missed = tally.counted(convention)
    return torch.cat((confusion, missed[:, None]), dim=1).int().numpy()
