"""What a network shows of a batch of images, and one map for each class of all its views."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.methods.protocol import AttentionNetwork, BranchMaps
from wsss_cli.ops.attention import MERGES, fuse_on_grid, resize_bicubic
from wsss_cli.ops.colour_refinement import refine_by_colour
from wsss_cli.ops.image_prototypes import redrawn
from wsss_cli.ops.predicted_labels import predicted_labels


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
