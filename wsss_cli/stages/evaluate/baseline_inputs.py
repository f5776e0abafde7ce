"""Inputs of the baselines for the images that are scored, and the commands that make the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import INDEX
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.command_line import command_line
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.saliency import UNSUPERVISED, SaliencyConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.label_folder import grey_files
from wsss_cli.data.saliency_maps import require_saliency
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.stages.evaluate.baselines import (
    LABELS,
    LOGITS,
    NEEDS,
    SALIENCY,
    Baselines,
    recorded_logits,
    recorded_saliency,
)
from wsss_cli.stages.inputs import MAPS


def find_baselines(
    config: EvaluateConfig, data_set: DataSet | None, image_ids: list[str]
) -> Baselines:
    """Collect what is there; what is not costs its baselines, not the score.

    Raises:
        WsssError: A file or folder named by an option lacks some of the images.
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
    there = {path.stem for path in folder.iterdir()} if folder.is_dir() else set()
    missing = sum(image_id not in there for image_id in image_ids)
    if missing:
        lacking[SALIENCY] = (
            f"{folder} has no map of {missing} of the {len(image_ids)} images scored"
        )
        return None
    try:
        return _read_saliency(folder, image_ids)
    except WsssError as error:
        lacking[SALIENCY] = str(error)
        return None


def _read_saliency(folder: Path, image_ids: list[str]) -> list[Path]:
    """The map of each image.

    Raises:
        WsssError: One is missing, or they are no saliency maps.
    """
    paths = grey_files(folder, image_ids, "--saliency")
    require_saliency(folder, paths, "--saliency")
    return paths


def _logits(
    config: EvaluateConfig,
    data_set: DataSet | None,
    image_ids: list[str],
    lacking: dict[str, str],
) -> npt.NDArray[np.float32] | None:
    class_names = () if data_set is None else data_set.class_names
    attention = config.run / "attend" / INDEX
    if data_set is None:
        lacking[LOGITS] = "the classes are not known; pass --data DIR"
        return None
    if config.attention is not None:
        logits = recorded_logits(config.attention, image_ids, class_names)
        if logits is None:
            raise UsageError(f"{config.attention} has no logits of some of the images to be scored")
        return logits
    logits = None
    if config.pred is None and attention.exists():
        logits = recorded_logits(attention, image_ids, class_names)
    if logits is None:
        lacking[LOGITS] = (
            f"{attention} has no class logits of the images scored"
            if attention.exists()
            else "there is no attention of the images scored, whose logits tell the labels"
        )
    return logits


def missing_baselines(
    config: EvaluateConfig, data_set: DataSet | None, baselines: Baselines
) -> dict[str, Any]:
    """The baselines that cannot be scored, with the reason and the commands that mend it.

    Returns:
        JSON values: ``baselines_missing``, by name ``reason`` and ``commands``, and
        ``baselines_commands``, those that make what all of them lack and score again.
    """
    making = {} if data_set is None else _commands(config, data_set, baselines)
    missing = {}
    for name, needs in NEEDS.items():
        lacking = [need for need in needs if need in baselines.lacking]
        if lacking:
            missing[name] = {
                "reason": "; ".join(baselines.lacking[need] for need in lacking),
                "commands": _then_again(config, {n: making[n] for n in lacking if n in making}),
            }
    return {"baselines_missing": missing, "baselines_commands": _then_again(config, making)}


@dataclass(frozen=True)
class _Making:
    """A command that makes maps, and the option of ``wsss evaluate`` that names them."""

    command: str
    option: str
    place: Path


def _commands(
    config: EvaluateConfig, data_set: DataSet, baselines: Baselines
) -> dict[str, _Making]:
    """Commands that make saliency maps or logits of the images scored, by need, in another run."""
    split = _list_of(config, data_set, baselines.image_ids)
    if split is None:
        return {}
    run = config.run.with_name(f"{config.run.name}-{split}")
    shared: dict[str, Any] = {"split": split, "data": data_set.root, "run": run}
    commands = {}
    if SALIENCY in baselines.lacking:
        manifest = _recorded(config.run / "saliency")
        model = manifest.get("inputs", {}).get("model", {}).get("path", UNSUPERVISED)
        size = _unusual(manifest, "size", SaliencyConfig.size)
        command = command_line("saliency", model=model, size=size, **shared)
        commands[SALIENCY] = _Making(command, "saliency", run / "saliency" / MAPS)
    checkpoint = _checkpoint(config.run)
    if LOGITS in baselines.lacking and checkpoint is not None:
        size = _unusual(_recorded(config.run / "attend"), "size", AttendConfig.size)
        command = command_line("attend", checkpoint=checkpoint, size=size, **shared)
        commands[LOGITS] = _Making(command, "attention", run / "attend" / INDEX)
    return commands


def _then_again(config: EvaluateConfig, making: Mapping[str, _Making]) -> list[str]:
    """The commands, then the one that scores the same with what they have made."""
    if not making:
        return []
    settings = {each.name: (getattr(config, each.name), each.default) for each in fields(config)}
    options = {n: value for n, (value, default) in settings.items() if value != default}
    options |= {maker.option: maker.place for maker in making.values()}
    run = options.pop("run", config.run)
    again = command_line("evaluate", run=run, **options)
    return [*(maker.command for maker in making.values()), again]


def _list_of(config: EvaluateConfig, data_set: DataSet, image_ids: Sequence[str]) -> str | None:
    """A list of the data set that has all images scored; None where none has."""
    predicted = _recorded(config.run / "segment").get("config", {}).get("split")
    for split in dict.fromkeys([config.split, predicted, *data_set.splits()]):
        if split in data_set.splits() and set(image_ids) <= set(data_set.image_ids(split)):
            return str(split)
    return None


def _checkpoint(run: Path) -> Path | None:
    """The attention network of the run, or that its attention was made with."""
    checkpoint = run / "train" / CHECKPOINT_FILE
    if checkpoint.exists():
        return checkpoint
    path = _recorded(run / "attend").get("inputs", {}).get("checkpoint", {}).get("path")
    return None if path is None else Path(path)


def _recorded(directory: Path) -> dict[str, Any]:
    """A stage's manifest, empty where there is none."""
    try:
        return read_manifest(directory)
    except FileNotFoundError:
        return {}


def _unusual(manifest: Mapping[str, Any], name: str, default: int) -> int | None:
    """A recorded setting where it is not at its default."""
    value = manifest.get("config", {}).get(name, default)
    return None if value == default else int(value)
