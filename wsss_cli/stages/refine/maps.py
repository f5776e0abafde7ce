"""The refined maps of each image: a walk up to edges, or what regions make of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from wsss_cli.artifacts.attention_file import AttentionFile, ImageAttention
from wsss_cli.data.loading import prefetch
from wsss_cli.data.region_files import read_regions
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.device import autocast, resolve_workers
from wsss_cli.models.edge_network import EdgeNetwork
from wsss_cli.ops.random_walk import walk
from wsss_cli.ops.regions import draw_regions
from wsss_cli.stages.refine.plan import RefinePlan

# Positions of a side that are its border.
_BORDERS = 2

Refine = Callable[[str, ImageAttention], npt.NDArray[np.float32]]


def refined(
    plan: RefinePlan, file: AttentionFile, refine: Refine, image_ids: Sequence[str]
) -> Iterator[Mapping[str, ImageAttention]]:
    """The refined attention of each image, several at a time in threads."""

    def one(image_id: str) -> dict[str, ImageAttention]:
        attention = file.read(image_id)
        maps = refine(image_id, attention) if len(attention.maps) else attention.maps
        return {image_id: replace(attention, maps=maps.astype(np.float16))}

    return prefetch(one, image_ids, resolve_workers(plan.config.workers))


def by_edges(plan: RefinePlan, network: EdgeNetwork) -> Refine:
    """Refine by a walk up to the edges that a network draws."""
    network.eval().to(plan.device).to(memory_format=torch.channels_last)
    return partial(_walked, plan, network)


def _walked(
    plan: RefinePlan, network: EdgeNetwork, image_id: str, attention: ImageAttention
) -> npt.NDArray[np.float32]:
    config = plan.config
    image = torch.from_numpy(plan.data_set.read_image(image_id)).to(plan.device)
    maps = torch.from_numpy(attention.maps.astype(np.float32)).to(plan.device)
    with torch.inference_mode():
        edges = edges_of(plan, network, image)
        start = resized(maps, (edges.shape[0], edges.shape[1]))
        walked = walk(start, edges, config.walk_radius, config.beta, config.steps)
        # All classes of an image by one number, so that the strongest stays the strongest.
        walked = resized(
            walked / walked.max().clamp(min=torch.finfo().tiny), (maps.shape[1], maps.shape[2])
        )
        drawn: npt.NDArray[np.float32] = walked.clamp(0, 1).cpu().numpy()
    return drawn


def edges_of(plan: RefinePlan, network: EdgeNetwork, image: Tensor) -> Tensor:
    """(h, w) edges in [0, 1] of an (H, W, 3) uint8 image, float32; its border is one.

    Not where a side has no positions but those of its border: nothing could walk there.
    """
    pixels = image.permute(2, 0, 1)[None]
    with autocast(plan.device, plan.precision):
        logits = network(torch.cat((pixels, pixels.flip(-1)))).float()
    # Mean of the logits of both orientations. Mirrored, a grid that overhangs the image is shifted
    # by less than a position.
    edges: Tensor = ((logits[0] + logits[1].flip(-1)) / 2).sigmoid()
    height, width = edges.shape
    if height > _BORDERS:
        edges[0] = edges[-1] = 1
    if width > _BORDERS:
        edges[:, 0] = edges[:, -1] = 1
    return edges


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(K, h, w) at the size (H, W), linearly, areas averaged where it is smaller."""
    if size[1] == 1 and size[0] > 1:
        # To a width of one, torch 2.14 fills every row with the first one; to a height of one not.
        return resized(maps.mT, (1, size[0])).mT
    return interpolate(maps[None], size=size, mode="bilinear", antialias=True)[0]


def by_regions(plan: RefinePlan) -> Refine:
    """Refine by the regions that lie in a map."""
    sizes = dict(zip(plan.image_ids, plan.sizes, strict=True))

    def drawn(image_id: str, attention: ImageAttention) -> npt.NDArray[np.float32]:
        regions = read_regions(plan.regions[image_id], sizes[image_id])
        whole = torch.from_numpy(draw_regions(enlarge_maps(attention.maps, regions.size), regions))
        small: npt.NDArray[np.float32] = resized(
            whole, (attention.maps.shape[1], attention.maps.shape[2])
        ).numpy()
        return small

    return drawn
