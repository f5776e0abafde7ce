"""The attention of images, batch by batch: decoding ahead in threads, merging behind in one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from wsss_cli.artifacts.attention_file import ImageAttention
from wsss_cli.data.mined_regions import MinedRegions
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import autocast
from wsss_cli.methods.protocol import BranchMaps
from wsss_cli.stages.attend.network_attention import attention_of, labels_by_network, merged
from wsss_cli.stages.attend.plan import AttendPlan
from wsss_cli.stages.image_loop import pipeline


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


def attended(
    plan: AttendPlan, mined: MinedRegions | None, image_ids: Sequence[str]
) -> Iterator[dict[str, ImageAttention]]:
    """The attention of some images by their ids, a batch at a time.

    Args:
        plan: The stage's plan; its network is in evaluation mode, on the device.
        mined: Erases from images what earlier rounds found, and adds that to the maps.
        image_ids: Images of the plan.
    """
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


def of_one_size(images: Iterator[_Views], batch_size: int) -> Iterator[list[_Views]]:
    """Batches of images whose views have the same sizes, of so many at a time as a batch has."""
    while batch := list(islice(images, batch_size)):
        by_size: dict[tuple[torch.Size, ...], list[_Views]] = {}
        for image in batch:
            by_size.setdefault(tuple(view.shape for view in image.scales), []).append(image)
        yield from by_size.values()


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
