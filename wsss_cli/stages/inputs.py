"""Where a stage finds what earlier stages made."""

from itertools import islice
from pathlib import Path
from typing import Any

from wsss_cli.artifacts import attention_file, score_file
from wsss_cli.artifacts.stage_directory import MANIFEST, STAGES, read_manifest, require_complete
from wsss_cli.configs.common import CommonConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import UsageError, WsssError

MAPS, SECOND_MAPS = "maps", "second_maps"
"""Folders of ``wsss saliency``: of the image, and of what is left when that is painted over."""


def find_data(config: CommonConfig) -> DataSet:
    """The data set given, else the one that an earlier stage of the run was given.

    Raises:
        UsageError: Neither is there, or there is no data set.
    """
    tree = data_if_known(config)
    if tree is None:
        raise UsageError(
            f"{config.run} does not know its data set yet; pass --data DIR (a VOC or COCO tree, "
            "pictures with a CSV of labels, or one folder per class)"
        )
    return tree


def find_masks(tree: DataSet) -> Path:
    """The folder of the data set's true masks.

    Raises:
        UsageError: It has none; the message says how to come to some.
    """
    if tree.masks is None:
        raise UsageError(f"{tree.root} has no true masks; {tree.masks_advice}")
    return tree.masks


def require_same_classes(checkpoint: Path, class_names: tuple[str, ...], tree: DataSet) -> None:
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
    passes = manifest.get("settings", {}).get("passes")
    if passes not in (1, 2):
        raise WsssError(
            f"{directory} does not say how often it looked; run `wsss saliency` again or pass "
            "--saliency DIR"
        )
    folders = {"saliency": directory / MAPS, "second_saliency": directory / SECOND_MAPS}
    return dict(islice(folders.items(), passes))


def training_settings(run: Path) -> dict[str, Any]:
    """The recorded config of the run's training, empty where it has none."""
    try:
        config: dict[str, Any] = read_manifest(run / "train").get("config", {})
    except FileNotFoundError:
        return {}
    return config


def trained_split(given: str | None, run: Path, tree: DataSet) -> str:
    """The list given, else the one that the run was trained on, else the data set's own choice."""
    return given or training_settings(run).get("split") or tree.training_split()


def data_if_known(config: CommonConfig, scored: str | None = None) -> DataSet | None:
    """The data set given or recorded, None where there is neither.

    Args:
        config: Of the stage that asks.
        scored: Stage whose own data set counts before that of the stages before it.

    Raises:
        UsageError: What is given or recorded is no data set, or no longer there.
    """
    if config.data is not None:
        return find_data_set(config.data)
    for stage in (*([scored] if scored else []), *STAGES):
        try:
            recorded = read_manifest(config.run / stage).get("data")
        except FileNotFoundError:
            continue
        if recorded:
            return find_data_set(Path(recorded))
    return None
