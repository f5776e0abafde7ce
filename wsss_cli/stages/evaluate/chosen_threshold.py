"""The threshold that another run's evaluation found best: chosen before these images were seen."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.artifacts.atomic import read_json
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.command_line import command_line
from wsss_cli.errors import UsageError


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold and the run that it comes from."""

    threshold: float
    run: Path


def recorded_threshold(run: Path, *, scored: Path) -> ChosenThreshold:
    """Read the best threshold of a run's attention.

    Args:
        run: It must have been evaluated with ``--what attention``.
        scored: The attention file that the threshold is for.

    Raises:
        UsageError: The run has no such scores, they are of an attention file that has been
            replaced since, or of the very file that is scored.
    """
    path = run / "evaluate" / "attention.json"
    again = f"`{command_line('evaluate', what='attention', run=run)}`"
    try:
        scores = read_json(path)
        made = read_manifest(run / "attend")["fingerprint"]
        threshold, source = float(scores["best_threshold"]), Path(scores["source"])
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"--threshold-from {run} has no scores yet; run {again} first") from None
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"--threshold-from: {path} holds no threshold; run {again}") from None
    if scores.get("artifact_fingerprint") != made:
        raise UsageError(f"--threshold-from: {path} is of an earlier result; run {again} again")
    if source.resolve() == scored.resolve():
        raise UsageError(
            f"--threshold-from {run} scored this very attention; name a run on another split"
        )
    return ChosenThreshold(threshold, run)
