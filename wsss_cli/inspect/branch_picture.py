"""``wsss show --image``: what each branch of a trained network does, drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wsss_cli.artifacts.branch_png import (
    ZONES,
    Tile,
    heat_tile,
    label_tile,
    write_rows,
    zone_tile,
)
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.common import CommonConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Pixels
from wsss_cli.data.map_sizes import require_size
from wsss_cli.errors import UsageError, did_you_mean
from wsss_cli.inspect.branches import BACKGROUND_NAME, ClassView, view_classes
from wsss_cli.inspect.run_names import distinct_names
from wsss_cli.methods.network_file import load_network
from wsss_cli.methods.protocol import AttentionNetwork
from wsss_cli.metrics.branch_shares import branch_shares
from wsss_cli.stages.early_checks import require_trained
from wsss_cli.stages.erasing import mined_before, mined_regions
from wsss_cli.stages.inputs import find_data, require_same_classes
from wsss_cli.stages.result import Report

PICTURES = "pictures"
_TITLES = {BACKGROUND_NAME: f"{BACKGROUND_NAME}: background"}
_NOTE = (
    "Under a map: where its mass lies, on the class, on true background, on other classes. "
    f"{BACKGROUND_NAME} is drawn on S_B's scale."
)


@dataclass(frozen=True)
class Trained:
    """A run with a trained network to look at."""

    run: Path
    name: str
    data_set: DataSet
    network: AttentionNetwork
    method: str
    size: int
    erase: Path | None
    erase_threshold: float


def run(runs: Sequence[Path], image_ids: Sequence[str]) -> Report:
    """Draw each image through the branches of each run, a block of rows per run.

    Args:
        runs: Runs with a finished training; the pictures go to the first one.
        image_ids: Images of the data sets that the runs were trained on.

    Raises:
        WsssError: A run has no network, or an image, its labels or its mask cannot be read.
    """
    trained = [
        _open(network_run, name)
        for network_run, name in zip(runs, distinct_names(runs), strict=True)
    ]
    for image_id in image_ids:
        for network_run in trained:
            _require_image(network_run.data_set, image_id)
    pictures = [_draw(trained, image_id) for image_id in image_ids]
    return Report("picture", runs[0] / PICTURES, False, {"pictures": pictures})


def _open(run: Path, name: str) -> Trained:
    require_trained(run)
    checkpoint = run / "train" / CHECKPOINT_FILE
    network, config, class_names = load_network(checkpoint)
    data_set = find_data(CommonConfig(run=run))
    require_same_classes(checkpoint, class_names, data_set)
    try:
        size = int(read_manifest(run / "attend")["config"]["size"])
    except (FileNotFoundError, KeyError):
        size = AttendConfig.size
    erase = mined_before(AttendConfig(run=run))
    return Trained(run, name, data_set, network, config.method, size, erase, config.erase_threshold)


def _require_image(data_set: DataSet, image_id: str) -> None:
    if Path(image_id).name != image_id or not data_set.image_path(image_id).is_file():
        raise UsageError(
            f"--image {image_id}: no such image in {data_set.root}; give an id of its lists, "
            f"a file name without folder and ending{did_you_mean(image_id, _ids(data_set))}"
        )


def _ids(data_set: DataSet) -> list[str]:
    return [path.stem for path in data_set.pictures()]


def _draw(trained: Sequence[Trained], image_id: str) -> dict[str, Any]:
    """Write one picture; returns its path and the numbers shown."""
    rows, numbers = [], []
    truth_is_known = False
    for network_run in trained:
        image = _as_seen(network_run, image_id)
        truth = _truth(network_run.data_set, image_id, image)
        truth_is_known |= truth is not None
        present = network_run.data_set.labels([image_id])[0]
        if not present.any():
            raise UsageError(
                f"--image {image_id}: by its labels it shows none of the classes, and the branches "
                "look at the classes of an image; choose another image"
            )
        for view in view_classes(
            network_run.network, network_run.method, image, present, network_run.size
        ):
            name = network_run.data_set.class_names[view.class_id - 1]
            shares = _shares(view, truth)
            about = Tile(image, [name, image_id, f"{network_run.name} ({network_run.method})"])
            rows.append({"image": about, **_tiles(image, view, truth, shares)})
            numbers.append(
                {
                    "run": str(network_run.run),
                    "class": name,
                    "zones": _zones(view.zones),
                    "maps": shares,
                }
            )
    others = "".join(f"_{network_run.name}" for network_run in trained[1:])
    path = trained[0].run / PICTURES / f"{image_id}{others}.png"
    write_rows(path, rows, _NOTE if truth_is_known else "")
    return {"image": image_id, "path": str(path), "rows": numbers}


def _as_seen(trained: Trained, image_id: str) -> Pixels:
    """The photograph, without what earlier rounds have erased from it."""
    image = trained.data_set.read_image(image_id)
    names = trained.data_set.class_names
    with mined_regions(trained.erase, names, trained.erase_threshold) as mined:
        return image if mined is None else mined.erase(image_id, image)


def _truth(data_set: DataSet, image_id: str, image: Pixels) -> Pixels | None:
    truth = data_set.true_label_map(image_id)
    if truth is not None:
        require_size(f"{data_set.root}: the mask of {image_id}", truth.shape, image.shape[:2])
    return truth


def _shares(view: ClassView, truth: Pixels | None) -> dict[str, dict[str, float] | None]:
    """Numbers of each map; None where the truth is not known."""
    if truth is None:
        return dict.fromkeys(view.maps)
    target = torch.tensor(truth)
    return {
        name: branch_shares(attention, view.class_id, target)
        for name, attention in view.maps.items()
    }


def _zones(zones: npt.NDArray[np.float32] | None) -> dict[str, float] | None:
    """Share of the area in each zone."""
    if zones is None:
        return None
    return {name: float((zones == value).mean()) for value, name, _ in ZONES}


def _tiles(
    image: Pixels,
    view: ClassView,
    truth: Pixels | None,
    shares: dict[str, dict[str, float] | None],
) -> dict[str, Tile]:
    """The tiles of one class, by title, in the order in which the network works."""
    tiles = {}
    if view.prior is not None:
        tiles["prior M"] = heat_tile(image, view.prior, [])
    if view.zones is not None:
        tiles["zones T"] = zone_tile(image, view.zones)
    for name, attention in view.maps.items():
        lines = _lines(shares[name])
        tiles[_TITLES.get(name, name)] = heat_tile(image, attention.numpy(), lines)
    if truth is not None:
        tiles["ground truth"] = label_tile(truth, [])
    return tiles


def _lines(shares: dict[str, float] | None) -> list[str]:
    if shares is None:
        return []
    on_class, on_background = shares["mass_object"], shares["mass_background"]
    if on_class != on_class:  # nan: no mass to share
        return ["nothing lit"]
    return [
        f"class {on_class:.0%}",
        f"background {on_background:.0%}",
        f"other classes {max(0.0, 1 - on_class - on_background):.0%}",
    ]
