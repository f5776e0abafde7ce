"""The label maps that are exported, with the names of their classes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.configs.export import ExportConfig
from wsss_cli.data.images import Pixels
from wsss_cli.labels import IGNORE
from wsss_cli.stages.image_loop import each_image
from wsss_cli.tracking import Track


@dataclass
class LabelMaps:
    """Label maps by image id.

    Attributes:
        config: What to write, and where.
        paths: The label map of each image.
        class_names: Names of the classes 1..C.
        photograph_paths: The photograph of each image; empty where the data set is not known.
        ignored: Pixels to be ignored, counted while the maps are read.
        regions: Objects or regions written, counted by the format.
    """

    config: ExportConfig
    paths: Mapping[str, Path]
    class_names: tuple[str, ...]
    photograph_paths: Mapping[str, Path]
    ignored: int = field(default=0, init=False)
    regions: int = field(default=0, init=False)

    def read(self, track: Track) -> Iterator[tuple[str, Pixels]]:
        """Yield ids and (H, W) uint8 labels, in the order of the ids, with progress.

        Raises:
            WsssError: A label map cannot be read, or has a value that is no label.
        """
        num_labels = len(self.class_names) + 1

        def read(image_id: str) -> tuple[str, Pixels]:
            return image_id, read_label_map(self.paths[image_id], num_labels=num_labels)

        maps = each_image(list(self.paths), read, track, "exporting", self.config.workers)
        for image_id, label_map in maps:
            self.ignored += int((label_map == IGNORE).sum())
            yield image_id, label_map

    def photograph_name(self, image_id: str) -> str:
        """The file name of an image's photograph; a JPEG's where it is not known."""
        path = self.photograph_paths.get(image_id)
        return f"{image_id}.jpg" if path is None else f"{image_id}{path.suffix}"
