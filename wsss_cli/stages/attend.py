"""``wsss attend``: say, for each image and each of its classes, where the class is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli import ranks
from wsss_cli.artifacts.attention_file import (
    INDEX,
    AttentionFile,
    ImageAttention,
)
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE, class_word
from wsss_cli.artifacts.heatmap_png import write_heatmap
from wsss_cli.artifacts.stage_directory import Input, StageDirectory, require_complete
from wsss_cli.configs.attend import PREDICTED, AttendConfig
from wsss_cli.configs.common import record
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.scales import MOST_ASPECT
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.label_summary import count_negatives
from wsss_cli.data.mined_regions import MinedRegions
from wsss_cli.data.resizing import enlarge_maps, resize_image
from wsss_cli.device import autocast, resolve_device, resolve_precision
from wsss_cli.errors import UsageError, listing
from wsss_cli.methods.network_file import load_network
from wsss_cli.methods.protocol import AttentionNetwork, BranchMaps
from wsss_cli.models.onnx_attention import OnnxAttention
from wsss_cli.ops.attention import MERGES, fuse_on_grid, resize_bicubic
from wsss_cli.ops.colour_refinement import refine_by_colour
from wsss_cli.ops.image_prototypes import redrawn
from wsss_cli.ops.predicted_labels import predicted_labels
from wsss_cli.stages.attention_maps import write_maps
from wsss_cli.stages.empty_maps import are_empty, warnings
from wsss_cli.stages.erasing import check_mined, mined_before, mined_regions
from wsss_cli.stages.image_loop import Share, pipeline
from wsss_cli.stages.input_kinds import file_input, images_input
from wsss_cli.stages.inputs import find_data, require_same_classes, trained_split
from wsss_cli.stages.result import Report, make, result_directory
from wsss_cli.tracking import Track

HEATMAPS = "heatmaps"


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


def run(config: AttendConfig, *, track: Track) -> Report:
    """Write the attention maps, shard by shard, leaving out shards that are there.

    Raises:
        WsssError: The inputs are wrong or the disk is full.
    """
    plan = prepare(config, track)
    report = make(plan.directory, _write_maps, plan, track, overwrite=config.overwrite)
    if not config.heatmaps:
        return report
    with plan.directory.claimed():
        plan.directory.reopen()
        drawn, empty = _draw_heatmaps(plan, track)
    return replace(
        report,
        up_to_date=report.up_to_date and not drawn,
        values={**report.values, "heatmaps": drawn, "empty_heatmaps": empty},
    )


def _write_maps(plan: AttendPlan, track: Track) -> dict[str, Any]:
    """Write the maps that are missing; returns the counts."""
    directory = plan.directory
    directory.begin(overwrite=plan.config.overwrite)
    track.note(f"{len(plan.image_ids)} images of {plan.split}, {plan.device} in {plan.precision}")
    plan.network.eval().to(plan.device).to(memory_format=torch.channels_last)
    with mined_regions(plan.erase, plan.data_set.class_names, plan.erase_threshold) as mined:
        made = write_maps(
            directory.path,
            plan.image_ids,
            plan.data_set.class_names,
            plan.config.labels,
            partial(_attend, plan, mined),
            track,
            "attending",
        )
    negatives = 0 if plan.labels is None else count_negatives(plan.labels)
    return {**made, "negatives": negatives, "warnings": warnings(made)}


def _attend(
    plan: AttendPlan, mined: MinedRegions | None, image_ids: Sequence[str]
) -> Iterator[dict[str, ImageAttention]]:
    """Attention of some images, batch by batch: decoding ahead in threads, fusing behind in one."""
    config = plan.config
    rows = {image_id: row for row, image_id in enumerate(plan.image_ids)}

    def load(image_id: str) -> _Views:
        image = plan.data_set.read_image(image_id)
        if mined is not None:
            image = mined.erase(image_id, image)
        size = image.shape[0], image.shape[1]
        resized = partial(resize_image, image)
        return _Views(
            rows[image_id],
            [torch.from_numpy(resized(each)) for each in config.view_sizes(size)],
            None
            if config.colour_steps is None
            else torch.from_numpy(resized(config.colour_size(size))),
        )

    def compute(images: Iterator[_Views]) -> Iterator[tuple[list[_Views], list[BranchMaps]]]:
        for batch in of_one_size(images, config.batch_size):
            scales = zip(*[image.scales for image in batch], strict=True)
            with torch.inference_mode(), autocast(plan.device, plan.precision):
                pixels = [
                    torch.stack(views).permute(0, 3, 1, 2).to(plan.device) for views in scales
                ]
                labels, logits = _labels(plan, [image.row for image in batch], pixels[0])
                look = partial(
                    attention_of,
                    plan.network,
                    labels=labels,
                    flip=config.flip,
                    prototypes=config.prototypes,
                )
                raw = []
                for view in pixels:
                    seen = look(view)
                    raw.append(seen.without_features())
            if logits is not None:  # those that the labels are from, to the last bit
                raw[0] = replace(raw[0], logits=logits)
            yield batch, raw  # outside: the mode must not leak into the caller

    def fuse(computed: tuple[list[_Views], list[BranchMaps]]) -> dict[str, ImageAttention]:
        batch, raw = computed
        pairs, logits = raw[0].pairs, raw[0].logits  # pairs are the same at every scale
        fused = {}
        for position, image in enumerate(batch):
            image_id, size = plan.image_ids[image.row], plan.sizes[image.row]
            of_image = pairs[:, 0] == position
            with torch.inference_mode():
                views = [scale.maps[of_image] for scale in raw]
                maps = merged(config, plan.merge, views, image.colours, size, config.map_size(size))
            attention = ImageAttention(
                maps.half().cpu().numpy(),
                (pairs[of_image, 1] + 1).to(torch.uint8).cpu().numpy(),
                size,
                logits[position].float().cpu().numpy(),
            )
            if mined is not None:
                attention = mined.merge(image_id, attention)
            fused[image_id] = attention
        return fused

    return pipeline(image_ids, load, compute, fuse, config.workers)


@dataclass(frozen=True)
class _Views:
    """What is looked at of an image.

    Attributes:
        row: The image's row in the plan.
        scales: (h, w, 3) uint8 RGB at each scale.
        colours: (h, w, 3) uint8 RGB on the grid on which colours are compared, if they are.
    """

    row: int
    scales: list[Tensor]
    colours: Tensor | None


def of_one_size(images: Iterator[_Views], batch_size: int) -> Iterator[list[_Views]]:
    """Batches of images whose views have the same sizes, of so many at a time as a batch has."""
    while batch := list(islice(images, batch_size)):
        by_size: dict[tuple[torch.Size, ...], list[_Views]] = {}
        for image in batch:
            by_size.setdefault(tuple(view.shape for view in image.scales), []).append(image)
        yield from by_size.values()


def merged(
    config: AttendConfig,
    merge: str,
    views: Sequence[Tensor],
    colours: Tensor | None,
    size: tuple[int, int],
    map_size: tuple[int, int],
) -> Tensor:
    """One map for each class of an image, which follows its colours if that is asked for.

    Args:
        config: ``colour_steps``.
        merge: Name of the way in which views become one.
        views: Raw maps (K, N, h, w), one for every scale with its own h and w.
        colours: (h, w, 3) uint8 RGB on the grid for colours; None leaves them out.
        size: (H, W) of the image.
        map_size: (h, w) of the maps.

    Returns:
        (K, h, w) float32 in [0, 1].
    """
    if colours is None:
        return MERGES[merge](views, map_size)
    maps = MERGES[merge](views, config.colour_size(size))
    image = colours.permute(2, 0, 1).to(maps.device)
    refined = refine_by_colour(maps, image, config.colour_steps or 0)
    with torch.autocast(maps.device.type, enabled=False):
        return resize_bicubic(refined, map_size).clamp_(0, 1)


def _labels(plan: AttendPlan, batch: Sequence[int], images: Tensor) -> tuple[Tensor, Tensor | None]:
    """Decide which classes get a map in a batch.

    Without any class asked for, a network's account of its attention is its logits alone: one more
    pass of the trunk, at the first scale.

    Args:
        plan: The stage's plan.
        batch: Rows of B images in the plan.
        images: (B, 3, h, w) RGB in 0..255, at the first scale.

    Returns:
        (B, C) multi-hot labels, and the (B, C) logits that they were predicted from, if they were.
    """
    if plan.labels is not None:
        return torch.from_numpy(plan.labels[batch]).float().to(plan.device), None
    return labels_by_network(plan.network, images, len(plan.data_set.class_names))


def labels_by_network(
    network: AttentionNetwork, images: Tensor, num_classes: int
) -> tuple[Tensor, Tensor]:
    """The classes that a network itself finds in images.

    Args:
        network: In evaluation mode.
        images: (B, 3, h, w) RGB in 0..255.
        num_classes: C.

    Returns:
        (B, C) multi-hot labels, and the (B, C) logits that they were predicted from.
    """
    nothing = torch.zeros(len(images), num_classes, device=images.device)
    logits = network.attention(images, nothing).logits
    return predicted_labels(logits), logits


def attention_of(
    network: AttentionNetwork,
    images: Tensor,
    labels: Tensor,
    *,
    flip: bool,
    prototypes: bool = False,
) -> BranchMaps:
    """Raw maps of the present classes, both orientations in one pass.

    Args:
        network: In evaluation mode.
        images: (B, 3, h, w) RGB in 0..255.
        labels: (B, C) multi-hot float.
        flip: Add the maps of the mirrored images, mirrored back, as further branches.
        prototypes: Make one map of the branches and redraw it by the prototypes of each image.

    Returns:
        Maps (P, N, h, w) with N = 1 for ``prototypes``; with ``flip`` (P, 2 N, h, w).
    """
    if not flip:
        seen = network.attention(images, labels)
        return by_prototypes(seen) if prototypes else seen
    both = network.attention(torch.cat((images, images.flip(-1))), torch.cat((labels, labels)))
    both = by_prototypes(both) if prototypes else both
    upright, mirrored = both.maps.chunk(2)  # pairs are ordered by image
    return BranchMaps(
        both.logits[: len(images)],
        both.pairs[: len(upright)],
        torch.cat((upright, mirrored.flip(-1)), dim=1),
        both.features[: len(images)],
    )


def by_prototypes(seen: BranchMaps) -> BranchMaps:
    """One map for each class, redrawn by what in the same image resembles it.

    Args:
        seen: Raw maps (P, N, h, w) with the features that they are from.

    Returns:
        The same with maps (P, 1, h, w) in [0, 1].
    """
    maps = fuse_on_grid(seen.maps)
    counts = seen.pairs[:, 0].bincount(minlength=len(seen.features)).tolist()
    images = zip(torch.split(maps, counts), seen.features, strict=True)
    drawn = [redrawn(of_image, features) for of_image, features in images if len(of_image)]
    return replace(seen, maps=torch.cat([maps[:0], *drawn])[:, None])


def _draw_heatmaps(plan: AttendPlan, track: Track) -> tuple[int, int]:
    """Draw the heatmaps that are missing; returns their number, and how many are of empty maps."""
    folder = plan.directory.path / HEATMAPS
    names = plan.data_set.class_names
    drawn = empty = 0
    with AttentionFile(plan.directory.path / INDEX) as file:

        def paths(image_id: str) -> list[Path]:
            class_ids = file.outline(image_id).class_ids.tolist()
            return [folder / f"{image_id}_{class_word(names[c - 1], c)}.png" for c in class_ids]

        def draw(image_id: str) -> npt.NDArray[np.float32]:
            attention, image = file.read(image_id), plan.data_set.read_image(image_id)
            maps = enlarge_maps(attention.maps, attention.size)
            for path, attention_map in zip(paths(image_id), maps, strict=True):
                write_heatmap(path, image, attention_map)
            return maps

        share = Share(plan.image_ids, lambda i: not all(path.exists() for path in paths(i)))
        for maps in share.follow(map(draw, share.missing), track, "drawing"):
            drawn += len(maps)
            empty += int(are_empty(maps).sum())
    return sum(ranks.counted(drawn)), sum(ranks.counted(empty))
