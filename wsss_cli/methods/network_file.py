"""The attention network and its file: built for a method, written to a checkpoint, read back."""

from collections.abc import Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from wsss_cli.artifacts.checkpoint import read_checkpoint, require_names, write_checkpoint
from wsss_cli.configs.common import settings
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods.protocol import AttentionNetwork
from wsss_cli.models.checkpoint_fit import content_of, rebuilt
from wsss_cli.models.pretrained import InitialWeights
from wsss_cli.models.trunks import build_trunk

CHECKPOINT_KIND = "attention"


def import_method(name: str) -> ModuleType:
    """Import the module of a method, by the name that ``--method`` takes."""
    return import_module(f"wsss_cli.methods.{name}")


def build_network(config: TrainConfig, num_classes: int, weights: InitialWeights) -> Any:  # noqa: ANN401
    """Build trunk and heads of the config's method: a module that is an AttentionNetwork."""
    trunk = build_trunk(config.backbone, config.stride)
    weights.load_into(trunk)
    trunk.freeze(config.frozen_blocks)
    return import_method(config.method).build(trunk, num_classes, config)


def write_network(
    path: Path, config: TrainConfig, class_names: Sequence[str], network: nn.Module
) -> None:
    """Write a checkpoint that :func:`load_network` reads.

    Args:
        path: The file.
        config: Settings of the training; those that change a result are stored.
        class_names: Names of classes 1..C.
        network: Built by :func:`build_network` with the same config.

    Raises:
        WsssError: The disk is full.
    """
    write_checkpoint(
        path,
        CHECKPOINT_KIND,
        {
            "class_names": list(class_names),
            "config": {**settings(config), "lr_steps": list(config.lr_steps)},
            "network": network.state_dict(),
        },
    )


def load_network(path: Path) -> tuple[AttentionNetwork, TrainConfig, tuple[str, ...]]:
    """Rebuild a trained attention network from its checkpoint.

    Returns:
        The network on the CPU, in evaluation mode; the settings it was built with; class names.

    Raises:
        WsssError: The file is no such checkpoint.
    """
    content = read_checkpoint(path, CHECKPOINT_KIND)
    with content_of(path, "attention network"):
        require_names(content["class_names"])
        names_of_settings = {field.name for field in fields(TrainConfig)}
        stored = {
            name: value for name, value in content["config"].items() if name in names_of_settings
        }
        config = TrainConfig(**{**stored, "lr_steps": tuple(stored["lr_steps"])})
        names = tuple(content["class_names"])
        network = rebuilt(
            lambda: build_network(config, len(names), InitialWeights()), content["network"]
        )
    return network.eval(), config, names
