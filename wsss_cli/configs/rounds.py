"""Settings of ``wsss rounds``: segmentation networks that label for the next one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from wsss_cli.configs.common import CommonConfig, DeviceConfig, SeedConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.setting import Config, Role, same_as, setting
from wsss_cli.configs.train import TrainConfig


@dataclass(frozen=True)
class RoundsConfig(Config):
    """Train, label, segment, and let each network label for the next, in one table.

    Examples:
      wsss rounds rounds.toml --data VOC2012 --saliency saliency_maps
      wsss rounds rounds.toml --data VOC2012 --saliency saliency_maps --dry-run
      wsss show runs/rounds/round-2

    The file has the tables of --config for the first round; its [segment] is for all of them. Each
    [[relabel]] is one more round, in which the network before predicts the training images, told
    their labels. Its tables say what becomes of that, none of them: it is learned from as it is.
      [train]
      iterations = 2000
      [segment]
      iterations = 4000
      [[relabel]]
      crf.uncertainty = true
      [[relabel]]
      proxy.rule = "masked"
      segment.lr = 0.0005
    crf refines the prediction, with crf.uncertainty its weights of pixels are learned with; proxy
    makes labels of the prediction and the attention of the first round; segment has the options of
    that round.

    Writes OUT/rounds.md and rounds.json: the scores of the labels and of the network of each round,
    and what it gained. OUT/round-N and OUT/round-N-labels are ordinary runs. Stopped, it continues
    when the same command is run again; what is complete is not repeated.
    """

    file: Path = setting(
        Path("rounds.toml"), "TOML file of the rounds.", role=Role.INPUT, argument="FILE"
    )
    out: Path = setting(Path("runs/rounds"), "Where the runs and the table go.")
    data: Path | None = same_as(CommonConfig, "data", unset="none")
    saliency: Path | None = setting(
        None, "Folder of saliency maps, grey pictures by image id.", role=Role.INPUT
    )
    weights: str | None = same_as(TrainConfig, "weights")
    device: str = same_as(DeviceConfig, "device")
    workers: int | None = same_as(CommonConfig, "workers")
    seed: int = same_as(SeedConfig, "seed")


class Link(NamedTuple):
    """A stage of a round, by its name, and the config that it runs with."""

    stage: str
    config: Any


@dataclass(frozen=True)
class Round:
    """The configs of a round.

    Attributes:
        directory: The run of its network.
        links: The stages in their order; the last one trains the network.
        source: Folder of the label maps that it learns from.
        labels: The evaluation of these, against those of the round before.
        network: The evaluation of the network's predictions, against the network before.
        commands: The command lines that say the same.
    """

    directory: Path
    links: tuple[Link, ...]
    source: Path
    labels: EvaluateConfig
    network: EvaluateConfig
    commands: tuple[str, ...]
