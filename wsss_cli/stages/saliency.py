"""``wsss saliency``: make saliency maps with a given network, or without one."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from wsss_cli.artifacts.plain_png import write_png
from wsss_cli.artifacts.stage_directory import Input, StageDirectory
from wsss_cli.configs.common import record
from wsss_cli.configs.saliency import SALIENCY_MODELS, UNSUPERVISED, SaliencyConfig
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.images import Pixels, read_saliency
from wsss_cli.data.resizing import resize_grey, resize_image
from wsss_cli.models.saliency_network import SaliencyNetwork
from wsss_cli.models.trunks import OXFORD_MEAN
from wsss_cli.models.unsupervised_saliency import UnsupervisedSaliency
from wsss_cli.stages.image_loop import Share, pipeline
from wsss_cli.stages.input_kinds import file_input, images_input
from wsss_cli.stages.inputs import MAPS, SECOND_MAPS, find_data, trained_split
from wsss_cli.stages.result import Report, make, result_directory
from wsss_cli.stages.salient_share import SalientShare
from wsss_cli.tracking import Track

# From this saliency on the first pass's object is painted over for the second one. Chaudhry et al.,
# "Discovering Class-Specific Pixels for Weakly-Supervised Semantic Segmentation", BMVC 2017, as
# public implementations have it.
SALIENT = round(0.7 * 255)


class Model(Protocol):
    """A maker of saliency maps."""

    def seen(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) that it wants an image of some size resized to."""
        ...

    def saliency(self, image: Pixels) -> Pixels:
        """(h, w) uint8 of an (h, w, 3) uint8 RGB image of such a size."""
        ...


@dataclass(frozen=True)
class SaliencyPlan:
    """Everything checked before the first map."""

    config: SaliencyConfig
    data_set: DataSet
    split: str
    image_ids: list[str]
    model: Model
    directory: StageDirectory

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "data": str(self.data_set.root),
            "split": self.split,
            "images": len(self.image_ids),
        }


def prepare(config: SaliencyConfig, track: Track) -> SaliencyPlan:
    """Check data, network and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    model, inputs = _model(config)
    data_set = find_data(config)
    split = trained_split(config.split, config.run, data_set)
    image_ids = data_set.image_ids(split)
    image_sizes(data_set, image_ids, track.note)
    directory = result_directory(
        "saliency",
        config,
        {"images": images_input(data_set, image_ids), **inputs},
        data=data_set.root,
        class_names=data_set.class_names,
        device="cpu",  # opencv-python computes networks there alone
        resolved={"split": split},
        details={"model": asdict(SALIENCY_MODELS[config.way])},
    )
    return SaliencyPlan(
        config=config,
        data_set=data_set,
        split=split,
        image_ids=image_ids,
        model=model,
        directory=directory,
    )


def _model(config: SaliencyConfig) -> tuple[Model, dict[str, Input]]:
    """The model that ``--model`` names, and the file that it is read from."""
    name = config.required_model()
    if name == UNSUPERVISED:
        return UnsupervisedSaliency(config.size), {}
    path = Path(name)
    network = SaliencyNetwork(
        path, config.size, config.mean, config.deviation, sigmoid=config.sigmoid
    )
    return network, {"model": file_input(path.resolve())}


def run(config: SaliencyConfig, *, track: Track) -> Report:
    """Write the maps of each image, leaving out those that are there.

    Raises:
        WsssError: The inputs are wrong or the disk is full.
    """
    plan = prepare(config, track)
    return make(plan.directory, _write_maps, plan, track, overwrite=config.overwrite)


def _write_maps(plan: SaliencyPlan, track: Track) -> dict[str, Any]:
    """Write the maps that are not there; returns the counts."""
    config, directory = plan.config, plan.directory
    directory.begin(overwrite=config.overwrite)
    folders = [directory.path / name for name in (MAPS, SECOND_MAPS)[: config.passes]]

    def paths(image_id: str) -> list[Path]:
        return [folder / f"{image_id}.png" for folder in folders]

    share = Share(plan.image_ids, lambda i: not all(path.exists() for path in paths(i)))
    salient = SalientShare()
    for image_id in sorted(set(share.items) - set(share.missing)):
        salient.add(read_saliency(paths(image_id)[0]))

    def load(image_id: str) -> tuple[str, Pixels]:
        return image_id, plan.data_set.read_image(image_id)

    def compute(images: Iterator[tuple[str, Pixels]]) -> Iterator[tuple[str, list[Pixels]]]:
        for image_id, image in images:
            yield image_id, passes(plan.model, image, config.passes)

    def write(computed: tuple[str, list[Pixels]]) -> None:
        image_id, maps = computed
        for path, grey in zip(paths(image_id), maps, strict=True):
            write_png(path, grey)
        salient.add(maps[0])

    written = pipeline(share.missing, load, compute, write, config.workers)
    for _ in share.follow(written, track, "making saliency maps"):
        pass
    return {**share.made(), **salient.values()}


def passes(model: Model, image: Pixels, number: int) -> list[Pixels]:
    """Saliency of an image, then of what is left when the salient part is painted over.

    Args:
        model: Gives the maps.
        image: (H, W, 3) uint8 RGB.
        number: Passes wanted, 1 or more.

    Returns:
        An (H, W) uint8 map for each pass.
    """
    maps = [_saliency(model, image)]
    for _ in range(number - 1):
        image = image.copy()
        image[maps[-1] >= SALIENT] = np.round(OXFORD_MEAN).astype(np.uint8)
        maps.append(_saliency(model, image))
    return maps


def _saliency(model: Model, image: Pixels) -> Pixels:
    """(H, W) uint8 of an (H, W, 3) image, which the model sees at the size that it wants."""
    size = image.shape[0], image.shape[1]
    return resize_grey(model.saliency(resize_image(image, model.seen(*size))), size)
