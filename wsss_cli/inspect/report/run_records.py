"""What a run tells of itself: settings, scores and the course of its trainings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.atomic import read_json
from wsss_cli.artifacts.metrics_log import read_metrics
from wsss_cli.command_line import command_line
from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.results import BY_INTEREST, RESULTS
from wsss_cli.data.data_set import DataSet
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.inspect.run_names import distinct_names
from wsss_cli.stages.early_checks import require_run
from wsss_cli.stages.inputs import data_if_known

# What this version's scores have, of whatever was scored.
_SCORES = frozenset(
    {"miou", "per_class", "images", "interval", "per_image", "ground_truth", "ground_truth_style"}
)


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        path: Its directory.
        name: What it is called beside the others.
        manifests: By stage, in the order of the chain.
        scores: What ``wsss evaluate`` kept, by what was scored.
        logs: The lines logged by each stage that trained.
        data_set: The data set; None where it is not known or not there.
        no_photographs: Why there is no data set.
        remarks: What is missing, a sentence each.
    """

    path: Path
    name: str
    manifests: Mapping[str, Mapping[str, Any]]
    scores: Mapping[str, Mapping[str, Any]]
    logs: Mapping[str, list[dict[str, Any]]]
    data_set: DataSet | None
    no_photographs: str | None
    remarks: Sequence[str]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of classes 1..C; empty where they are unknown."""
        for manifest in self.manifests.values():
            if manifest.get("class_names"):
                return tuple(manifest["class_names"])
        return self.data_set.class_names if self.data_set else ()


def read_runs(runs: Sequence[Path], data: Path | None) -> list[RunRecord]:
    """Read all runs.

    Raises:
        UsageError: One holds nothing, their classes differ, or a data set that was given is none.
        WsssError: A file of a run is broken.
    """
    names = distinct_names(runs, joint="/")
    records = [_read(run, name, data) for run, name in zip(runs, names, strict=True)]
    for record in records[1:]:
        if record.class_names != records[0].class_names:
            raise UsageError(
                f"{record.path} has other classes than {records[0].path}; make a page of each"
            )
    return records


def _scoring(run: Path, manifests: Mapping[str, object]) -> str:
    """The command that scores the last result that the run has."""
    subjects = [result for result in BY_INTEREST if RESULTS[result].stage in manifests]
    result = subjects[0] if subjects else None
    return command_line("evaluate", what=None if result == EvaluateConfig.what else result, run=run)


def _read(run: Path, name: str, data: Path | None) -> RunRecord:
    manifests = require_run(run)
    remarks = [
        f"{stage} is unfinished, so its numbers are preliminary"
        for stage, manifest in manifests.items()
        if manifest["status"] != "complete"
    ]
    scores = {}
    for result in BY_INTEREST:
        try:
            evaluation = read_json(run / "evaluate" / f"{result}.json")
        except FileNotFoundError:
            continue
        if not evaluation.keys() >= _SCORES:
            remarks.append(
                f"the scores of its {result} are of an earlier version and left out; run "
                f"`{command_line('evaluate', what=result, run=run)}` again"
            )
            continue
        scores[result] = evaluation
        stage = RESULTS[result].stage
        if evaluation.get("artifact_fingerprint") != manifests.get(stage, {}).get("fingerprint"):
            remarks.append(
                f"the scores of its {result} are of an earlier result; run "
                f"`{command_line('evaluate', what=result, run=run)}` again"
            )
    if not scores:
        remarks.append(f"nothing of it has been scored; run `{_scoring(run, manifests)}`")
    logs = {stage: read_metrics(run / stage) for stage in manifests}
    data_set, no_photographs = _data_set(run, data)
    if no_photographs is not None:
        remarks.append(f"no photographs: {no_photographs}")
    return RunRecord(
        run,
        name,
        manifests,
        scores,
        {stage: lines for stage, lines in logs.items() if lines},
        data_set,
        no_photographs,
        remarks,
    )


def _data_set(run: Path, data: Path | None) -> tuple[DataSet | None, str | None]:
    """The data set given, else the run's own, or why there is none."""
    try:
        data_set = data_if_known(CommonConfig(run=run, data=data), "segment")
    except WsssError as error:
        if data is not None:
            raise
        return None, f"its data set cannot be read ({error})"
    if data_set is None:
        return None, "its data set is not known; pass --data DIR"
    return data_set, None
