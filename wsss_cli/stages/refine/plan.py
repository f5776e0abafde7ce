"""The plan of ``wsss refine``: everything checked before any work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_directory import Input, StageDirectory
from wsss_cli.configs.attend import GIVEN
from wsss_cli.configs.common import record
from wsss_cli.configs.refine import RefineConfig
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.label_folder import png_files
from wsss_cli.data.map_sizes import require_size
from wsss_cli.data.region_files import RegionFiles, find_regions, has_region, region_paths
from wsss_cli.device import resolve_device, resolve_precision
from wsss_cli.errors import WsssError
from wsss_cli.labels import IGNORE
from wsss_cli.models.edge_network import EdgeNetwork
from wsss_cli.models.pretrained import InitialWeights, initial_weights
from wsss_cli.stages.attention_check import require_labelled_classes
from wsss_cli.stages.input_kinds import (
    attention_input,
    file_input,
    images_input,
    pictures_input,
    regions_input,
)
from wsss_cli.stages.inputs import (
    find_attention,
    find_data,
    find_proxies,
    trained_weights,
    training_settings,
)
from wsss_cli.stages.label_map_check import require_recorded_classes
from wsss_cli.stages.optimisation.trainer import require_shares
from wsss_cli.stages.refine.edge_file import read_edges
from wsss_cli.stages.result import result_directory
from wsss_cli.tracking import Track


@dataclass(frozen=True)
class RefinePlan:
    """Everything checked before any work.

    Attributes:
        labels: Whose labels the maps are of, as the attention file says.
        label_maps: Confident label map of every image, with ``--edges``; else empty.
        regions: Files of the regions of every image, with ``--regions``; else empty.
        sizes: (H, W) of every image.
        backbone: Trunk of the edge network, with ``--edges``.
        weights: Its weights.
        network: The edge network given, with ``--checkpoint``; else None.
    """

    config: RefineConfig
    attention: Path
    data_set: DataSet
    labels: str
    image_ids: list[str]
    sizes: list[tuple[int, int]]
    label_maps: dict[str, Path]
    regions: dict[str, RegionFiles]
    backbone: str
    weights: InitialWeights
    network: EdgeNetwork | None
    device: torch.device
    precision: str
    directory: StageDirectory

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "data": str(self.data_set.root),
            "attention": str(self.attention),
            "images": len(self.image_ids),
            "device": str(self.device),
            "precision": self.precision,
        }


def prepare(config: RefineConfig, track: Track) -> RefinePlan:
    """Check attention, labels, regions, weights, device and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    config.require_way()
    attention = find_attention(config.attention, config.run, config.data)
    data_set = find_data(config)
    device = resolve_device(config.device)
    precision = resolve_precision(config.amp, device)
    if config.edges:
        require_shares(config.batch_size)
    with AttentionFile(attention, data_set.class_names) as file:
        image_ids = file.image_ids
        sizes = image_sizes(data_set, image_ids, track.note)
        for image_id, size in zip(image_ids, sizes, strict=True):
            require_size(f"{attention}: image {image_id}", file.outline(image_id).size, size)
        for sentence in require_labelled_classes(file, data_set, image_ids):
            track.note(sentence)
        labels = file.labels or GIVEN
        inputs = {"attention": attention_input(file)}
    inputs["images"] = images_input(data_set, image_ids)
    label_maps: dict[str, Path] = {}
    regions: dict[str, RegionFiles] = {}
    weights, backbone = InitialWeights(), ""
    network = None
    if config.checkpoint is not None:
        network = read_edges(config.checkpoint)
        inputs["checkpoint"] = file_input(config.checkpoint)
    elif config.regions is not None:
        regions = find_regions(config.regions, image_ids)
        inputs["regions"] = regions_input(config.regions, region_paths(regions))
        # What is wrong with one is mostly wrong with all: seen now, it costs no earlier result.
        if not any(has_region(regions[i], size) for i, size in zip(image_ids, sizes, strict=True)):
            raise WsssError(
                f"--regions {config.regions}: none of the {len(image_ids):,} images has a region "
                "there; give the folder that has them"
            )
    else:
        folder = find_proxies(config.proxy, config.run, config.data)
        paths = png_files(folder, image_ids, "--proxy")
        option = None if config.proxy is None else "--proxy"
        require_recorded_classes(folder, option, data_set.class_names, data_set.root)
        label_maps = dict(zip(image_ids, paths, strict=True))
        _check_label_maps(folder, paths, sizes, len(data_set.class_names) + 1)
        inputs["proxy"] = pictures_input(folder, paths)
        backbone = config.backbone or training_settings(config.run).get("backbone", "vgg16")
        wanted = config.weights or trained_weights(config.run, backbone)
        weights = initial_weights(wanted, backbone, track)
        inputs["weights"] = Input(Path(weights.name), weights.fingerprint)
    directory = result_directory(
        "refine",
        config,
        inputs,
        data=data_set.root,
        class_names=data_set.class_names,
        device=device,
        resolved={
            **({} if config.regions else {"precision": precision}),  # no network draws regions
            **({"backbone": backbone} if backbone else {}),
        },
        recorded={"weights": weights.name} if backbone else {},
        lowerable=("lr",) if config.edges else (),
    )
    return RefinePlan(
        config=config,
        attention=attention,
        data_set=data_set,
        labels=labels,
        image_ids=image_ids,
        sizes=sizes,
        label_maps=label_maps,
        regions=regions,
        backbone=backbone,
        weights=weights,
        network=network,
        device=device,
        precision=precision,
        directory=directory,
    )


def _check_label_maps(
    folder: Path, paths: list[Path], sizes: list[tuple[int, int]], num_labels: int
) -> None:
    """Read every label map once.

    Raises:
        WsssError: One is broken or of another size than its image, or none has two labels.
    """
    parted = False
    for path, size in zip(paths, sizes, strict=True):
        label_map = read_label_map(path, num_labels=num_labels)
        require_size(str(path), label_map.shape, size)
        labels = label_map[label_map != IGNORE]
        parted = parted or (labels.size > 0 and labels.min() != labels.max())
    if not parted:
        raise WsssError(
            f"--proxy {folder}: no label map has more than one label, so there is no edge to learn "
            "from; make others, such as those of `wsss proxy --rule irn`"
        )
