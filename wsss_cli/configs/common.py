"""Settings that every command has, and how settings are checked and named."""

import re
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

from wsss_cli.errors import UsageError, did_you_mean

AMP_CHOICES = ("auto", "off")

# Where and how fast, not what: these never change a result, so no fingerprint holds them.
OPERATIONAL = frozenset(
    {
        *("run", "data", "device", "workers", "amp", "overwrite", "checkpoint_every", "heatmaps"),
        *("snapshot_every", "tensorboard", "probabilities", "submission"),
    }
)
# Places of inputs: the fingerprint of what lies there counts, not the name.
INPUT_PATHS = frozenset(
    {
        "checkpoint",
        "start",
        "attention",
        "erase",
        "saliency",
        "second_saliency",
        "proxy",
        "scores",
        "weights",
        "pred",
        "gt",
        "against",
        "threshold_from",
    }
)


@dataclass(frozen=True)
class WorkConfig:
    """Settings of every command that computes: where, how fast, and what is replaced.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        workers: Threads that decode images; None is one per core, up to eight.
        amp: ``auto`` computes in bfloat16 where the device does so natively, ``off`` in float32.
        overwrite: Replace another result.
    """

    saves_memory: ClassVar[str] = "lower --workers"
    """What to do where a stage has too little memory."""

    added: ClassVar[frozenset[str]] = frozenset()
    """Fields that came later: what was made before them is what None makes."""

    extras: ClassVar[frozenset[str]] = frozenset()
    """Fields that ask for something beside the result, which a finished one may get later."""

    device: str = "auto"
    workers: int | None = None
    amp: str = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        check(self.workers is None or self.workers >= 0, "workers", "must be 0 or more")
        for field in fields(self):
            value = getattr(self, field.name)
            check(not isinstance(value, float) or isfinite(value), field.name, "must be finite")
        choice("amp", self.amp, AMP_CHOICES)
        check(
            re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device) is not None,
            "device",
            f"must be auto, cpu, cuda or cuda:N, not {self.device!r}",
        )

    def idle(self) -> frozenset[str]:
        """Fields that change nothing in this very result, beside those that never do."""
        return frozenset()


@dataclass(frozen=True)
class CommonConfig(WorkConfig):
    """Settings of every stage: it works in a run, on a data set.

    Attributes:
        run: Directory of the run; each stage writes one folder in it.
        data: Data set, a folder or file; None takes the training's.
        seed: Seed of everything random.
    """

    run: Path = Path("runs/default")
    data: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.seed < 2**63, "seed", "must be between 0 and 2**63 - 1")


def settings(config: WorkConfig) -> dict[str, Any]:
    """The fields that change a result, as JSON values, for the fingerprint."""
    unsaid = {name for name in config.added if getattr(config, name) is None}
    without = OPERATIONAL | INPUT_PATHS | config.idle() | unsaid
    names = [field.name for field in fields(config)]
    return {name: getattr(config, name) for name in names if name not in without}


def record(config: WorkConfig) -> dict[str, Any]:
    """Every field as a JSON value, for the manifest."""
    plain = {field.name: getattr(config, field.name) for field in fields(config)}
    return {name: str(v) if isinstance(v, Path) else v for name, v in plain.items()}


def check(condition: bool, field: str, rule: str) -> None:
    """Refuse a setting.

    Raises:
        UsageError: The condition does not hold; the message names the option.
    """
    if not condition:
        raise UsageError(f"{option(field)} {rule}")


def option(field: str) -> str:
    """The option of a field, as it is typed."""
    return f"--{field.replace('_', '-')}"


def choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among the choices."""
    check(
        value in choices,
        field,
        f"must be one of {', '.join(choices)}, not {value!r}{did_you_mean(value, choices)}",
    )
