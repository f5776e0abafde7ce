"""One image as a run sees it: attention, zones, proxy, refined and predicted labels."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.branch_png import zone_tile
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.artifacts.heatmap_png import heatmap
from wsss_cli.artifacts.label_png import read_label_map, voc_palette
from wsss_cli.artifacts.thumbnail import Thumbnail, thumbnail
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.results import LABEL_FOLDERS, RESULTS
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.errors import WsssError
from wsss_cli.inspect.branches import FUSED_NAME, ClassView, view_classes
from wsss_cli.inspect.report.earlier_page import EarlierPage
from wsss_cli.inspect.report.run_records import RunRecord
from wsss_cli.methods.network_file import import_method, load_network
from wsss_cli.methods.protocol import AttentionNetwork

ATTENTION, ZONES = "attention", "zones"
# In the order in which they are made.
KINDS = (ATTENTION, ZONES, *LABEL_FOLDERS)


@dataclass(frozen=True)
class Network:
    """What draws attention and zones of any image."""

    network: AttentionNetwork
    method: str
    size: int
    fingerprint: str


@dataclass(frozen=True)
class RunPictures:
    """Pictures of one run.

    Attributes:
        record: The run.
        stored: Its attention file, if there is one.
        network: Its attention network, if there is one.
        earlier: The page of before, for what the network was already asked.
        remarks: Why some pictures are missing, a sentence each.
    """

    record: RunRecord
    stored: AttentionFile | None
    network: Network | None
    earlier: EarlierPage
    remarks: Sequence[str]

    def kinds(self, image_ids: Sequence[str]) -> list[str]:
        """Which pictures there are of any of these images."""
        kinds = []
        if self.network or (
            self.stored is not None and any(image_id in self.stored for image_id in image_ids)
        ):
            kinds.append(ATTENTION)
        if self.network and hasattr(import_method(self.network.method), "branches"):
            kinds.append(ZONES)
        for kind in LABEL_FOLDERS:
            folder = _label_folder(self.record, kind)
            if any((folder / f"{image_id}.png").is_file() for image_id in image_ids):
                kinds.append(kind)
        return kinds

    def of(self, image_id: str, image: Pixels, class_id: int | None) -> dict[str, Thumbnail]:
        """The pictures there are of an image.

        Args:
            image_id: Its id.
            image: (H, W, 3) RGB.
            class_id: Whose attention and zones are shown; None shows neither.

        Raises:
            WsssError: A file is broken.
        """
        pictures = {}
        if class_id is not None:
            stored = self._stored_attention(image_id, image, class_id)
            if stored is not None:
                pictures[ATTENTION] = thumbnail(heatmap(image, stored))
            if self.network is not None:
                pictures |= self._of_network(
                    self.network, image, class_id, attention=stored is None
                )
        for kind in LABEL_FOLDERS:
            path = _label_folder(self.record, kind) / f"{image_id}.png"
            if path.is_file():
                pictures[kind] = label_thumbnail(read_label_map(path))
        return pictures

    def _of_network(
        self, network: Network, image: Pixels, class_id: int, *, attention: bool
    ) -> dict[str, Thumbnail]:
        """What the network sees in the upright image; what the earlier page has is taken from it.

        Args:
            network: The network.
            image: (H, W, 3) RGB.
            class_id: The class that is looked for.
            attention: Also draw the attention, not the zones alone.
        """

        @cache
        def view() -> ClassView:
            present = np.zeros(len(self.record.class_names), bool)
            present[class_id - 1] = True
            (seen,) = view_classes(network.network, network.method, image, present, network.size)
            return seen

        def draw_attention() -> Thumbnail:
            names = list(view().maps)
            fused = view().maps[FUSED_NAME if FUSED_NAME in names else names[0]]
            return thumbnail(heatmap(image, np.asarray(fused, np.float32)))

        def draw_zones() -> Thumbnail | None:
            of_class = view().zones
            return None if of_class is None else thumbnail(zone_tile(image, of_class).pixels)

        seen_by = [network.fingerprint, network.size, class_id]
        about = [*seen_by, hashlib.sha256(image.tobytes()).hexdigest()]
        wanted: dict[str, Callable[[], Thumbnail | None]] = {}
        if attention:
            wanted[ATTENTION] = draw_attention
        if hasattr(import_method(network.method), "branches"):
            wanted[ZONES] = draw_zones
        drawn = {
            kind: self.earlier.thumbnail([kind, *about], pixels) for kind, pixels in wanted.items()
        }
        return {kind: picture for kind, picture in drawn.items() if picture is not None}

    def _stored_attention(
        self, image_id: str, image: Pixels, class_id: int
    ) -> npt.NDArray[np.float32] | None:
        """(H, W) as it is stored; None where it is not."""
        if self.stored is None or image_id not in self.stored:
            return None
        stored = self.stored.read(image_id)
        if class_id not in stored.class_ids or stored.size != image.shape[:2]:
            return None
        row = list(stored.class_ids).index(class_id)
        (attention,) = enlarge_maps(stored.maps[row : row + 1], stored.size)
        return np.asarray(attention, np.float32)


@contextmanager
def open_pictures(
    record: RunRecord, image_ids: Sequence[str], earlier: EarlierPage
) -> Iterator[RunPictures]:
    """Find out what there is to see of the images, and keep it open.

    Args:
        record: The run.
        image_ids: All that will be asked for.
        earlier: The page of before.
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
        pictures = RunPictures(record, stored, network, earlier, remarks)
        if image_ids:
            remarks += _missing(pictures, image_ids)
        yield pictures


def label_map_ids(record: RunRecord, kind: str) -> list[str]:
    """Ids of the images that a run has label maps of."""
    return sorted(path.stem for path in _label_folder(record, kind).glob("*.png"))


def _missing(pictures: RunPictures, image_ids: Sequence[str]) -> Iterator[str]:
    """Why there are no pictures of a kind of any of the images, a sentence each."""
    kinds, record = pictures.kinds(image_ids), pictures.record
    if ATTENTION not in kinds:
        yield f"no attention: {_no_attention(pictures)}"
    for kind in LABEL_FOLDERS:
        stage = RESULTS[kind].stage
        if kind in kinds:
            continue
        if label_map_ids(record, kind):
            yield f"its {kind} label maps are of other images than those shown"
        elif stage in record.manifests:
            yield f"no {kind} label maps: wsss {stage} has not got that far, or they were removed"
        elif kind != "crf":  # which is optional
            yield f"no {kind} label maps: wsss {stage} has not been run"


def _no_attention(pictures: RunPictures) -> str:
    if pictures.stored is not None:
        return "wsss attend was run on other images, and there is no network to draw these with"
    manifest = pictures.record.manifests.get("attend")
    if manifest is None:
        return "wsss attend has not been run, and there is no network to draw it with"
    if manifest["status"] != "complete":
        return "wsss attend is unfinished, and there is no network to draw it with"
    return "neither its file nor the network can be read"


def label_thumbnail(label_map: Pixels) -> Thumbnail:
    """A label map in VOC's colours."""
    return thumbnail(voc_palette()[label_map], flat=True)


def _label_folder(record: RunRecord, kind: str) -> Path:
    return record.path / RESULTS[kind].stage / LABEL_FOLDERS[kind]


def _network(record: RunRecord, remarks: list[str]) -> Network | None:
    """The network of the run's training, else the one that its attention was made with."""
    attend = record.manifests.get("attend", {}).get("config", {})
    checkpoint = record.path / "train" / CHECKPOINT_FILE
    path = checkpoint if checkpoint.is_file() else Path(attend.get("checkpoint") or checkpoint)
    if not path.is_file():
        return None
    try:
        network, config, names = load_network(path)
    except WsssError as error:
        remarks.append(f"its network cannot be loaded: {error}")
        return None
    if names != record.class_names:
        remarks.append(f"{path} was trained on other classes, so it is not used")
        return None
    size = int(attend.get("size", AttendConfig.size))
    return Network(network, config.method, size, file_fingerprint(path))
