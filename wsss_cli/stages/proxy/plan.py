"""What ``wsss proxy`` is to do, checked before the first label map."""

from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.configs.common import record
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.setting import option
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import check_images
from wsss_cli.data.label_folder import grey_files, png_files
from wsss_cli.data.saliency_maps import require_saliency
from wsss_cli.device import resolve_device
from wsss_cli.labels import IGNORE
from wsss_cli.stages.attention_check import require_labelled_classes
from wsss_cli.stages.input_kinds import attention_input, images_input, pictures_input
from wsss_cli.stages.inputs import (
    data_if_known,
    find_attention,
    require_photographs,
    rule_prediction,
    rule_saliency,
)
from wsss_cli.stages.label_map_check import require_predicted_classes
from wsss_cli.stages.proxy.rule import labeller
from wsss_cli.stages.result import result_directory
from wsss_cli.tracking import Track


@dataclass(frozen=True)
class ProxyPlan:
    """Everything checked before the first label map.

    Attributes:
        class_names: Names of classes 1..C, None where neither data nor attention tell.
        potential: Second attention file; None for a rule that takes none.
        grey_maps: The map of each image, by the option that named their folder.
        predictions: The predicted label map of each image, for a rule that revises labels.
    """

    config: ProxyConfig
    attention: Path
    potential: Path | None
    data_set: DataSet | None
    class_names: tuple[str, ...] | None
    image_ids: list[str]
    grey_maps: dict[str, dict[str, Path]]
    predictions: dict[str, Path]
    device: torch.device
    directory: StageDirectory

    @property
    def num_labels(self) -> int:
        """Labels including background, as far as the classes are known."""
        return IGNORE if self.class_names is None else len(self.class_names) + 1

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "attention": str(self.attention),
            "images": len(self.image_ids),
            "device": str(self.device),
        }


def prepare(config: ProxyConfig, track: Track) -> ProxyPlan:
    """Check attention, saliency and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    attention = find_attention(config.attention, config.run, config.data)
    folders = rule_saliency(config)
    prediction = rule_prediction(config)
    data_set = data_if_known(config)
    require_photographs(config, data_set)
    # Rules take less time than the way to a GPU and back; the CRF does not.
    device = resolve_device("cpu" if config.viewer is None else config.device)
    known_names = data_set.class_names if data_set is not None else None
    with AttentionFile(attention, known_names) as file:
        image_ids = file.image_ids
        grey_maps = {
            name: dict(zip(image_ids, grey_files(folder, image_ids, option(name)), strict=True))
            for name, folder in folders.items()
        }
        for name, folder in folders.items():
            for sentence in require_saliency(folder, list(grey_maps[name].values()), option(name)):
                track.note(sentence)
        if config.attention is not None and data_set is not None:
            for sentence in require_labelled_classes(file, data_set, image_ids):
                track.note(sentence)
        inputs = {"attention": attention_input(file)}
        potential = _potential(config, attention)
        if potential is not None:
            with AttentionFile(
                potential, file.class_names, option="--potential-attention"
            ) as second:
                second.require(image_ids)
                inputs["potential_attention"] = attention_input(second)
        for name, folder in folders.items():
            inputs[name] = pictures_input(folder, grey_maps[name].values())
        if config.viewer is not None and data_set is not None:
            check_images(map(data_set.image_path, image_ids))
            inputs["images"] = images_input(data_set, image_ids)
        predictions: dict[str, Path] = {}
        if prediction is not None:
            paths = png_files(prediction, image_ids, "--prediction")
            predictions = dict(zip(image_ids, paths, strict=True))
            for sentence in require_predicted_classes(
                prediction, predictions, file, config.workers
            ):
                track.note(sentence)
            inputs["prediction"] = pictures_input(prediction, paths)
        class_names = file.class_names
    directory = result_directory(
        "proxy",
        config,
        inputs,
        data=None if data_set is None else data_set.root,
        class_names=class_names,
        device=device,
    )
    return ProxyPlan(
        config=config,
        attention=attention,
        potential=potential,
        data_set=data_set,
        class_names=class_names,
        image_ids=image_ids,
        grey_maps=grey_maps,
        predictions=predictions,
        device=device,
        directory=directory,
    )


def _potential(config: ProxyConfig, attention: Path) -> Path | None:
    """The second attention of a rule that takes one: the file given, else the first one."""
    if "potential" not in signature(labeller(config)).parameters:
        return None
    return config.potential_attention or attention
