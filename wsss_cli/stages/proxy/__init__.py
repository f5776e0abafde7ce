"""``wsss proxy``: turn attention and saliency into proxy ground truth."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli import ranks
from wsss_cli.artifacts.atomic import write_together
from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import label_map_bytes, read_label_map
from wsss_cli.command_line import command_line
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import maps_of
from wsss_cli.configs.results import LABEL_FOLDERS
from wsss_cli.configs.setting import option
from wsss_cli.data.images import Pixels
from wsss_cli.data.loading import prefetch
from wsss_cli.device import one_thread_each, resolve_workers
from wsss_cli.stages.image_loop import Share, pipeline
from wsss_cli.stages.label_shares import LabelShares, count_pixels, warnings
from wsss_cli.stages.proxy.evidence import opened_attention, read_evidence, read_grey_maps
from wsss_cli.stages.proxy.plan import ProxyPlan, prepare
from wsss_cli.stages.proxy.rule import label_image
from wsss_cli.stages.result import Report, make
from wsss_cli.stages.salient_share import BLACK_BELOW
from wsss_cli.tracking import Track

__all__ = ["ProxyPlan", "prepare", "run"]

LABELS = LABEL_FOLDERS["proxy"]

# Images that go through each step together. Reading, the rule and writing do not fit into a
# processor's caches beside each other: an image at a time takes longer, a tenth on an idle machine
# and almost half beside other work (performance.md). More gain little, and of large photographs an
# interrupt waits seconds for each; with the CRF, which takes longer than all the steps, for one.
BLOCK = 4
# Label maps that wait for the disk together, and that a kill loses; with the CRF none waits.
WRITTEN_TOGETHER = 64


@dataclass(frozen=True)
class LabelCount:
    """The counts of one image.

    Attributes:
        resized: Whether a saliency map had another size than the image.
        pixels: (256,) pixels of each label.
        class_ids: (K,) classes that its attention has maps of.
        black: Whether it has such classes, but a saliency map that marks nothing.
    """

    resized: bool
    pixels: npt.NDArray[np.int64]
    class_ids: npt.NDArray[np.uint8]
    black: bool


@dataclass(frozen=True)
class LabelledImage:
    """What has been made of an image and is not on the disk yet.

    Attributes:
        image_id: Its id.
        png: Bytes of the file of its label map.
        count: The counts of the label map.
    """

    image_id: str
    png: bytes
    count: LabelCount


def run(config: ProxyConfig, *, track: Track) -> Report:
    """Write a label map per image, leaving out those that are there.

    Raises:
        WsssError: The inputs are wrong or the disk is full.
    """
    plan = prepare(config, track)
    return make(plan.directory, _label_images, plan, track, overwrite=config.overwrite)


def _label_images(plan: ProxyPlan, track: Track) -> dict[str, Any]:
    """Write the label maps that are not there; returns the counts."""
    config = plan.config
    plan.directory.begin(overwrite=config.overwrite)
    for name in maps_of(config.rule):
        if name not in plan.grey_maps:
            track.note(f"without {option(name)}, the rule {config.rule} uses one saliency map")
    folder = plan.directory.path / LABELS
    share = Share(plan.image_ids, lambda i: not (folder / f"{i}.png").exists())
    missing = set(share.missing)
    resized = black = negatives = 0
    shares = LabelShares()
    with (
        opened_attention(plan) as (file, potential),
        one_thread_each(),
    ):
        workers = resolve_workers(config.workers)
        kept = [image_id for image_id in share.items if image_id not in missing]
        size = BLOCK if config.viewer is None else 1
        firsts = range(0, len(share.missing), size)
        blocks = [share.missing[first : first + size] for first in firsts]
        together = WRITTEN_TOGETHER if config.viewer is None else 1
        labelled = chain.from_iterable(
            pipeline(
                blocks,
                partial(_label, plan, file, potential),
                partial(_collected, count=together),
                partial(_write, folder),
                config.workers,
            )
        )
        for count in chain(
            prefetch(partial(_count_kept, plan, file), kept, workers),
            share.follow(labelled, track, "labelling"),
        ):
            shares.add(count.pixels, count.class_ids.tolist())
            if count.resized and not resized:
                track.note("some saliency maps differ in size from their image and are resized")
            resized += count.resized
            black += count.black
            negatives += not len(count.class_ids)
    resized, black, negatives = (sum(ranks.counted(n)) for n in (resized, black, negatives))
    by_label = shares.values(plan.class_names)
    return {
        **share.made(),
        "negatives": negatives,
        **by_label,
        "saliency_resized": resized,
        "warnings": _warnings(config, by_label, black),
    }


def _warnings(config: ProxyConfig, shares: dict[str, Any], black: int) -> list[str]:
    """Say what is odd about the label maps, and where to look for the reason."""
    sentences = warnings(shares, "label maps")
    dark = f"{black:,} saliency maps of images that show a class are black or nearly so"
    if not sentences:
        return [dark] if black else []
    draw = command_line("attend", heatmaps=True, run=config.run)
    evidence = "the attention" if config.attention else f"the attention (`{draw}` draws it)"
    if maps_of(config.rule):
        evidence += " and the saliency maps, which should be bright on objects and dark elsewhere"
    if config.chosen.revises:
        evidence += f", and at --prediction {config.prediction}"
    advised = [*sentences[:-1], f"{sentences[-1]}; look at {evidence}"]
    return [*advised, dark] if black else advised


def _label(
    plan: ProxyPlan,
    file: AttentionFile,
    potential: AttentionFile | None,
    image_ids: Sequence[str],
) -> list[LabelledImage]:
    """Make the label maps of a few images, step by step."""
    evidence = {i: read_evidence(plan, file, potential, i) for i in image_ids}
    label_maps = {i: label_image(plan.config, seen, plan.device) for i, seen in evidence.items()}
    pngs = {i: label_map_bytes(label_map) for i, label_map in label_maps.items()}
    return [
        LabelledImage(
            i,
            pngs[i],
            LabelCount(
                seen.resized,
                count_pixels(label_maps[i], seen.attention.class_ids),
                seen.attention.class_ids,
                _marks_nothing(seen.attention.class_ids, seen.grey_maps.values()),
            ),
        )
        for i, seen in evidence.items()
    ]


def _count_kept(plan: ProxyPlan, file: AttentionFile, image_id: str) -> LabelCount:
    """Count the label map that an earlier command has written."""
    path = plan.directory.path / LABELS / f"{image_id}.png"
    pixels = count_pixels(read_label_map(path, num_labels=plan.num_labels), None)
    outline = file.outline(image_id)
    fitted = read_grey_maps(plan, image_id, outline.size).values()
    return LabelCount(
        any(resized for _, resized in fitted),
        pixels,
        outline.class_ids,
        _marks_nothing(outline.class_ids, [grey for grey, _ in fitted]),
    )


def _marks_nothing(class_ids: npt.NDArray[np.uint8], grey_maps: Iterable[Pixels]) -> bool:
    """Whether an image shows a class, but one of its saliency maps no object."""
    return len(class_ids) > 0 and any(grey.max() < BLACK_BELOW for grey in grey_maps)


def _collected(
    blocks: Iterator[list[LabelledImage]], count: int
) -> Iterator[Sequence[LabelledImage]]:
    """As many labelled images together as are written together."""
    images = chain.from_iterable(blocks)
    while together := list(islice(images, count)):
        yield together


def _write(folder: Path, images: Sequence[LabelledImage]) -> list[LabelCount]:
    """Write label maps; returns their counts."""
    write_together({folder / f"{image.image_id}.png": image.png for image in images})
    return [image.count for image in images]
