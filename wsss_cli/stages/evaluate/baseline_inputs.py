"""What the baselines need of the images that are scored, and the commands that make the rest."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import INDEX
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import option
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.saliency import UNSUPERVISED, SaliencyConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.label_folder import saliency_files
from wsss_cli.data.saliency_maps import require_saliency
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.stages.baselines import (
    LABELS,
    LOGITS,
    NEEDS,
    SALIENCY,
    Baselines,
    recorded_logits,
    recorded_saliency,
)
from wsss_cli.stages.inputs import MAPS
from wsss_cli.stages.train import CHECKPOINT_FILE


def find_baselines(
    config: EvaluateConfig, data_set: DataSet | None, image_ids: list[str]
) -> Baselines:
    """Collect what is there; what is not costs its baselines, not the score.

    Raises:
        WsssError: What was named by an option lacks some of the images.
    """
    lacking: dict[str, str] = {}
    labels = _labels(data_set, image_ids, lacking)
    saliency = _saliency(config, image_ids, lacking)
    logits = _logits(config, data_set, image_ids, lacking)
    return Baselines(image_ids, labels, saliency, logits, lacking)


def _labels(
    data_set: DataSet | None, image_ids: list[str], lacking: dict[str, str]
) -> npt.NDArray[np.bool_] | None:
    if data_set is None:
        lacking[LABELS] = "the image-level labels are not known; pass --data DIR"
        return None
    try:
        return data_set.labels(image_ids)
    except WsssError as error:
        lacking[LABELS] = str(error)
        return None


def _saliency(
    config: EvaluateConfig, image_ids: list[str], lacking: dict[str, str]
) -> list[Path] | None:
    if config.saliency is not None:
        return _read_saliency(config.saliency, image_ids)
    folder = recorded_saliency(config.run)
    if folder is None:
        lacking[SALIENCY] = f"{config.run} has no saliency maps, and --saliency DIR names none"
        return None
    try:
        return _read_saliency(folder, image_ids)
    except WsssError as error:
        there = sum((folder / f"{image_id}.png").exists() for image_id in image_ids)
        lacking[SALIENCY] = (
            str(error)
            if there == len(image_ids)
            else f"{folder} has maps of {there} of the {len(image_ids)} images scored"
        )
        return None


def _read_saliency(folder: Path, image_ids: list[str]) -> list[Path]:
    """The map of each image.

    Raises:
        WsssError: One is missing, or they are no saliency maps.
    """
    paths = saliency_files(folder, image_ids, "--saliency")
    require_saliency(folder, paths, "--saliency")
    return paths


def _logits(
    config: EvaluateConfig,
    data_set: DataSet | None,
    image_ids: list[str],
    lacking: dict[str, str],
) -> npt.NDArray[np.float32] | None:
    class_names = () if data_set is None else data_set.class_names
    own = config.run / "attend" / INDEX
    if data_set is None:
        lacking[LOGITS] = "the classes are not known; pass --data DIR"
        return None
    if config.attention is not None:
        logits = recorded_logits(config.attention, image_ids, class_names)
        if logits is None:
            raise UsageError(f"{config.attention} has no logits of some of the images to be scored")
        return logits
    logits = None
    if config.pred is None and own.exists():
        logits = recorded_logits(own, image_ids, class_names)
    if logits is None:
        lacking[LOGITS] = (
            f"{own} has no class logits of the images scored"
            if own.exists()
            else "there is no attention of the images scored, whose logits tell the labels"
        )
    return logits


def missing_baselines(
    config: EvaluateConfig, data_set: DataSet | None, baselines: Baselines
) -> dict[str, Any]:
    """The baselines that were not scored, with the reason and the commands that mend it.

    Returns:
        JSON values: ``baselines_missing``, by name ``reason`` and ``commands``, and
        ``baselines_commands``, those that make what all of them lack and score again.
    """
    missing = {}
    every: dict[str, None] = {}
    maps: dict[str, list[str]] = {}
    if data_set is not None:
        maps = _making(config, data_set, baselines)
    for name, needs in NEEDS.items():
        lacking = [need for need in needs if need in baselines.lacking]
        if not lacking:
            continue
        commands = [shlex.join(maps[need]) for need in lacking if need in maps]
        if commands:
            commands.append(_scored_again(config, data_set, baselines, [*lacking]))
        every |= dict.fromkeys(commands[:-1])
        missing[name] = {
            "reason": "; ".join(baselines.lacking[need] for need in lacking),
            "commands": commands,
        }
    commands = list(every)
    if commands:
        commands.append(_scored_again(config, data_set, baselines, list(baselines.lacking)))
    return {"baselines_missing": missing, "baselines_commands": commands}


def _making(
    config: EvaluateConfig, data_set: DataSet, baselines: Baselines
) -> dict[str, list[str]]:
    """The command that makes saliency maps or logits of the images scored, by need."""
    split = _list_of(config, data_set, baselines.image_ids)
    if split is None:
        return {}
    shared = ["--split", split, "--data", str(data_set.root), "--run", str(_beside(config, split))]
    commands = {}
    if SALIENCY in baselines.lacking:
        recorded = _recorded(config.run / "saliency")
        given = recorded.get("inputs", {}).get("model", {}).get("path", UNSUPERVISED)
        size = _if_other("size", recorded, SaliencyConfig.size)
        commands[SALIENCY] = ["wsss", "saliency", "--model", given, *size, *shared]
    checkpoint = _checkpoint(config.run)
    if LOGITS in baselines.lacking and checkpoint is not None:
        size = _if_other("size", _recorded(config.run / "attend"), AttendConfig.size)
        commands[LOGITS] = ["wsss", "attend", "--checkpoint", str(checkpoint), *size, *shared]
    return commands


def _scored_again(
    config: EvaluateConfig,
    data_set: DataSet | None,
    baselines: Baselines,
    needs: Sequence[str],
) -> str:
    """The command that scores the same with the maps that the other commands make."""
    split = None if data_set is None else _list_of(config, data_set, baselines.image_ids)
    words = ["wsss", "evaluate", "--run", str(config.run)]
    for each in fields(config):
        value = getattr(config, each.name)
        if each.name in ("run", "overwrite") or value == each.default:
            continue
        words += [option(each.name)] if value is True else [option(each.name), str(value)]
    place = _beside(config, split or "")
    if SALIENCY in needs:
        words += ["--saliency", str(place / "saliency" / MAPS)]
    if LOGITS in needs:
        words += ["--attention", str(place / "attend" / INDEX)]
    return shlex.join(words)


def _beside(config: EvaluateConfig, split: str) -> Path:
    """A run beside this one for maps of another list."""
    return config.run.with_name(f"{config.run.name}-{split}")


def _list_of(config: EvaluateConfig, data_set: DataSet, image_ids: Sequence[str]) -> str | None:
    """A list of the data set that has all images scored; None where none has."""
    predicted = _recorded(config.run / "segment").get("config", {}).get("split")
    for split in dict.fromkeys([config.split, predicted, *data_set.splits()]):
        if split is None or split not in data_set.splits():
            continue
        if set(image_ids) <= set(data_set.image_ids(split)):
            return str(split)
    return None


def _checkpoint(run: Path) -> Path | None:
    """The attention network of the run, or that its attention was made with."""
    own = run / "train" / CHECKPOINT_FILE
    if own.exists():
        return own
    path = _recorded(run / "attend").get("inputs", {}).get("checkpoint", {}).get("path")
    return None if path is None else Path(path)


def _recorded(directory: Path) -> dict[str, Any]:
    """A stage's manifest, empty where there is none."""
    try:
        return read_manifest(directory)
    except FileNotFoundError:
        return {}


def _if_other(name: str, manifest: Mapping[str, Any], default: object) -> list[str]:
    """An option of a recorded stage where it is not at its default."""
    value = manifest.get("config", {}).get(name, default)
    return [] if value == default else [option(name), str(value)]
