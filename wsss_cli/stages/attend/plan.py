"""What ``wsss attend`` checks and reads before the first image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.stage_directory import Input, StageDirectory, require_complete
from wsss_cli.configs.attend import PREDICTED, AttendConfig
from wsss_cli.configs.common import record
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.scales import MOST_ASPECT
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.label_summary import count_negatives
from wsss_cli.device import resolve_device, resolve_precision
from wsss_cli.errors import UsageError, listing
from wsss_cli.methods.network_file import load_network
from wsss_cli.methods.protocol import AttentionNetwork
from wsss_cli.models.onnx_attention import OnnxAttention
from wsss_cli.stages.erasing import check_mined, mined_before
from wsss_cli.stages.input_kinds import file_input, images_input
from wsss_cli.stages.inputs import find_data, require_same_classes, trained_split
from wsss_cli.stages.result import result_directory
from wsss_cli.tracking import Track


@dataclass(frozen=True)
class AttendPlan:
    """Everything checked and read before the first image.

    Attributes:
        labels: (N, C) of every image; None where the network predicts them.
        sizes: (H, W) of every image.
        erase: Attention of the round before.
        merge: How the maps of several views become one.
    """

    config: AttendConfig
    data_set: DataSet
    split: str
    image_ids: list[str]
    labels: npt.NDArray[np.bool_] | None
    sizes: list[tuple[int, int]]
    network: AttentionNetwork
    erase: Path | None
    erase_threshold: float
    merge: str
    device: torch.device
    precision: str
    directory: StageDirectory

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "data": str(self.data_set.root),
            "split": self.split,
            "images": len(self.image_ids),
            "maps": None if self.labels is None else int(self.labels.sum()),
            "negatives": None if self.labels is None else count_negatives(self.labels),
            self.config.source: str(self.directory.inputs[self.config.source].path),
            "erase": None if self.erase is None else str(self.erase),
            "merge": self.merge,
            "device": str(self.device),
            "precision": self.precision,
        }


def prepare(config: AttendConfig, track: Track) -> AttendPlan:
    """Check data, checkpoint, device and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    data_set = find_data(config)
    network, trained_with, source = _network(config, data_set)
    erase = mined_before(config)
    split = trained_split(config.split, config.run, data_set)
    image_ids = data_set.image_ids(split)
    labels = None if config.labels == PREDICTED else data_set.labels(image_ids)
    sizes = image_sizes(data_set, image_ids, track.note)
    squeezed = [i for i, size in zip(image_ids, sizes, strict=True) if config.is_squeezed(size)]
    if squeezed:
        track.note(
            f"--keep-aspect squeezes {len(squeezed):,} images that are more than {MOST_ASPECT} "
            f"times as long as wide to that: {listing(squeezed)}"
        )
    device = resolve_device(config.device)
    precision = resolve_precision(config.amp, device)
    inputs = {"data": images_input(data_set, image_ids, labels), **source}
    if erase is not None:
        if labels is None:
            raise UsageError(
                f"--labels {PREDICTED}: rounds hide from the network what {erase} found of the "
                "labels given, so it cannot name them itself; leave --labels or --erase out, or "
                "give --checkpoint alone to attend whole images"
            )
        inputs["erase"] = check_mined(erase, data_set, image_ids, labels, sizes)
    directory = result_directory(
        "attend",
        config,
        inputs,
        data=data_set.root,
        class_names=data_set.class_names,
        device=device,
        resolved={"split": split, "precision": precision},
    )
    return AttendPlan(
        config=config,
        data_set=data_set,
        split=split,
        image_ids=image_ids,
        labels=labels,
        sizes=sizes,
        network=network,
        erase=erase,
        erase_threshold=trained_with.erase_threshold,
        merge=config.merge or METHODS[trained_with.method].merge,
        device=device,
        precision=precision,
        directory=directory,
    )


def _network(
    config: AttendConfig, data_set: DataSet
) -> tuple[AttentionNetwork, TrainConfig, dict[str, Input]]:
    """The network, the settings that it was trained with, and the file that it is read from.

    What another tool has trained counts as CAM.

    Raises:
        WsssError: The file is missing, broken or of other classes.
    """
    if config.model is not None:
        network = OnnxAttention(config.model, data_set.class_names, config.mean, config.deviation)
        network.require_maps((config.size, config.size), features=config.prototypes)
        return network, TrainConfig(method="cam"), {config.source: file_input(config.model)}
    checkpoint = config.checkpoint
    if checkpoint is None:
        require_complete(
            config.run / "train", "train", instead="--checkpoint FILE", data=config.data
        )
        checkpoint = config.run / "train" / CHECKPOINT_FILE
    trained, trained_with, class_names = load_network(checkpoint)
    require_same_classes(checkpoint, class_names, data_set)
    return trained, trained_with, {config.source: file_input(checkpoint)}
