"""A stage's result in its run: the directory as the table of stages has it, and its making."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wsss_cli.artifacts.stage_directory import Input, StageDirectory, read_manifest, standing
from wsss_cli.configs.common import CommonConfig, SeedConfig, record, settings
from wsss_cli.configs.stages import STAGES
from wsss_cli.errors import DivergenceError, WsssError


@dataclass(frozen=True)
class Report:
    """The outcome of a stage.

    Attributes:
        stage: Name of the stage.
        directory: Directory of its result; None when nothing was written.
        up_to_date: Nothing had to be done.
        values: Results with stable names, JSON values.
        failure: Why the command fails although its result is there, a sentence; None if it does
            not.
    """

    stage: str
    directory: Path | None
    up_to_date: bool
    values: Mapping[str, Any]
    failure: str | None = None

    def __post_init__(self) -> None:
        # Results are facts: whoever wants to change them takes a copy, `dict(report.values)`.
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    @property
    def status(self) -> str:
        """Whether the stage has worked: ``complete``, or ``up to date`` if it need not."""
        return "up to date" if self.up_to_date else "complete"

    def __repr__(self) -> str:
        """The outcome on one line: status, directory and the single numbers and words."""
        facts = [f"directory={str(self.directory)!r}"] if self.directory is not None else []
        for name, value in self.values.items():
            if isinstance(value, float):
                facts.append(f"{name}={value:.4g}")
            elif isinstance(value, (bool, int, str)):
                facts.append(f"{name}={value!r}")
        return f"<{self.stage} {self.status}: {', '.join(facts)}>"


class FailedReportError(WsssError):
    """A stage has a result, but not the one asked for.

    Attributes:
        report: The result that there is.
    """

    def __init__(self, report: Report) -> None:
        """Say why the stage fails."""
        super().__init__(report.failure)
        self.report = report


def result_directory(
    stage: str,
    config: CommonConfig,
    inputs: Mapping[str, Input],
    *,
    data: Path | None,
    class_names: Sequence[str] | None,
    device: object,
    resolved: Mapping[str, Any] | None = None,
    recorded: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
    lowerable: Sequence[str] = (),
) -> StageDirectory:
    """Describe the result that a stage is about to make.

    Args:
        stage: Name of the stage.
        config: Its settings.
        inputs: Its inputs by role.
        data: Root of the data set, where one is known.
        class_names: Names of classes 1..C, where they are known.
        device: Where it computes.
        resolved: Settings that change the result beside those of the config, such as the precision
            that ``auto`` stands for.
        recorded: Fields of the config as they were resolved; no part of the fingerprint.
        details: Further facts for the manifest.
        lowerable: Settings with lower values of which a training that diverged may go on.
    """
    entry = STAGES[stage]
    return StageDirectory(
        path=config.run / stage,
        stage=stage,
        stage_version=entry.version,
        settings={**settings(config), **(resolved or {})},
        inputs=inputs,
        owned=entry.owned,
        scratch=entry.scratch,
        extras=entry.extras,
        lowerable=lowerable,
        details={
            "config": {**record(config), **(recorded or {})},
            "data": None if data is None else str(data),
            "class_names": list(class_names or ()),
            **({"seed": config.seed} if isinstance(config, SeedConfig) else {}),
            "device": str(device),
            **(details or {}),
        },
    )


def make(
    directory: StageDirectory,
    work: Callable[..., Mapping[str, Any]],
    *arguments: object,
    overwrite: bool,
) -> Report:
    """Make a stage's result unless it is there already; one process at a time does.

    Args:
        directory: The stage's directory.
        work: Begins the directory, makes everything in it and returns the counts to report.
        arguments: Passed to ``work``.
        overwrite: Replace another result.

    Raises:
        WsssError: The work fails, or another process is doing it.
        UsageError: The directory holds another result.
        KeyboardInterrupt: With a note of what is kept.
    """
    if directory.state(overwrite=overwrite) == "complete":
        directory.tidy()
        counts = read_manifest(directory.path)["counts"]
        return Report(directory.stage, directory.path, True, counts)
    with directory.claimed():
        try:
            counts = work(*arguments)
        except DivergenceError as stop:
            stop.add_note(directory.diverge(stop))
            raise
        except KeyboardInterrupt as interrupt:
            if not getattr(interrupt, "__notes__", None):
                interrupt.add_note(standing(directory.path))
            raise
        directory.complete(counts)
    return Report(directory.stage, directory.path, False, counts)
