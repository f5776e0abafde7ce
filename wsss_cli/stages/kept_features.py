"""``--heads-only``: every image passes a frozen trunk once, then heads learn from what it saw.

The features are on the disk as half floats until the training is done.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wsss_cli import ranks
from wsss_cli.artifacts.feature_cache import FeatureCache, bytes_of_features, is_alone
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.configs.stages import FEATURES_FILE
from wsss_cli.data.images import Pixels
from wsss_cli.data.loading import prefetch
from wsss_cli.device import autocast, resolve_workers
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.models.trunks import PrecomputedFeatures, Trunk
from wsss_cli.tracking import Track


class TrainingPlan(Protocol):
    """What the plans of trainings have in common."""

    @property
    def config(self) -> Any:  # noqa: ANN401
        """Settings, with ``batch_size``, ``workers`` and ``overwrite``."""

    @property
    def directory(self) -> StageDirectory:
        """Directory of the stage."""

    @property
    def device(self) -> torch.device:
        """Where the network is."""

    @property
    def precision(self) -> str:
        """``bfloat16`` or ``float32``."""


def is_to_train(plan: TrainingPlan) -> bool:
    """Whether steps are left: of a trained network something else may have vanished."""
    state = plan.directory.state(overwrite=plan.config.overwrite)
    if state == "resumable":
        return not ranks.agreed((plan.directory.path / CHECKPOINT_FILE).exists)
    return state == "new"


def with_known_features(
    directory: StageDirectory, cache_of: Callable[[], FeatureCache] | None
) -> StageDirectory:
    """The directory of a training, which knows features that another one has left there.

    Those that lie there alone have been left by another one, if not of the same images: heads alone
    write over them, and any other training removes them.

    Args:
        directory: The directory.
        cache_of: The features that the training keeps; None for one that keeps none.
    """
    path = directory.path / FEATURES_FILE
    if not path.exists():
        return directory
    alone = is_alone(path)
    # With several processes, layers that see the whole batch would wait for each other.
    if cache_of is None or ranks.world() > 1:
        return replace(directory, leftovers=(FEATURES_FILE,)) if alone else directory
    if alone or cache_of().done():
        return replace(directory, reusable=(FEATURES_FILE,))
    return directory


def require_one_process() -> None:
    """Refuse several processes: the features are kept by one.

    Raises:
        UsageError: There are several.
    """
    if ranks.world() > 1:
        raise UsageError("--heads-only trains in one process; start one, without torchrun")


def require_room(cache: FeatureCache, images: int, gone_before: Sequence[Path] = ()) -> None:
    """Refuse a disk that has no room for the features of so many images.

    Args:
        cache: Keeps them.
        images: How many.
        gone_before: Files, perhaps of features, that will be gone before the images pass.

    Raises:
        WsssError: It has none.
    """
    directory = cache.path.parent
    # Features of anything else are written over, so their room counts as free.
    bytes_there = sum(p.stat().st_size for p in {cache.path, *gone_before} if p.exists())
    needed = bytes_of_features(images, cache.shape) - bytes_there
    folder = next(each for each in (directory, *directory.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise WsssError(
            f"--heads-only keeps the features of {images} images in {directory} while it trains, "
            f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free there; free some space, "
            "choose another --run, or lower --crop"
        )


@dataclass(frozen=True)
class NetworkOnFeatures:
    """A network that learns from the features of its images, whose trunk stands aside.

    Attributes:
        network: Takes features in the place of images.
        trunk: The trunk.
        rows: (N, K, h, w) features of the images.
    """

    network: Any
    trunk: Trunk
    rows: npt.NDArray[np.float16]

    def features(self, row: int) -> Tensor:
        """(K, h, w) float32 features of an image."""
        return torch.from_numpy(np.array(self.rows[row])).float()

    @contextmanager
    def whole(self) -> Iterator[nn.Module]:
        """The network with its trunk, as a checkpoint has it."""
        stand_in, self.network.trunk = self.network.trunk, self.trunk
        try:
            yield self.network
        finally:
            self.network.trunk = stand_in


@dataclass(frozen=True)
class ImagesToPass:
    """The images of a training, and how they pass its trunk.

    Attributes:
        count: How many there are.
        view: (H, W, 3) uint8 of an image, by its row; all of one size.
        backbone: Name of the trunk, for people.
        features_of: (B, 3, H, W) views on the device to (B, K, h, w) features of the trunk.
        stand_in: Takes the trunk's place afterwards.
    """

    count: int
    view: Callable[[int], Pixels]
    backbone: str
    features_of: Callable[[Tensor], Tensor]
    stand_in: PrecomputedFeatures


def compute_features(
    plan: TrainingPlan,
    network: Any,  # noqa: ANN401 - attention and segmentation networks
    images: ImagesToPass,
    cache: FeatureCache,
    track: Track,
) -> NetworkOnFeatures:
    """Pass every image through the trunk, but for those that have passed before.

    Args:
        plan: The training's plan; its directory is begun.
        network: On the device; afterwards it takes features.
        images: Those that it learns from or is measured on.
        cache: Keeps the features.
        track: Shown the progress.

    Raises:
        WsssError: An image cannot be read, or the disk is full.
    """
    size = plan.config.batch_size
    done = cache.intact()
    if done < cache.done():
        track.note(f"{cache.path} is damaged from image {done + 1} on; these pass the trunk again")
    if done < images.count:
        # The last bits of an image's features depend on the images beside it in its batch.
        done -= done % size
        cache.keep(done)
    trunk: Trunk = network.trunk
    trunk.eval()
    rows = range(done, images.count)
    batches = [rows[at : at + size] for at in range(0, len(rows), size)]
    views = prefetch(images.view, rows, resolve_workers(plan.config.workers))
    if batches:
        track.note(
            f"passing {len(rows)} images through {images.backbone} once; their features take "
            f"{bytes_of_features(images.count, cache.shape) / 1e9:.1f} GB in {cache.path} until "
            "the training is done"
        )
    for batch in track.steps(
        batches, total=images.count, label="features", done=done, unit="images", size=len
    ):
        pixels = torch.from_numpy(np.stack([next(views) for _ in batch])).permute(0, 3, 1, 2)
        with torch.inference_mode(), autocast(plan.device, plan.precision):
            features = images.features_of(pixels.to(plan.device))
        cache.append(features.float().cpu().numpy())
    network.trunk = images.stand_in
    return NetworkOnFeatures(network, trunk, cache.rows())
