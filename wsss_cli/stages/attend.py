"""``wsss attend``: say, for each image and each of its classes, where the class is."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli import ranks
from wsss_cli.artifacts.attention_file import (
    INDEX,
    LABELS,
    LAYOUT,
    AttentionFile,
    ImageAttention,
    write_shard,
)
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE, class_word
from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.artifacts.heatmap_png import write_heatmap
from wsss_cli.artifacts.image_groups import SHARD_IMAGES, SHARDS, shard_path, write_index
from wsss_cli.artifacts.stage_directory import STAGES, Input, StageDirectory, require_complete
from wsss_cli.configs.attend import PREDICTED, AttendConfig
from wsss_cli.configs.common import record, settings
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.label_summary import count_negatives
from wsss_cli.data.loading import prefetch
from wsss_cli.data.mined_regions import MinedRegions
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import autocast, resolve_device, resolve_precision, resolve_workers
from wsss_cli.errors import UsageError
from wsss_cli.methods.network_file import load_network
from wsss_cli.methods.protocol import AttentionNetwork, BranchMaps
from wsss_cli.ops.attention import fuse_scales
from wsss_cli.ops.predicted_labels import predicted_labels
from wsss_cli.stages.completion import images_made, make
from wsss_cli.stages.empty_maps import MapCount, are_empty, warnings
from wsss_cli.stages.inputs import find_data, require_same_classes, trained_split
from wsss_cli.stages.outcome import Report
from wsss_cli.stages.rounds import check_mined, mined_before, mined_regions
from wsss_cli.tracking import Track

HEATMAPS = "heatmaps"
OWNED = (INDEX, f"{SHARDS}/*.h5")
EXTRAS = (f"{HEATMAPS}/*.png",)


@dataclass(frozen=True)
class AttendPlan:
    """Everything checked and read before the first image.

    Attributes:
        labels: (N, C) of every image; None where the network predicts them.
        sizes: (H, W) of every image.
        erase: Attention of the round before.
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
    device: torch.device
    precision: str
    directory: StageDirectory

    def describe(self) -> dict[str, Any]:
        """What would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "data": str(self.data_set.root),
            "split": self.split,
            "images": len(self.image_ids),
            "maps": None if self.labels is None else int(self.labels.sum()),
            "negatives": None if self.labels is None else count_negatives(self.labels),
            "checkpoint": str(self.directory.inputs["checkpoint"].path),
            "erase": None if self.erase is None else str(self.erase),
            "device": str(self.device),
            "precision": self.precision,
        }


def prepare(config: AttendConfig, track: Track) -> AttendPlan:
    """Check data, checkpoint, device and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    checkpoint = config.checkpoint
    if checkpoint is None:
        require_complete(
            config.run / "train", "train", instead="--checkpoint FILE", data=config.data
        )
        checkpoint = config.run / "train" / CHECKPOINT_FILE
    erase = mined_before(config)
    network, trained_with, class_names = load_network(checkpoint)
    data_set = find_data(config)
    require_same_classes(checkpoint, class_names, data_set)
    split = trained_split(config.split, config.run, data_set)
    image_ids = data_set.image_ids(split)
    labels = None if config.labels == PREDICTED else data_set.labels(image_ids)
    sizes = image_sizes(data_set, image_ids, track.note)
    device = resolve_device(config.device)
    precision = resolve_precision(config.amp, device)
    inputs = {
        "data": Input(data_set.root, data_set.fingerprint(image_ids, labels)),
        "checkpoint": Input(checkpoint, file_fingerprint(checkpoint)),
    }
    if erase is not None:
        if labels is None:
            raise UsageError(
                f"--labels {PREDICTED}: rounds hide from the network what {erase} found of the "
                "labels given, so it cannot name them itself; leave --labels or --erase out, or "
                "give --checkpoint alone to attend whole images"
            )
        inputs["erase"] = check_mined(erase, data_set, image_ids, labels, sizes)
    directory = StageDirectory(
        path=config.run / "attend",
        stage="attend",
        stage_version=STAGES["attend"],
        settings={**settings(config), "split": split, "precision": precision},
        inputs=inputs,
        owned=OWNED,
        extras=EXTRAS,
        details={
            "config": record(config),
            "data": str(data_set.root),
            "class_names": list(class_names),
            "seed": config.seed,
            "device": str(device),
        },
    )
    return AttendPlan(
        config,
        data_set,
        split,
        image_ids,
        labels,
        sizes,
        network,
        erase,
        trained_with.erase_threshold,
        device,
        precision,
        directory,
    )


def run(config: AttendConfig, *, track: Track) -> Report:
    """Write the attention maps, shard by shard, leaving out shards that are there.

    Raises:
        WsssError: The inputs are wrong or the disk is full.
    """
    plan = prepare(config, track)
    report = make(plan.directory, lambda: _write_shards(plan, track), overwrite=config.overwrite)
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


def _write_shards(plan: AttendPlan, track: Track) -> dict[str, Any]:
    directory = plan.directory
    directory.begin(overwrite=plan.config.overwrite)
    started = time.monotonic()
    images = range(len(plan.image_ids))
    shards = [images[at : at + SHARD_IMAGES] for at in range(0, len(images), SHARD_IMAGES)]
    paths = [shard_path(directory.path, number) for number in range(len(shards))]
    work = ranks.mine(list(zip(shards, paths, strict=True)))
    missing = [(shard, path) for shard, path in work if not path.exists()]
    total = sum(len(shard) for shard, _ in work)
    to_do = sum(len(shard) for shard, _ in missing)
    track.note(f"{len(images)} images of {plan.split}, {plan.device} in {plan.precision}")
    count = MapCount(plan.data_set.class_names)
    for shard, path in work:
        if path.exists():
            count.add_shard(path, [plan.image_ids[index] for index in shard])
    # Counted by batches, as they are computed: images of one come all at once.
    batches = _write_images(plan, missing, count)
    for _ in track.steps(batches, total=total, label="attending", done=total - to_do, size=len):
        pass
    written = sum(ranks.counted(to_do))  # every shard is there now
    if ranks.first():
        write_index(
            directory.path,
            LAYOUT,
            [[plan.image_ids[index] for index in shard] for shard in shards],
            plan.data_set.class_names,
            {LABELS: plan.config.labels},
        )
    maps = count.values()
    negatives = 0 if plan.labels is None else count_negatives(plan.labels)
    return {
        **images_made(len(images), written, started),
        **maps,
        "negatives": negatives,
        "warnings": warnings(maps),
    }


def _write_images(
    plan: AttendPlan, shards: Sequence[tuple[range, Path]], count: MapCount
) -> Iterator[list[str]]:
    """Write whole shards and count their maps; yields the ids of each batch."""
    module = plan.network.eval().to(plan.device)
    module.to(memory_format=torch.channels_last)
    with mined_regions(plan.erase, plan.data_set.class_names, plan.erase_threshold) as mined:
        for shard, path in shards:
            with write_shard(path) as write:
                for batch in _attend(plan, mined, shard):
                    for index, attention in batch:
                        write(plan.image_ids[index], attention)
                        count.add(attention)
                    yield [plan.image_ids[index] for index, _ in batch]


def _attend(
    plan: AttendPlan, mined: MinedRegions | None, indices: Sequence[int]
) -> Iterator[list[tuple[int, ImageAttention]]]:
    """Attention of some images, batch by batch: decoding ahead in threads, fusing behind in one."""
    sides, batch_size = plan.config.sides(), plan.config.batch_size

    def load(index: int) -> list[Tensor]:
        """The image at each scale, (side, side, 3)."""
        image = plan.data_set.read_image(plan.image_ids[index])
        if mined is not None:
            image = mined.erase(plan.image_ids[index], image)
        return [torch.from_numpy(resize_image(image, (side, side))) for side in sides]

    def compute() -> Iterator[tuple[Sequence[int], list[BranchMaps]]]:
        images = prefetch(load, indices, resolve_workers(plan.config.workers))
        for at in range(0, len(indices), batch_size):
            batch = indices[at : at + batch_size]
            scales = list(zip(*[next(images) for _ in batch], strict=True))
            with torch.inference_mode(), autocast(plan.device, plan.precision):
                pixels = [
                    torch.stack(views).permute(0, 3, 1, 2).to(plan.device) for views in scales
                ]
                labels, logits = _labels(plan, batch, pixels[0])
                raw = [
                    attention_of(plan.network, images, labels, flip=plan.config.flip)
                    for images in pixels
                ]
            if logits is not None:  # those that the labels are from, to the last bit
                raw[0] = replace(raw[0], logits=logits)
            yield batch, raw  # outside: the mode must not leak to whoever waits for this

    def fuse(computed: tuple[Sequence[int], list[BranchMaps]]) -> list[tuple[int, ImageAttention]]:
        batch, raw = computed
        pairs, logits = raw[0].pairs, raw[0].logits  # pairs are the same at every scale
        fused = []
        for position, index in enumerate(batch):
            mine = pairs[:, 0] == position
            with torch.inference_mode():
                maps = fuse_scales([scale.maps[mine] for scale in raw], plan.sizes[index])
            attention = ImageAttention(
                maps.half().cpu().numpy(),
                (pairs[mine, 1] + 1).to(torch.uint8).cpu().numpy(),
                plan.sizes[index],
                logits[position].float().cpu().numpy(),
            )
            if mined is not None:
                attention = mined.merge(plan.image_ids[index], attention)
            fused.append((index, attention))
        return fused

    yield from prefetch(fuse, compute(), workers=1)


def _labels(plan: AttendPlan, batch: Sequence[int], images: Tensor) -> tuple[Tensor, Tensor | None]:
    """Which classes get a map in a batch.

    Without any class asked for, a network's account of its attention is its logits alone: one more
    pass of the trunk, at the first scale.

    Args:
        plan: Of the stage.
        batch: Numbers of B images.
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
    network: AttentionNetwork, images: Tensor, labels: Tensor, *, flip: bool
) -> BranchMaps:
    """Raw maps of the present classes, both orientations in one pass.

    Args:
        network: In evaluation mode.
        images: (B, 3, h, w) RGB in 0..255.
        labels: (B, C) multi-hot float.
        flip: Add the maps of the mirrored images, mirrored back, as further branches.

    Returns:
        Maps (P, N, h, w), with ``flip`` (P, 2 N, h, w).
    """
    if not flip:
        return network.attention(images, labels)
    both = network.attention(torch.cat((images, images.flip(-1))), torch.cat((labels, labels)))
    upright, mirrored = both.maps.chunk(2)  # pairs are ordered by image
    return BranchMaps(
        both.logits[: len(images)],
        both.pairs[: len(upright)],
        torch.cat((upright, mirrored.flip(-1)), dim=1),
    )


def _draw_heatmaps(plan: AttendPlan, track: Track) -> tuple[int, int]:
    """Draw what is not drawn yet; returns how many pictures, and how many of empty maps."""
    folder = plan.directory.path / HEATMAPS
    names = plan.data_set.class_names
    drawn = empty = 0
    with AttentionFile(plan.directory.path / INDEX) as file:
        image_ids = ranks.mine(plan.image_ids)
        for image_id in track.steps(image_ids, total=len(image_ids), label="drawing"):
            attention = file.read(image_id)
            ids = attention.class_ids.tolist()
            paths = [folder / f"{image_id}_{class_word(names[c - 1], c)}.png" for c in ids]
            if all(path.exists() for path in paths):
                continue
            image = plan.data_set.read_image(image_id)
            for path, attention_map in zip(paths, attention.maps, strict=True):
                write_heatmap(path, image, attention_map.astype(np.float32))
                drawn += 1
            empty += int(are_empty(attention.maps).sum())
    return sum(ranks.counted(drawn)), sum(ranks.counted(empty))
