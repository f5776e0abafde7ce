"""One image as a run sees it: attention, zones, proxy, refined and predicted labels."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.branch_png import zone_tile
from wsss_cli.artifacts.heatmap_png import heatmap
from wsss_cli.artifacts.label_png import read_label_map, voc_palette
from wsss_cli.artifacts.thumbnail import Thumbnail, thumbnail
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.errors import WsssError
from wsss_cli.methods import table
from wsss_cli.methods.protocol import AttentionNetwork
from wsss_cli.stages.branches import FUSED_NAME, ClassView, view_classes
from wsss_cli.stages.evaluate.plan import LABEL_FOLDERS
from wsss_cli.stages.page.records import RunRecord
from wsss_cli.stages.train import CHECKPOINT_FILE, load_network

ATTENTION, ZONES = "attention", "zones"
# In the order in which they are made.
KINDS = (ATTENTION, ZONES, "proxy", "prediction", "crf")
STAGE_OF = {"proxy": "proxy", "prediction": "segment", "crf": "crf"}


@dataclass(frozen=True)
class Network:
    """What draws attention and zones of any image."""

    network: AttentionNetwork
    method: str
    size: int


@dataclass(frozen=True)
class RunPictures:
    """Pictures of one run.

    Attributes:
        record: The run.
        stored: Its attention file, if there is one.
        network: Its attention network, if there is one.
        remarks: Why some pictures are missing, a sentence each.
    """

    record: RunRecord
    stored: AttentionFile | None
    network: Network | None
    remarks: Sequence[str]

    def kinds(self, image_ids: Sequence[str]) -> list[str]:
        """Which pictures there are of any of these images."""
        found = []
        if self.network or (self.stored and set(self.stored.image_ids) & set(image_ids)):
            found.append(ATTENTION)
        if self.network and hasattr(table.load(self.network.method), "branches"):
            found.append(ZONES)
        for kind in STAGE_OF:
            folder = _label_folder(self.record, kind)
            if any((folder / f"{image_id}.png").is_file() for image_id in image_ids):
                found.append(kind)
        return found

    def of(self, image_id: str, image: Pixels, class_id: int | None) -> dict[str, Thumbnail]:
        """The pictures there are of an image.

        Args:
            image_id: Its id.
            image: (H, W, 3) RGB.
            class_id: Whose attention and zones are shown; None shows neither.

        Raises:
            WsssError: A file is broken.
        """
        found = {}
        if class_id is not None:
            view = self._view(image, class_id)
            attention = self._attention(image_id, image, class_id, view)
            if attention is not None:
                found[ATTENTION] = thumbnail(heatmap(image, attention))
            if view is not None and view.zones is not None:
                found[ZONES] = thumbnail(zone_tile(image, view.zones).pixels)
        for kind in STAGE_OF:
            path = _label_folder(self.record, kind) / f"{image_id}.png"
            if path.is_file():
                found[kind] = label_thumbnail(read_label_map(path))
        return found

    def _view(self, image: Pixels, class_id: int) -> ClassView | None:
        if self.network is None:
            return None
        present = np.zeros(len(self.record.class_names), bool)
        present[class_id - 1] = True
        one = self.network
        (view,) = view_classes(one.network, one.method, image, present, one.size)
        return view

    def _attention(
        self, image_id: str, image: Pixels, class_id: int, view: ClassView | None
    ) -> npt.NDArray[np.float32] | None:
        """(H, W) as it is stored, else as the network makes it of the upright image."""
        if self.stored is not None and image_id in self.stored.image_ids:
            stored = self.stored.read(image_id)
            if class_id in stored.class_ids and stored.size == image.shape[:2]:
                place = list(stored.class_ids).index(class_id)
                (whole,) = enlarge_maps(stored.maps[place : place + 1], stored.size)
                return np.asarray(whole, np.float32)
        if view is None:
            return None
        names = list(view.maps)
        fused = view.maps[FUSED_NAME if FUSED_NAME in names else names[0]]
        return np.asarray(fused, np.float32)


@contextmanager
def open_pictures(record: RunRecord, image_ids: Sequence[str]) -> Iterator[RunPictures]:
    """Find out what there is to see of the images, and keep it open.

    Args:
        record: The run.
        image_ids: All that will be asked for.
    """
    remarks: list[str] = []
    with ExitStack() as stack:
        network = _network(record, remarks)
        stored = None
        if record.manifests.get("attend", {}).get("status") == "complete":
            try:
                file = AttentionFile(record.path / "attend" / INDEX, record.class_names)
                stored = stack.enter_context(file)
            except WsssError as error:
                remarks.append(f"its attention cannot be shown: {error}")
        pictures = RunPictures(record, stored, network, remarks)
        kinds = pictures.kinds(image_ids)
        if ATTENTION not in kinds:
            remarks.append("no attention of these images, and no network to make it with")
        for kind, stage in STAGE_OF.items():
            if kind in kinds:
                continue
            if stage in record.manifests:
                remarks.append(f"its {kind} label maps are of other images than those shown")
            elif kind != "crf":
                remarks.append(f"no {kind} label maps: wsss {stage} has not been run")
        yield pictures


def label_thumbnail(label_map: Pixels) -> Thumbnail:
    """A label map in VOC's colours."""
    return thumbnail(voc_palette()[label_map], flat=True)


def _label_folder(record: RunRecord, kind: str) -> Path:
    return record.path / STAGE_OF[kind] / LABEL_FOLDERS[kind]


def _network(record: RunRecord, remarks: list[str]) -> Network | None:
    """The network of the run's training, else the one that its attention was made with."""
    attend = record.manifests.get("attend", {}).get("config", {})
    own = record.path / "train" / CHECKPOINT_FILE
    path = own if own.is_file() else Path(attend.get("checkpoint") or own)
    if not path.is_file():
        return None
    try:
        network, config, names = load_network(path)
    except WsssError as error:
        remarks.append(f"its network cannot be looked through: {error}")
        return None
    if names != record.class_names:
        remarks.append(f"{path} was trained on other classes, so it is not looked through")
        return None
    return Network(network, config.method, int(attend.get("size", AttendConfig.size)))
