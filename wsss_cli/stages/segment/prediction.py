"""Prediction with a trained segmentation network: label maps, on request their soft scores."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsss_cli import ranks
from wsss_cli.artifacts.image_groups import SHARD_IMAGES, shard_path, write_index
from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.artifacts.score_file import INDEX, LAYOUT, ImageScores, ScoreFile, write_shard
from wsss_cli.configs.results import LABEL_FOLDERS
from wsss_cli.data.images import Pixels
from wsss_cli.errors import WsssError
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.stages.image_loop import Shard, Share, pipeline
from wsss_cli.stages.segment.image_prediction import ImagePredictor
from wsss_cli.stages.segment.plan import SegmentPlan
from wsss_cli.stages.segment.views import grid_size
from wsss_cli.tracking import Track

# A shard of scores is made in memory: of photographs as cameras take them it holds fewer.
SHARD_BYTES = 2**27


def predict(plan: SegmentPlan, network: DeepLabLargeFOV, track: Track) -> dict[str, Any]:
    """Write the label map of each image that has none yet, and the scores if they are wanted.

    Label maps are made from the very numbers that the scores are stored in, so both agree and
    neither depends on the other.

    Returns:
        How many images the network has seen, and how fast.
    """
    predictor = image_predictor(plan, network)
    shards = _shards(plan, network) if plan.config.probabilities else []

    def lacking(shard: Shard) -> list[str]:
        """Images of which at least the label map is to be made."""
        if shards and shard.left():
            return list(shard.image_ids)
        return [i for i in shard.image_ids if not label_path(plan, i).exists()]

    singles = [Shard(label_path(plan, i), [i]) for i in plan.predicted_ids]
    share = Share(shards or singles, lambda shard: len(lacking(shard)), size=len)

    def images() -> Iterator[str]:
        """Shards to make, then images of which only the label map is missing."""
        unwritten = [shard for shard in share.missing if shards and shard.left()]
        scored = {image_id for shard in unwritten for image_id in shard.image_ids}
        unlabelled = [i for shard in share.missing for i in lacking(shard) if i not in scored]
        for shard in unwritten:
            with write_shard(shard.path) as keep:
                yield from _predict(plan, predictor, shard.image_ids, keep)
        yield from _predict(plan, predictor, unlabelled, None)

    for _ in share.follow(images(), track, "predicting"):
        pass
    made = share.made()
    if shards and ranks.first():
        image_ids = [shard.image_ids for shard in shards]
        write_index(plan.directory.path, LAYOUT, image_ids, plan.data_set.class_names)
    return made


def image_predictor(plan: SegmentPlan, network: DeepLabLargeFOV) -> ImagePredictor:
    """The network with the stage's way of looking at photographs."""
    config = plan.config
    return ImagePredictor(
        network,
        plan.scales,
        config.flip,
        config.merge,
        config.crf,
        plan.device,
        plan.precision,
        plan.classifier,
    )


def label_path(plan: SegmentPlan, image_id: str) -> Path:
    """Where the label map of an image lies."""
    return plan.directory.path / LABEL_FOLDERS["prediction"] / f"{image_id}.png"


def has_scores(plan: SegmentPlan) -> bool:
    """Whether the soft scores of all images are there."""
    try:
        with ScoreFile(plan.directory.path / INDEX, plan.data_set.class_names) as file:
            file.require(plan.predicted_ids)
    except WsssError:
        return False
    return True


def _predict(
    plan: SegmentPlan,
    predictor: ImagePredictor,
    image_ids: Sequence[str],
    keep: Callable[[str, ImageScores], None] | None,
) -> Iterator[str]:
    """Predict images: decoding ahead in threads, writing behind in one; yields each id."""
    possible = _possible_labels(plan)

    def load(image_id: str) -> tuple[str, Pixels]:
        return image_id, plan.data_set.read_image(image_id)

    def compute(
        images: Iterator[tuple[str, Pixels]],
    ) -> Iterator[tuple[str, Tensor | None, ImageScores]]:
        for image_id, image in images:
            scores = predictor.scores(image, possible.get(image_id))
            size = image.shape[0], image.shape[1]
            missing = not label_path(plan, image_id).exists()
            label_map = predictor.label_map(scores, image).cpu() if missing else None
            yield image_id, label_map, ImageScores(scores.cpu().numpy(), size)

    def write(predicted: tuple[str, Tensor | None, ImageScores]) -> tuple[str, ImageScores]:
        image_id, label_map, scores = predicted
        if label_map is not None:
            write_label_map(label_path(plan, image_id), label_map.numpy())
        return image_id, scores

    for image_id, scores in pipeline(image_ids, load, compute, write, plan.config.workers):
        if keep is not None:
            keep(image_id, scores)
        yield image_id


def _shards(plan: SegmentPlan, network: DeepLabLargeFOV) -> list[Shard]:
    """Images whose scores share a file, by their number and by the bytes they take."""
    groups: list[list[str]] = []
    taken = 0
    for image_id, size in zip(plan.predicted_ids, plan.predicted_sizes, strict=True):
        height, width = grid_size(network, size, plan.scales)
        needed = 2 * plan.num_labels * height * width
        taken += needed
        if not groups or len(groups[-1]) == SHARD_IMAGES or taken > SHARD_BYTES:
            groups.append([])
            taken = needed
        groups[-1].append(image_id)
    folder = plan.directory.path
    return [Shard(shard_path(folder, number), group) for number, group in enumerate(groups)]


def _possible_labels(plan: SegmentPlan) -> dict[str, Tensor]:
    """(L,) bool of every image with ``--restrict-to-labels``: background and its labels."""
    if plan.predicted_labels is None:
        return {}
    labels = torch.from_numpy(plan.predicted_labels)  # (M, C)
    possible = torch.cat((torch.ones(len(labels), 1, dtype=torch.bool), labels), dim=1)  # (M, L)
    return dict(zip(plan.predicted_ids, possible.to(plan.device), strict=True))
