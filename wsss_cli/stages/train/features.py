"""``train --heads-only``: every image passes the frozen trunk once, then heads learn from that.

The features are those of the whole image, resized to the square that ``--crop`` names, as
``attend`` resizes it; a view of training is the features themselves or their mirror image. They are
on the disk as half floats until the training is done. A method that compares several blocks of the
trunk finds all of them on the grid of the last one.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wsss_cli import ranks
from wsss_cli.artifacts.feature_cache import FeatureCache, bytes_of_features
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.stages import FEATURES_FILE
from wsss_cli.data.augmentation import MIRRORED
from wsss_cli.data.loading import prefetch, training_positions
from wsss_cli.data.mined_regions import MinedRegions
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import autocast, moved, pinned, resolve_workers
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.models.trunks import GivenFeatures, Trunk, build_trunk
from wsss_cli.stages.input_kinds import images_input
from wsss_cli.stages.train.taught_saliency import ReadSaliency
from wsss_cli.tracking import Track

if TYPE_CHECKING:
    from wsss_cli.stages.train.plan import TrainPlan


def features_shape(plan: "TrainPlan") -> tuple[int, int, int]:
    """(K, h, w) of the features of an image."""
    config = plan.config
    with torch.device("meta"):  # shapes alone
        trunk = build_trunk(config.backbone, config.stride)
        square = torch.empty(1, 3, config.crop, config.crop)
        features = trunk.joined_blocks(square, METHODS[config.method].feature_blocks)
    _, channels, height, width = features.shape
    return channels, height, width


def ids_of_features(plan: "TrainPlan") -> list[str]:
    """The images that are learnt from, then those that are measured and not among them.

    What is erased from is not what is measured, so there all that are measured follow.
    """
    measured: Sequence[str] = () if plan.measured is None else plan.measured.image_ids
    learnt = set(plan.image_ids) if plan.config.erase is None else set()
    return [*plan.image_ids, *(name for name in measured if name not in learnt)]


def cache_of(plan: "TrainPlan") -> FeatureCache:
    """The features that a training keeps, whether or not they are there yet."""
    config, measured = plan.config, plan.measured
    identity = {
        "data": images_input(plan.data_set, ids_of_features(plan)).fingerprint,
        "weights": plan.weights.fingerprint,
        "backbone": [config.backbone, config.stride, config.crop],
        "erase": [plan.directory.inputs["erase"].fingerprint, config.erase_threshold]
        if config.erase is not None
        else None,
        "measured": 0 if measured is None else len(measured.image_ids),
        "precision": plan.precision,
    }
    blocks = METHODS[config.method].feature_blocks
    if blocks > 1:
        identity["blocks"] = blocks
    return FeatureCache(plan.directory.path / FEATURES_FILE, features_shape(plan), identity)


def require_features(plan: "TrainPlan") -> None:
    """Refuse a training of heads alone that cannot be.

    Raises:
        UsageError: The trunk has no weights to start from, or several processes are to share it.
        WsssError: The disk has no room for the features.
    """
    if ranks.world() > 1:
        raise UsageError("--heads-only trains in one process; start one, without torchrun")
    plan.config.check_command()
    count, shape = len(ids_of_features(plan)), features_shape(plan)
    needed = bytes_of_features(count, shape) - bytes_of_features(cache_of(plan).done(), shape)
    folder = next(
        each
        for each in (plan.directory.path, *plan.directory.path.absolute().parents)
        if each.is_dir()
    )
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise WsssError(
            f"--heads-only keeps the features of {count} images in {plan.directory.path} while it "
            f"trains, {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free there; free some "
            "space, choose another --run, or lower --crop"
        )


@dataclass(frozen=True)
class Passed:
    """A network whose images have passed its trunk.

    Attributes:
        plan: The training's plan.
        network: Its trunk stands aside: it is given features.
        trunk: The trunk.
        rows: (N, K, h, w) features of :func:`ids_of_features`.
    """

    plan: "TrainPlan"
    network: Any
    trunk: Trunk
    rows: npt.NDArray[np.float16]

    @contextmanager
    def whole(self) -> Iterator[nn.Module]:
        """The network with its trunk, as a checkpoint has it."""
        given, self.network.trunk = self.network.trunk, self.trunk
        try:
            yield self.network
        finally:
            self.network.trunk = given

    @cached_property
    def _measured(self) -> dict[str, int]:
        """Row of each measured image; of two rows, the later one, from which nothing is erased."""
        return {image_id: row for row, image_id in enumerate(ids_of_features(self.plan))}

    def measured(self, image_id: str) -> Tensor:
        """(K, h, w) float32 features of an image that is measured."""
        return self._view(self._measured[image_id])

    def _view(self, row: int) -> Tensor:
        return torch.from_numpy(np.array(self.rows[row])).float()

    def batches(self, saliency: ReadSaliency | None, start: int) -> Iterator[tuple[Tensor, ...]]:
        """Batches from iteration ``start`` on, on the device.

        Args:
            saliency: Reads the maps to learn from; None for a method that learns from none.
            start: First iteration.

        Yields:
            Features (B, K, h, w) float32, labels (B, C) float32 and, for a method that learns from
            saliency, saliency (B, crop, crop) in [0, 1].
        """
        plan, config = self.plan, self.plan.config
        square = (config.crop, config.crop)

        def view(sample: int, index: int) -> list[Tensor]:
            image_id = plan.image_ids[index]
            maps = [] if saliency is None else [saliency(image_id, square)]
            views = [self._view(index), *(torch.from_numpy(m).float() / 255 for m in maps)]
            mirrored = np.random.default_rng((config.seed, sample)).random() < MIRRORED
            return [each.flip(-1) for each in views] if mirrored else views

        def load(batch: list[tuple[int, int]]) -> tuple[Tensor, ...]:
            views = zip(*(view(sample, index) for sample, index in batch), strict=True)
            features, *maps = (torch.stack(each) for each in views)
            labels = torch.from_numpy(plan.labels[[index for _, index in batch]])
            return pinned((features, labels.float(), *maps), plan.device)

        positions = training_positions(
            len(plan.image_ids), config.batch_size, config.seed, start, config.iterations
        )
        for batch in prefetch(load, positions, resolve_workers(config.workers)):
            yield moved(batch, plan.device)


def pass_images(
    plan: "TrainPlan",
    network: Any,  # noqa: ANN401 - any method's
    mined: MinedRegions | None,
    track: Track,
) -> Passed:
    """Pass every image through the trunk, but for those that have passed before.

    Args:
        plan: The training's plan; its directory is begun.
        network: On the device; afterwards it is to be given features.
        mined: Erases from the images that are learnt from.
        track: Shown the progress.

    Raises:
        WsssError: An image cannot be read, or the disk is full.
    """
    config, cache, names = plan.config, cache_of(plan), ids_of_features(plan)
    done, learnt = cache.done(), len(plan.image_ids)
    blocks = METHODS[config.method].feature_blocks
    trunk: Trunk = network.trunk
    trunk.eval()

    def load(row: int) -> npt.NDArray[np.uint8]:
        image = plan.data_set.read_image(names[row])
        if mined is not None and row < learnt:
            image = mined.erase(names[row], image)
        return resize_image(image, (config.crop, config.crop))

    size = config.batch_size
    rows = range(done, len(names))
    batches = [rows[at : at + size] for at in range(0, len(rows), size)]
    views = prefetch(load, rows, resolve_workers(config.workers))
    if batches:
        track.note(
            f"passing {len(names) - done} images through {config.backbone} once; their features "
            f"take {bytes_of_features(len(names), cache.shape) / 1e9:.1f} GB in {cache.path} until "
            "the training is done"
        )
    for batch in track.steps(
        batches, total=len(names), label="features", done=done, unit="images", size=len
    ):
        pixels = torch.from_numpy(np.stack([next(views) for _ in batch])).permute(0, 3, 1, 2)
        with torch.inference_mode(), autocast(plan.device, plan.precision):
            features = trunk.joined_blocks(pixels.to(plan.device), blocks)
        cache.append(features.float().cpu().numpy())
    network.trunk = GivenFeatures(trunk, blocks)
    return Passed(plan, network, trunk, cache.rows())
