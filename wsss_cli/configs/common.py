"""Settings that the stages share, and which settings make up a result's fingerprint."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from wsss_cli.configs.setting import Config, Role, setting, settings_of

HOW = "Where and how fast"
"""Heading of what the result does not depend on."""


@dataclass(frozen=True)
class WorkConfig(Config):
    """Settings of every command that works on images."""

    saves_memory: ClassVar[str] = "lower --workers"
    """What to do where a stage has too little memory."""

    workers: int | None = setting(
        None,
        "Threads that decode images.",
        role=Role.WORK,
        at_least=0,
        unset="one per core, at most 8",
        group=HOW,
    )

    def idle(self) -> frozenset[str]:
        """Settings that change nothing in this very result, beside those that never do."""
        return frozenset()


@dataclass(frozen=True)
class CommonConfig(WorkConfig):
    """Settings of every stage: it works in a run, on a data set."""

    run: Path = setting(
        Path("runs/default"),
        "Directory of the run; each stage writes one folder in it.",
        role=Role.WORK,
        variable="WSSS_RUN",
    )
    data: Path | None = setting(
        None,
        "Data set, a folder or file; `wsss data -h` tells which.",
        role=Role.WORK,
        exists=True,
        unset="that of the run's training",
    )


@dataclass(frozen=True)
class DeviceConfig(Config):
    """Where a command computes that can do so on a GPU."""

    device: str = setting(
        "auto",
        "Device to compute on: auto, cpu, cuda or cuda:N.",
        role=Role.WORK,
        pattern=(r"auto|cpu|cuda(:\d+)?", "auto, cpu, cuda or cuda:N"),
        group=HOW,
    )


@dataclass(frozen=True)
class PrecisionConfig(DeviceConfig):
    """Where a command runs a network of torch, and in which precision."""

    amp: str = setting(
        "auto",
        "Precision: auto computes in bfloat16 where the device is built for it, off in float32.",
        role=Role.WORK,
        choices=("auto", "off"),
        group=HOW,
    )


@dataclass(frozen=True)
class OverwriteConfig(Config):
    """Whether a command that keeps its result replaces another one."""

    overwrite: bool = setting(
        False, "Replace another result of this stage in the run.", role=Role.WORK, group=HOW
    )


@dataclass(frozen=True)
class SeedConfig(Config):
    """The seed of a command in which something is random."""

    seed: int = setting(0, "Seed of everything random.", at_least=0, below=2**63)


def run_beside_data(data: Path | None) -> dict[str, tuple[str, str]]:
    """Say of ``--run`` that it does nothing, where only the run's data set would be used.

    Args:
        data: The data set given.
    """
    if data is None:
        return {}
    return {"run": ("only tells the data set, and --data does", "leave one of them out")}


def settings(config: WorkConfig) -> dict[str, Any]:
    """The settings that change a result, as JSON values, for the fingerprint."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    without = {*config.idle(), *(field.name for field, _ in config.of_others())}
    for field, about in settings_of(type(config)):
        if about.role is not Role.RESULT or (about.later and values[field.name] is None):
            without.add(field.name)
    return {name: value for name, value in values.items() if name not in without}


def record(config: Config) -> dict[str, Any]:
    """Every field as a JSON value, for the manifest."""
    plain = {field.name: getattr(config, field.name) for field in fields(config)}
    return {name: str(v) if isinstance(v, Path) else v for name, v in plain.items()}
