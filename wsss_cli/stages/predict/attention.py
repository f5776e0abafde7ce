"""New photographs with an attention network: which classes they have, and where it looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from wsss_cli.artifacts.attention_file import LABELS, LAYOUT, ImageAttention, write_shard
from wsss_cli.artifacts.file_names import class_word
from wsss_cli.artifacts.image_groups import Layout
from wsss_cli.artifacts.oriented_png import write_grey_map
from wsss_cli.artifacts.overlay import Drawing
from wsss_cli.configs.attend import PREDICTED, AttendConfig
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.data.exif_orientation import as_stored, stored_size
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import enlarge_maps, resize_image
from wsss_cli.device import autocast
from wsss_cli.errors import UsageError
from wsss_cli.methods.network_file import load_network
from wsss_cli.methods.protocol import AttentionNetwork
from wsss_cli.stages.attend.network_attention import attention_of, labels_by_network, merged

# Maps of larger pictures are made at so many pixels and enlarged when they are drawn: their detail
# is that of a grid of some 30 x 30.
_MOST_PIXELS = 2**21
# Options that say something of segmentation networks only, and why.
_OF_SEGMENTATION = {
    "crf": "refines label maps",
    "classifier": "weighs the classes of label maps",
    "merge": "is of the logits of label maps; attention keeps the strongest value of its views",
    "longest_side": "is of networks that see pictures at their own size; use --size",
}


@dataclass(frozen=True)
class AttentionPrediction:
    """The classes of a picture by the network's own account, and a map for each.

    Attributes:
        maps: (K, h, w) float32 in [0, 1], at the picture's size or smaller.
        class_ids: (K,) 1..C.
        logits: (C,) of all classes.
        size: (H, W) of the picture.
    """

    class_names: Sequence[str]
    drawing: Drawing
    maps: npt.NDArray[np.float32]
    class_ids: list[int]
    logits: npt.NDArray[np.float32]
    size: tuple[int, int]

    def classes(self) -> list[dict[str, Any]]:
        """The classes found with their probability; the surest first."""
        return [
            {
                "name": self.class_names[class_id - 1],
                "id": class_id,
                "probability": round(self._probability(class_id), 6),
            }
            for class_id in sorted(self.class_ids, key=lambda i: -self.logits[i - 1])
        ]

    def _probability(self, class_id: int) -> float:
        return float(torch.from_numpy(self.logits)[class_id - 1].sigmoid())

    def overlay(self, image: Pixels) -> Pixels:
        """The picture with each class's attention in its colour, its name and probability."""
        maps = dict(zip(self.class_ids, self.maps, strict=True))
        texts = {class_id: f"{self._probability(class_id):.0%}" for class_id in self.class_ids}
        return self.drawing.heat(image, maps, texts)

    def map_files(self, name: str) -> dict[str, Any]:
        """The map of each class, ``NAME/CLASS.png``."""
        names = {class_id: self.class_names[class_id - 1] for class_id in self.class_ids}
        return {"maps": {word: f"{name}/{class_word(word, i)}.png" for i, word in names.items()}}

    def write_maps(self, out: Path, name: str, orientation: int) -> None:
        """Write each map in grey, 255 where the network looks most."""
        paths = self.map_files(name)["maps"].values()
        for path, attention in zip(paths, self.maps, strict=True):
            (large,) = enlarge_maps(attention[None], self.size)
            grey = np.rint(255 * large.clip(0, 1)).astype(np.uint8)
            write_grey_map(out / path, as_stored(grey, orientation), orientation)

    def write_numbers(self, path: Path, image_id: str, orientation: int) -> None:
        """Write the maps with the classes' numbers and logits."""
        maps = np.moveaxis(as_stored(np.moveaxis(self.maps, 0, -1), orientation), -1, 0)
        size = stored_size(self.size, orientation)
        class_ids = np.array(self.class_ids, np.uint8)
        with write_shard(path) as write:
            halves = np.ascontiguousarray(maps).astype(np.float16)
            write(image_id, ImageAttention(halves, class_ids, size, self.logits))


@dataclass(frozen=True)
class AttentionPredictor:
    """An attention network with its views."""

    class_names: tuple[str, ...]
    drawing: Drawing
    network: AttentionNetwork
    views: AttendConfig
    merge: str
    device: torch.device
    precision: str
    layout: Layout = LAYOUT
    about: Mapping[str, str] = field(default_factory=lambda: {LABELS: PREDICTED})

    def __post_init__(self) -> None:
        module: nn.Module = self.network.eval().to(self.device)
        module.to(memory_format=torch.channels_last)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that change a map."""
        known = {"kind": "attention", "sides": self.views.sides(), "flip": self.views.flip}
        return {**known, "redraw": True} if self.views.prototypes else known

    def remark(self, sizes: Sequence[tuple[int, int]]) -> None:
        """Every picture becomes a square of the same size, so no size is remarkable."""
        del sizes

    def predict(self, image: Pixels) -> AttentionPrediction:
        """Find the classes of an upright picture, at least the surest one, and their maps."""
        size = image.shape[0], image.shape[1]
        smaller = min(1.0, (_MOST_PIXELS / (size[0] * size[1])) ** 0.5)
        map_size = tuple(max(1, round(side * smaller)) for side in size)
        with torch.inference_mode(), autocast(self.device, self.precision):
            views = [
                torch.from_numpy(resize_image(image, (side, side)))
                .permute(2, 0, 1)[None]
                .to(self.device)
                for side in self.views.sides()
            ]
            labels, logits = labels_by_network(self.network, views[0], len(self.class_names))
            look = partial(
                attention_of,
                self.network,
                labels=labels,
                flip=self.views.flip,
                prototypes=self.views.prototypes,
            )
            raw = [look(view).without_features() for view in views]
            colours = None
            if self.views.colour_steps is not None:
                grid = self.views.colour_size(size)
                colours = torch.from_numpy(resize_image(image, grid))
            # One class at a time: the branches of all of them at the picture's size are large.
            maps = [
                merged(
                    self.views,
                    self.merge,
                    [scale.maps[i : i + 1] for scale in raw],
                    colours,
                    size,
                    (map_size[0], map_size[1]),
                )
                for i in range(len(raw[0].pairs))
            ]
        return AttentionPrediction(
            self.class_names,
            self.drawing,
            torch.cat(maps).cpu().numpy(),
            (raw[0].pairs[:, 1] + 1).tolist(),
            logits[0].float().cpu().numpy(),
            size,
        )

    def read(self, out: Path, name: str, orientation: int) -> None:
        """Grey maps do not tell the probabilities."""
        del out, name, orientation


def load_attention(
    config: PredictConfig, checkpoint: Path, device: torch.device, precision: str
) -> AttentionPredictor:
    """An attention network, ready to look at pictures.

    Raises:
        WsssError: The checkpoint is not whole.
        UsageError: An option is of segmentation.
    """
    for name, why in _OF_SEGMENTATION.items():
        if getattr(config, name) is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} {why}, and {checkpoint} holds an attention network; "
                "leave it out, or give the checkpoint of `wsss segment`"
            )
    network, trained_with, class_names = load_network(checkpoint)
    return AttentionPredictor(
        class_names,
        Drawing.of(class_names),
        network,
        config.attention(),
        METHODS[trained_with.method].merge,
        device,
        precision,
    )
