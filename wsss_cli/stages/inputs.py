"""Where a stage finds what earlier stages made."""

from pathlib import Path
from typing import Any

from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.common import CommonConfig
from wsss_cli.data.voc import VocTree
from wsss_cli.errors import UsageError

STAGES = ("train", "attend", "proxy", "segment")


def find_data(config: CommonConfig) -> VocTree:
    """The data set given, else the one that an earlier stage of the run was given.

    Raises:
        UsageError: Neither is there, or there is no VOC tree.
    """
    tree = data_if_known(config)
    if tree is None:
        raise UsageError(
            f"{config.run} does not know its data set yet; pass --data DIR (a tree in VOC's layout)"
        )
    return tree


def training_settings(run: Path) -> dict[str, Any] | None:
    """The recorded config of the run's training, None where it has none."""
    try:
        config: dict[str, Any] = read_manifest(run / "train")["config"]
    except FileNotFoundError:
        return None
    return config


def data_if_known(config: CommonConfig) -> VocTree | None:
    """The data set given or recorded, None where there is neither.

    Raises:
        UsageError: What is given or recorded is no VOC tree, or no longer there.
    """
    if config.data is not None:
        return VocTree.find(config.data)
    for stage in STAGES:
        try:
            recorded = read_manifest(config.run / stage).get("data")
        except FileNotFoundError:
            continue
        if recorded:
            return VocTree.find(Path(recorded))
    return None
