"""From raw class score maps at network stride to attention maps at image size."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

# Keeps an all-zero map zero; the value of the authors' released test script.
EPSILON = 1e-8
# The same in the sum of views; the value of the authors' code.
SUM_EPSILON = 1e-5


@dataclass(frozen=True)
class BranchMaps:
    """Raw score maps of the classes present in a batch.

    Attributes:
        logits: (B, C) image-level class logits of the first branch.
        pairs: (P, 2) int64, image index and class column of each present class, in that order.
        maps: (P, N, h, w) raw score maps, one per branch.
        features: (B, K, h, w) what the trunk sees of the images.
    """

    logits: Tensor
    pairs: Tensor
    maps: Tensor
    features: Tensor

    def without_features(self) -> "BranchMaps":
        """The same, for whoever keeps it: features are many times larger than maps."""
        return replace(self, features=self.features.new_empty(0))


def fuse_on_grid(maps: Tensor) -> Tensor:
    """Keep the strongest of several branches on their own grid, as :func:`fuse_branches` does.

    Args:
        maps: (P, N, h, w) raw score maps.

    Returns:
        (P, h, w) float32 in [0, 1].
    """
    rectified = maps.float().relu()
    # Not added: ONNX's translator takes so small a summand for 0.
    highest = rectified.amax(dim=(-2, -1), keepdim=True).clamp_min(EPSILON)
    return (rectified / highest).amax(dim=1)


def fuse_branches(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize, clip and normalise the maps of several branches, then keep the strongest.

    This is the test phase of SeeNet (section 3.4): each map is normalised on its own, so a weak
    second branch counts as much as the first one where both are sure.

    Args:
        maps: (P, N, h, w) raw score maps: P image-class pairs, N branches and orientations.
        size: (H, W) to resize to.

    Returns:
        (P, H, W) float32 in [0, 1].
    """
    with torch.autocast(maps.device.type, enabled=False):
        resized = resize_bicubic(maps.float(), size)  # (P, N, H, W)
    # Clipping at 0 commutes with the positive scale and the maximum, so it is done once, last.
    highest = resized.amax(dim=(-2, -1), keepdim=True).relu()  # (P, N, 1, 1)
    resized = resized * (1 / (highest + EPSILON))
    return resized.amax(dim=1).relu()


def fuse_scales(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Keep the strongest value of all test scales, each fused and normalised on its own.

    Scales count as branches and orientations do (Chaudhry et al., "Discovering Class-Specific
    Pixels for Weakly-Supervised Semantic Segmentation", BMVC 2017, take the maximum over 1, .75
    and .5). Their strides differ, so that they meet only at the size of the image.

    Args:
        maps: (P, N, h, w) raw score maps, one for every scale with its own h and w.
        size: (H, W) to resize to.

    Returns:
        (P, H, W) float32 in [0, 1].
    """
    strongest = fuse_branches(maps[0], size)
    for scale in maps[1:]:
        strongest = torch.maximum(strongest, fuse_branches(scale, size))
    return strongest


def sum_views(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Sum the rectified maps of all branches, orientations and scales, and divide by the maximum.

    What the systems after SeeNet do (Ahn and Kwak, "Learning Pixel-level Semantic Affinity with
    Image-level Supervision", CVPR 2018, and EPS): a position counts by how sure all views are,
    where :func:`fuse_scales` asks only the surest one.

    Args:
        maps: (P, N, h, w) raw score maps, one for every scale with its own h and w.
        size: (H, W) to resize to.

    Returns:
        (P, H, W) float32 in [0, 1].
    """
    with torch.autocast(maps[0].device.type, enabled=False):
        # One scale at a time at the size of the image, and of it one view at a time.
        # Rectified first: between negative scores the resizing would find positive ones.
        views = [view[:, None] for scale in maps for view in scale.float().relu().unbind(dim=1)]
        total = resize_bicubic(views[0], size).relu()
        for view in views[1:]:
            total += resize_bicubic(view, size).relu()
        total = total[:, 0]  # (P, H, W)
        return total / (total.amax(dim=(-2, -1), keepdim=True) + SUM_EPSILON)


MERGES: Mapping[str, Callable[[Sequence[Tensor], tuple[int, int]], Tensor]] = {
    "max": fuse_scales,
    "sum": sum_views,
}
"""Ways in which the maps of several views become one, as ``--merge`` names them."""


def normalise_beside(maps: Tensor, beside: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize, clip and normalise maps on the scale of others, where that is the larger one.

    Normalised by its own maximum the faintest map looks as loud as any other; beside a map of the
    same head it stays faint.

    Args:
        maps: (P, h, w) raw score maps.
        beside: (P, h, w) raw score maps whose strength is the measure.
        size: (H, W) to resize to.

    Returns:
        (P, H, W) float32 in [0, 1].
    """
    both = resize_bicubic(torch.stack((maps, beside), dim=1).float(), size)  # (P, 2, H, W)
    highest = both.flatten(1).amax(dim=1).relu()[:, None, None]  # (P, 1, 1)
    return both[:, 0].relu() / (highest + EPSILON)


def resize_bicubic(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (..., h, w) float32 maps to (..., H, W) as OpenCV's ``INTER_CUBIC`` does.

    Bicubic interpolation is linear and separable, so it is two small matrix products: far cheaper
    than gathering 16 neighbours of every pixel when a 14 x 14 map becomes a whole photograph.
    """
    rows = _bicubic_matrix(maps.shape[-2], size[0]).to(maps.device)  # (H, h)
    columns = _bicubic_matrix(maps.shape[-1], size[1]).to(maps.device)  # (W, w)
    return rows @ (maps @ columns.T)


@lru_cache(maxsize=256)
def _bicubic_matrix(source: int, target: int) -> Tensor:
    """(target, source) float32: what each source sample adds to each target sample."""
    with torch.inference_mode(False):  # what the cache keeps must serve every later caller
        samples = torch.eye(source)[None, :, None, :]  # (1, channel = sample, 1, source)
        stretched = functional.interpolate(
            samples, (1, target), mode="bicubic", align_corners=False
        )
        return stretched[0, :, 0, :].T.contiguous()
