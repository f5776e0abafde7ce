"""Where a stage finds what earlier stages made."""

from itertools import islice
from pathlib import Path
from typing import Any

from wsss_cli.artifacts import attention_file, score_file
from wsss_cli.artifacts.stage_directory import MANIFEST, STAGES, read_manifest, require_complete
from wsss_cli.configs.common import CommonConfig
from wsss_cli.data.voc import VocTree
from wsss_cli.errors import UsageError, WsssError

MAPS, SECOND_MAPS = "maps", "second_maps"
"""Folders of ``wsss saliency``: of the image, and of what is left when that is painted over."""


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


def require_same_classes(checkpoint: Path, class_names: tuple[str, ...], tree: VocTree) -> None:
    """Refuse a network of other classes than the data set's.

    Raises:
        WsssError: Names both lists of classes.
    """
    if class_names != tree.class_names:
        raise WsssError(
            f"{checkpoint} was trained on {len(class_names)} classes ({', '.join(class_names)}), "
            f"but {tree.root} has {len(tree.class_names)} ({', '.join(tree.class_names)})"
        )


def find_attention(given: Path | None, run: Path) -> Path:
    """The attention file given, else the run's.

    Raises:
        UsageError: There is neither.
    """
    if given is not None:
        return given
    require_complete(run / "attend", "attend", instead="--attention FILE")
    return run / "attend" / attention_file.INDEX


def find_scores(given: Path | None, run: Path) -> Path:
    """The soft maps given, else the score file of the run's segmentation.

    Raises:
        UsageError: There are neither.
    """
    if given is not None:
        return given
    require_complete(run / "segment", "segment", instead="--scores PATH")
    return run / "segment" / score_file.INDEX


def saliency_folders(run: Path) -> dict[str, Path]:
    """The folders of maps that ``wsss saliency`` made in the run, by the option they stand for.

    Raises:
        UsageError: It began and has not finished.
    """
    directory = run / "saliency"
    if not (directory / MANIFEST).exists():
        return {}
    manifest = require_complete(directory, "saliency", instead="--saliency DIR")
    folders = {"saliency": directory / MAPS, "second_saliency": directory / SECOND_MAPS}
    return dict(islice(folders.items(), manifest["settings"]["passes"]))


def training_settings(run: Path) -> dict[str, Any]:
    """The recorded config of the run's training, empty where it has none."""
    try:
        config: dict[str, Any] = read_manifest(run / "train")["config"]
    except FileNotFoundError:
        return {}
    return config


def data_if_known(config: CommonConfig, scored: str | None = None) -> VocTree | None:
    """The data set given or recorded, None where there is neither.

    Args:
        config: Of the stage that asks.
        scored: Stage whose own data set counts before that of the stages before it.

    Raises:
        UsageError: What is given or recorded is no VOC tree, or no longer there.
    """
    if config.data is not None:
        return VocTree.find(config.data)
    for stage in (*([scored] if scored else []), *STAGES):
        try:
            recorded = read_manifest(config.run / stage).get("data")
        except FileNotFoundError:
            continue
        if recorded:
            return VocTree.find(Path(recorded))
    return None
