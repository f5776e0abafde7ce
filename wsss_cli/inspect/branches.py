"""What each branch of a trained network makes of one image, at the image's own size."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import resize_image
from wsss_cli.methods.network_file import import_method
from wsss_cli.methods.protocol import AttentionNetwork, Branches
from wsss_cli.ops.attention import fuse_branches, normalise_beside

BACKGROUND_NAME = "S_C"
FUSED_NAME = "fused"


@dataclass(frozen=True)
class ClassView:
    """One class of one image, seen by every branch.

    Attributes:
        class_id: 1..C.
        prior: (h, w) attention prior in [0, 1], where the method has one.
        zones: (h, w) 0 attention, +1 potential, -1 background zone, where the method has them.
        maps: (H, W) float32 in [0, 1] by name: each branch's map on a scale of its own, all of
            them fused, and what is said of the background alone on the scale of the last branch.
    """

    class_id: int
    prior: npt.NDArray[np.float32] | None
    zones: npt.NDArray[np.float32] | None
    maps: Mapping[str, Tensor]


def view_classes(
    network: AttentionNetwork, method: str, image: Pixels, labels: npt.NDArray[np.bool_], size: int
) -> list[ClassView]:
    """Look at one image through every branch.

    Args:
        network: On the CPU, in evaluation mode.
        method: Its name in the table of methods.
        image: (H, W, 3) RGB.
        labels: (C,) present classes.
        size: Side of the square that the network sees, as in ``wsss attend``.

    Returns:
        One view per present class; the image is looked at upright only.
    """
    pixels = torch.from_numpy(resize_image(image, (size, size))).permute(2, 0, 1)[None]
    with torch.inference_mode():
        seen = _branches(network, method, pixels, torch.from_numpy(labels).float()[None])
        full = image.shape[:2]
        raw = torch.stack(tuple(seen.maps.values()), dim=1)  # (P, N, h, w)
        maps = {
            name: fuse_branches(branch_maps[:, None], full)
            for name, branch_maps in seen.maps.items()
        }
        if len(seen.maps) > 1:
            maps[FUSED_NAME] = fuse_branches(raw, full)
        if seen.background is not None:
            maps[BACKGROUND_NAME] = normalise_beside(seen.background, raw[:, -1], full)
    return [
        ClassView(
            int(column) + 1,
            _one(seen.prior, pair),
            _one(seen.zones, pair),
            {name: all_maps[pair] for name, all_maps in maps.items()},
        )
        for pair, column in enumerate(seen.pairs[:, 1])
    ]


def _branches(network: AttentionNetwork, method: str, images: Tensor, labels: Tensor) -> Branches:
    """The method's own account of its branches, else the maps that it fuses."""
    account = getattr(import_method(method), "branches", None)
    if account is not None:
        return account(network, images, labels)  # type: ignore[no-any-return]
    raw = network.attention(images, labels)
    maps = raw.maps.unbind(dim=1)
    return Branches(
        raw.pairs, {f"S_{ascii_uppercase[n]}": branch_maps for n, branch_maps in enumerate(maps)}
    )


def _one(maps: Tensor | None, pair: int) -> npt.NDArray[np.float32] | None:
    return None if maps is None else maps[pair].float().numpy()
