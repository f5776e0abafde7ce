"""``wsss proxy``: turn attention and saliency into proxy ground truth."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile, ImageAttention
from wsss_cli.artifacts.fingerprint import files_fingerprint
from wsss_cli.artifacts.label_png import IGNORE, read_label_map, write_label_map
from wsss_cli.artifacts.stage_directory import Input, StageDirectory, require_complete
from wsss_cli.configs.common import record, settings
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.data.images import Pixels, check_images, read_saliency
from wsss_cli.data.label_folder import png_files
from wsss_cli.data.loading import prefetch
from wsss_cli.data.resizing import enlarge_maps, resize_grey
from wsss_cli.data.voc import VocTree
from wsss_cli.device import resolve_workers
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.ops.proxy_labels import ignore_conflicts, ignore_salient_background, seenet_proxy
from wsss_cli.stages.inputs import data_if_known
from wsss_cli.stages.making import make
from wsss_cli.stages.report import Report
from wsss_cli.tracking import Track

STAGE_VERSION = 1
LABELS = "labels"
OWNED = (f"{LABELS}/*.png",)


@dataclass(frozen=True)
class ProxyPlan:
    """Everything checked before the first label map."""

    config: ProxyConfig
    attention: Path
    tree: VocTree | None
    class_names: tuple[str, ...] | None
    saliency: dict[str, Path]
    directory: StageDirectory

    @property
    def num_labels(self) -> int:
        """Labels including background, as far as the classes are known."""
        return IGNORE if self.class_names is None else len(self.class_names) + 1

    def describe(self) -> dict[str, Any]:
        """What would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "attention": str(self.attention),
            "images": len(self.saliency),
        }


@dataclass(frozen=True)
class LabelCount:
    """What became of one image."""

    written: bool
    resized: bool
    ignored: int
    pixels: int


def prepare(config: ProxyConfig, track: Track) -> ProxyPlan:
    """Check attention, saliency and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    del track
    attention = config.attention
    if attention is None:
        require_complete(config.run / "attend", "attend", instead="--attention FILE")
        attention = config.run / "attend" / INDEX
    if config.saliency is None:
        raise UsageError(
            f"the rule {config.rule} needs saliency maps; pass --saliency DIR (grey PNG by image "
            "id)"
        )
    tree = data_if_known(config)
    known_names = tree.class_names if tree is not None else None
    with AttentionFile(attention, known_names) as file:
        saliency = dict(
            zip(
                file.image_ids,
                png_files(config.saliency, file.image_ids, "--saliency"),
                strict=True,
            )
        )
        class_names = file.class_names
        directory = StageDirectory(
            path=config.run / "proxy",
            stage="proxy",
            stage_version=STAGE_VERSION,
            settings=settings(config),
            inputs={
                "attention": Input(attention.resolve(), file.fingerprint()),
                "saliency": Input(config.saliency.resolve(), files_fingerprint(saliency.values())),
            },
            owned=OWNED,
            details={
                "config": record(config),
                "data": None if tree is None else str(tree.root),
                "class_names": list(class_names or ()),
                "seed": config.seed,
                "device": "cpu",
            },
        )
    return ProxyPlan(config, attention, tree, class_names, saliency, directory)


def run(config: ProxyConfig, *, track: Track) -> Report:
    """Write a label map per image, leaving out those that are there.

    Raises:
        WsssError: The inputs are wrong or the disk is full.
    """
    plan = prepare(config, track)
    return make(plan.directory, lambda: _label_images(plan, track), overwrite=config.overwrite)


def _label_images(plan: ProxyPlan, track: Track) -> dict[str, Any]:
    """Write the label maps that are not there; returns the counts."""
    config = plan.config
    plan.directory.begin(overwrite=config.overwrite)
    started = time.monotonic()
    written = skipped = resized = ignored = pixels = 0
    with AttentionFile(plan.attention, plan.class_names) as file:

        def label(image_id: str) -> LabelCount:
            return _label(plan, file, image_id)

        done = prefetch(label, plan.saliency, resolve_workers(config.workers))
        for count in track.steps(done, total=len(plan.saliency), label="labelling"):
            written += count.written
            skipped += not count.written
            ignored += count.ignored
            pixels += count.pixels
            if count.resized and not resized:
                track.note("some saliency maps differ in size from their image and are resized")
            resized += count.resized
    seconds = time.monotonic() - started
    return {
        "images": len(plan.saliency),
        "written": written,
        "skipped": skipped,
        "seconds": round(seconds, 2),
        "rate": round(written / seconds, 1),
        "ignored": ignored / pixels,
        "saliency_resized": resized,
    }


def _label(plan: ProxyPlan, file: AttentionFile, image_id: str) -> LabelCount:
    path = plan.directory.path / LABELS / f"{image_id}.png"
    if path.exists():
        there = read_label_map(path, num_labels=plan.num_labels)
        return LabelCount(False, False, int((there == IGNORE).sum()), there.size)
    attention = file.read(image_id)
    if plan.tree is not None and plan.tree.image_path(image_id).exists():
        (size,) = check_images([plan.tree.image_path(image_id)])
        if size != attention.size:
            raise WsssError(
                f"{plan.attention}: image {image_id} is recorded as {attention.size[0]} x "
                f"{attention.size[1]}, but it is {size[0]} x {size[1]} (height x width) in the data"
            )
    saliency = read_saliency(plan.saliency[image_id])
    resized = saliency.shape != attention.size
    if resized:
        saliency = resize_grey(saliency, attention.size)
    label_map = label_image(plan.config, attention, saliency)
    write_label_map(path, label_map)
    return LabelCount(True, resized, int((label_map == IGNORE).sum()), label_map.size)


def label_image(config: ProxyConfig, attention: ImageAttention, saliency: Pixels) -> Pixels:
    """Apply the config's rule to one image.

    Args:
        config: Rule and thresholds.
        attention: Maps of the present classes, of any size.
        saliency: (H, W) uint8 at image size.

    Returns:
        (H, W) uint8 label map.
    """
    maps = torch.from_numpy(enlarge_maps(attention.maps, attention.size))  # (K, H, W)
    class_ids = torch.from_numpy(attention.class_ids)
    salient = torch.from_numpy(saliency).float() / 255
    label_map = seenet_proxy(maps.clamp_min(config.attention_floor), class_ids, salient, config.w)
    if config.ignore_conflicts is not None:
        label_map = ignore_conflicts(label_map, maps, config.ignore_conflicts)
    if config.ignore_salient is not None:
        label_map = ignore_salient_background(label_map, salient, config.ignore_salient)
    return label_map.numpy()
