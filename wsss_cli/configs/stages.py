"""The stages, one entry each: whatever lists stages goes through this table.

A new stage is its config, its module ``wsss_cli/stages/NAME.py`` with ``prepare`` and ``run``, and
its entry here. Importing this imports no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import (
    CommonConfig,
    OverwriteConfig,
    PrecisionConfig,
    SeedConfig,
    WorkConfig,
)
from wsss_cli.configs.crf import CrfConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.refine import RefineConfig
from wsss_cli.configs.saliency import SaliencyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig


@dataclass(frozen=True)
class Stage:
    """A stage that keeps its result in a directory of the run, ``RUN/NAME``.

    File patterns are relative to that directory.

    Attributes:
        config: Class of its settings.
        version: Raised when its code changes its results.
        title: What it does, for lists of commands.
        owned: Patterns of the files that make up the result.
        scratch: Patterns of files that only an unfinished result needs.
        extras: Patterns of files written on request; the result is complete without them.
        reads: Stage whose result it reads unless another input is given.
        reads_extras: Flags with which that stage must have run.
    """

    config: type[CommonConfig]
    version: int
    title: str
    owned: tuple[str, ...]
    scratch: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    reads: str | None = None
    reads_extras: tuple[str, ...] = ()


# The states that an unfinished training resumes from: the last one and the one before it.
TRAINING_STATES = ("resume.pt", "resume.earlier.pt")
# What a training of heads alone learns from.
FEATURES_FILE = "features.bin"
# What a training leaves where it logs to a tracker.
_TRACKED = ("tensorboard/events.out.tfevents.*", "tracker_runs.json")

# In the order of the chain.
STAGES: Mapping[str, Stage] = {
    "train": Stage(
        TrainConfig,
        version=2,
        title="learn where objects are, from labels alone",
        owned=("checkpoint.pt", "metrics.jsonl"),
        scratch=(*TRAINING_STATES, FEATURES_FILE),
        extras=("snapshots/*.pt", *_TRACKED),
    ),
    "attend": Stage(
        AttendConfig,
        version=2,
        title="attention maps of the training images",
        owned=("attention.h5", "shards/*.h5"),
        extras=("heatmaps/*.png",),
        reads="train",
    ),
    "saliency": Stage(
        SaliencyConfig,
        version=1,
        title="saliency maps, unless there are any",
        owned=("maps/*.png", "second_maps/*.png"),
    ),
    "proxy": Stage(
        ProxyConfig,
        version=1,
        title="proxy ground truth",
        owned=("labels/*.png",),
        reads="attend",
    ),
    "refine": Stage(
        RefineConfig,
        version=1,
        title="spread attention up to edges, or over regions",
        owned=("checkpoint.pt", "metrics.jsonl", "attention.h5", "shards/*.h5"),
        scratch=TRAINING_STATES,
        reads="attend",
    ),
    "segment": Stage(
        SegmentConfig,
        version=3,
        title="train a segmentation network on it, predict",
        owned=("checkpoint.pt", "metrics.jsonl", "predictions/*.png"),
        scratch=(*TRAINING_STATES, FEATURES_FILE),
        extras=("scores.h5", "shards/*.h5", *_TRACKED),
        reads="proxy",
    ),
    "crf": Stage(
        CrfConfig,
        version=1,
        title="snap soft predictions to the edges of the images",
        owned=("labels/*.png",),
        extras=("weights/*.png",),
        reads="segment",
        reads_extras=("probabilities",),
    ),
}
CHAIN: Mapping[str, type[WorkConfig]] = {
    **{name: stage.config for name, stage in STAGES.items()},
    "evaluate": EvaluateConfig,
    "predict": PredictConfig,
}
"""The config of everything that runs as a stage: with the two that keep no stage directory."""

# What most of them have, so that somebody may give it to all.
_OF_MOST = frozenset(
    field.name
    for config in (WorkConfig, PrecisionConfig, OverwriteConfig, SeedConfig)
    for field in fields(config)
)


def in_vain(stage: str, name: str) -> str | None:
    """Say of an option that most stages have, and this one lacks, why it does.

    Args:
        stage: Name of the stage.
        name: The option's field.

    Returns:
        How the sentence goes on after the option; None for one that is just unknown.
    """
    if stage not in CHAIN or name not in _OF_MOST:
        return None
    return f"which would change nothing that wsss {stage} does; leave it out"
