"""Estimates of what each stage takes: time, disk and memory."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsss_cli.configs.methods import METHODS, learns_from_saliency
from wsss_cli.data.images import Pixels, read_image
from wsss_cli.errors import WsssError
from wsss_cli.inspect.doctor.space import BYTES_PER_NUMBER
from wsss_cli.inspect.estimates.costs import (
    Estimate,
    added,
    estimate_images,
    estimate_passes,
    estimate_training,
    grey_maps,
    heatmaps,
    label_maps,
    nothing_to_do,
)

Size = tuple[int, int]

# Memory of a CRF and of a proxy rule, for each pixel of the image and each label.
_CRF_BYTES = 500
_RULE_BYTES = 30
# Classes that a network is taken to predict in an image.
_PREDICTED = 2
# Of a pixel of a frame, compressed.
_VIDEO_BYTES = 0.02
# What evaluate --json keeps of an image, and of the rest.
_SCORES_BYTES = 400


def estimate_stage(stage: str, plan: Any, state: str) -> Estimate:  # noqa: ANN401 - any stage's
    """Estimate what a stage has still to do.

    Args:
        stage: Name of the stage.
        plan: What its ``prepare`` returned.
        state: How its result stands: ``new``, ``resumable`` or ``complete``.
    """
    if state == "complete":
        return nothing_to_do()
    if stage not in _ESTIMATES:
        return replace(nothing_to_do(), seconds=None)
    return _ESTIMATES[stage](plan)


def estimate_heads(plan: Any) -> Estimate:  # noqa: ANN401
    """Estimate a training of heads alone to which another one leaves its features.

    Args:
        plan: What ``prepare`` of ``train`` returned.
    """
    return _train(plan, passed=True)


def _train(plan: Any, *, passed: bool = False) -> Estimate:  # noqa: ANN401
    from wsss_cli.methods.network_file import build_network
    from wsss_cli.models.pretrained import InitialWeights

    config, classes = plan.config, len(plan.data_set.class_names)
    network = build_network(config, classes, InitialWeights())
    numbers = sum(each.numel() for each in network.parameters())
    passing = _passing(plan, network, passed=passed) if config.heads_only else nothing_to_do()
    labels = torch.zeros(1, classes, device=plan.device)
    labels[:, 0] = 1

    def loss(images: Tensor) -> Tensor:
        saliency = images[:, 0].float() / 255
        maps = [saliency] if learns_from_saliency(config.method) else []
        seen = _features(network.trunk, images) if config.heads_only else images
        losses: Mapping[str, Tensor] = network.losses(seen, labels.expand(len(images), -1), *maps)
        return torch.stack([each.float() for each in losses.values()]).sum()

    trained = _training(plan, network, loss)
    snapshots = config.iterations // config.snapshot_every if config.snapshot_every else 0
    kept = Estimate(0.0, snapshots * BYTES_PER_NUMBER * numbers, 0)
    return added(passing, trained, kept)


def _training(plan: Any, network: Any, loss: Callable[[Tensor], Tensor]) -> Estimate:  # noqa: ANN401
    """What is left of the steps of a training, each of one batch or of several."""
    config = plan.config
    return estimate_training(
        plan.directory.path,
        network,
        loss,
        iterations=config.iterations,
        batch=config.batch_size,
        images_per_step=config.batch_size * getattr(config, "accumulate", 1),
        crop=config.crop,
        device=plan.device,
        precision=plan.precision,
    )


def _passing(plan: Any, network: Any, *, passed: bool) -> Estimate:  # noqa: ANN401
    """What is left of passing every image through a trunk that then stands aside."""
    from wsss_cli.models.trunks import PrecomputedFeatures
    from wsss_cli.stages.train.features import cache_of, ids_of_features

    images = 0 if passed else len(ids_of_features(plan))
    passing = _passes_once(plan, network.trunk, network.trunk, cache_of(plan), images)
    network.trunk = PrecomputedFeatures(network.trunk, METHODS[plan.config.method].feature_blocks)
    return passing


def _passes_once(
    plan: Any,  # noqa: ANN401
    trunk: Any,  # noqa: ANN401
    features_of: Callable[[Tensor], Tensor],
    cache: Any,  # noqa: ANN401
    images: int,
) -> Estimate:
    """What is left of passing so many images, and the trunk in the checkpoint."""
    from wsss_cli.artifacts.feature_cache import bytes_of_features

    in_checkpoint = BYTES_PER_NUMBER * sum(each.numel() for each in trunk.parameters())
    return estimate_passes(
        trunk.eval(),
        features_of,
        pixels=max(0, images - cache.done()) * plan.config.crop**2,
        most_at_once=plan.config.batch_size * plan.config.crop**2,
        written=bytes_of_features(images, cache.shape) + in_checkpoint,
        device=plan.device,
        precision=plan.precision,
    )


def _features(trunk: Any, images: Tensor) -> Tensor:  # noqa: ANN401
    """Features of the size that those of some images have."""
    height, width = (side // trunk.stride for side in images.shape[-2:])
    channels = sum(trunk.block_sizes)
    return torch.ones(len(images), channels, height, width, device=images.device)


def _attend(plan: Any) -> Estimate:  # noqa: ANN401
    from wsss_cli.stages.attend.network_attention import attention_of

    config = plan.config
    labels = torch.zeros(1, len(plan.data_set.class_names), device=plan.device)
    labels[:, 0] = 1
    maps = [_PREDICTED] * len(plan.sizes) if plan.labels is None else plan.labels.sum(1).tolist()
    drawn = sum(h * w * count for (h, w), count in zip(plan.sizes, maps, strict=True))
    map_sizes = map(config.map_size, plan.sizes)
    stored = sum(h * w * count for (h, w), count in zip(map_sizes, maps, strict=True))
    views = 2 if config.flip else 1
    # Images pass the network together where their views have the same sizes.
    looked = Counter(tuple(config.view_sizes(size)) for size in plan.sizes)
    return estimate_passes(
        plan.network.eval(),
        lambda images: attention_of(
            plan.network,
            images,
            labels.expand(len(images), -1),
            flip=False,
            prototypes=config.prototypes,
        ),
        pixels=views * sum(h * w * count for sizes, count in looked.items() for h, w in sizes),
        most_at_once=views
        * max(
            h * w * min(count, config.batch_size)
            for sizes, count in looked.items()
            for h, w in sizes
        ),
        written=2 * stored + (heatmaps(drawn) if config.heatmaps else 0),
        device=plan.device,
        precision=plan.precision,
    )


def _saliency(plan: Any) -> Estimate:  # noqa: ANN401
    from wsss_cli.stages.saliency import passes

    paths = [plan.data_set.image_path(image_id) for image_id in plan.image_ids]
    pixels = _pixels(paths)
    return estimate_images(
        lambda path: passes(plan.model, read_image(path), plan.config.passes),
        paths,
        workers=0,  # one at a time
        written=plan.config.passes * grey_maps(pixels),
        most_pixels=plan.config.size**2,
        bytes_per_pixel=_CRF_BYTES,
    )


def _proxy(plan: Any) -> Estimate:  # noqa: ANN401
    from wsss_cli.stages.proxy.evidence import opened_attention, read_evidence
    from wsss_cli.stages.proxy.rule import label_image

    with opened_attention(plan) as (file, potential):

        def label(image_id: str) -> None:
            label_image(plan.config, read_evidence(plan, file, potential, image_id), plan.device)

        sizes = [file.outline(i).size for i in plan.image_ids[:: len(plan.image_ids) // 200 + 1]]
        mean = sum(h * w for h, w in sizes) / len(sizes)
        each = _RULE_BYTES if plan.config.viewer is None else _CRF_BYTES
        return estimate_images(
            label,
            plan.image_ids,
            workers=plan.config.workers,
            written=label_maps(mean * len(plan.image_ids)),
            most_pixels=max(h * w for h, w in sizes),
            bytes_per_pixel=each,
        )


def _refine(plan: Any) -> Estimate:  # noqa: ANN401
    from wsss_cli.artifacts.attention_file import AttentionFile
    from wsss_cli.stages.refine.edge_file import build
    from wsss_cli.stages.refine.maps import by_edges, by_regions

    config, parts = plan.config, []
    if config.regions is not None:
        refine = by_regions(plan)
    else:
        network = plan.network or build(plan.backbone)
        if config.edges:
            # But for the pairs of positions, which take about as long.
            training = _training(
                plan, network, lambda images: network(images).float().square().mean()
            )
            parts.append(training)
        refine = by_edges(plan, network)
    files = (plan.attention, *plan.attention.parent.glob("shards/*.h5"))
    with AttentionFile(plan.attention, plan.data_set.class_names) as file:
        images = estimate_images(
            lambda image_id: refine(image_id, file.read(image_id)),
            plan.image_ids,
            workers=config.workers,
            written=sum(path.stat().st_size for path in files),
            most_pixels=max(height * width for height, width in plan.sizes),
            bytes_per_pixel=_CRF_BYTES,
        )
    return added(*parts, images)


def _segment(plan: Any) -> Estimate:  # noqa: ANN401
    from wsss_cli.stages.segment.network_file import load_network
    from wsss_cli.stages.segment.training import untrained_network
    from wsss_cli.stages.segment.views import MOST_PIXELS, grid_size

    config = plan.config
    fresh = config.checkpoint is None
    network = untrained_network(plan) if fresh else load_network(config.checkpoint)[0]
    parts = _segment_training(plan, network) if fresh else []
    area = sum(height * width for height, width in plan.predicted_sizes)
    largest = max(height * width for height, width in plan.predicted_sizes)
    scales, views = plan.config.scales, 2 if config.flip else 1
    written = label_maps(area)
    if config.probabilities:
        grids = [grid_size(network, size, scales) for size in plan.predicted_sizes]
        written += 2 * plan.num_labels * sum(height * width for height, width in grids)
    if config.submission is not None:
        written += label_maps(area)
    parts.append(
        estimate_passes(
            network.eval(),
            network,
            pixels=area * views * sum(scale**2 for scale in scales),
            most_at_once=min(MOST_PIXELS, views * largest * max(scales) ** 2),
            written=written,
            device=plan.device,
            precision=plan.precision,
        )
    )
    if plan.classifier is not None:
        parts.append(_classifying(plan))
    if config.crf is not None:
        parts.append(_refining(plan, config.crf))
    return added(*parts)


def _classifying(plan: Any) -> Estimate:  # noqa: ANN401
    """The passes of the network that says which classes photographs show, beside another's."""
    from wsss_cli.stages.attend.network_attention import labels_by_network
    from wsss_cli.stages.segment.classifier import SIDE

    network, num_classes = plan.classifier.network.eval(), len(plan.data_set.class_names)
    return estimate_passes(
        network,
        lambda pictures: labels_by_network(network, pictures, num_classes),
        pixels=len(plan.predicted_ids) * SIDE**2,
        most_at_once=SIDE**2,
        written=0,
        device=plan.device,
        precision=plan.precision,
    )


def _segment_training(plan: Any, network: Any) -> list[Estimate]:  # noqa: ANN401
    """The training of a segmentation network, or of its heads alone."""
    from wsss_cli.models.trunks import PrecomputedFeatures
    from wsss_cli.stages.segment.features import cache_of

    config, trunk, passing = plan.config, network.trunk, []

    def loss(images: Tensor) -> Tensor:
        if config.heads_only:
            scores = network.scores_of(_features(network.trunk, images))
            return network.enlarged(scores, images.shape[-2:]).square().mean()  # type: ignore[no-any-return]
        return network(images).float().square().mean()  # type: ignore[no-any-return]

    if config.heads_only:
        count = len(plan.supervision)
        passing.append(_passes_once(plan, trunk, network.features, cache_of(plan), count))
        network.trunk = PrecomputedFeatures(trunk)
    training = _training(plan, network, loss)
    network.trunk = trunk
    return [*passing, training]


def _refining(plan: Any, preset: str) -> Estimate:  # noqa: ANN401
    """The CRF that follows a prediction, timed on even scores."""
    from wsss_cli.configs.crf import PRESETS
    from wsss_cli.ops.dense_crf import refined_labels

    def refine(path: Path) -> None:
        image = torch.from_numpy(read_image(path)).to(plan.device)
        even = torch.full((plan.num_labels, *image.shape[:2]), 1 / plan.num_labels)
        refined_labels(even.to(plan.device), image, PRESETS[preset])

    largest = max(height * width for height, width in plan.predicted_sizes)
    return estimate_images(
        refine,
        [plan.data_set.image_path(image_id) for image_id in plan.predicted_ids],
        workers=0,  # one at a time, beside the network
        written=0,
        most_pixels=largest,
        bytes_per_pixel=_CRF_BYTES,
    )


def _crf(plan: Any) -> Estimate:  # noqa: ANN401
    from wsss_cli.stages.crf import refined_image

    paths = [plan.data_set.image_path(image_id) for image_id in plan.image_ids]
    pictures = 2 if plan.config.uncertainty else 1
    return estimate_images(
        lambda image_id: refined_image(plan, image_id),
        plan.image_ids,
        workers=plan.config.workers,
        written=pictures * label_maps(_pixels(paths)),
        most_pixels=_pixels(paths[:1]),
        bytes_per_pixel=_CRF_BYTES,
    )


def _evaluate(plan: Any) -> Estimate:  # noqa: ANN401
    from wsss_cli.artifacts.label_png import read_label_map

    kept = _SCORES_BYTES * (len(plan.truth) + plan.num_labels**2)
    # The other side takes about as long to read, and counting as long as both.
    return estimate_images(
        lambda path: [read_label_map(path) for _ in range(4)],
        plan.truth,
        workers=plan.config.workers,
        written=kept if plan.keeps_scores else 0,
        most_pixels=_pixels(plan.truth[:1]),
        bytes_per_pixel=_RULE_BYTES,
    )


def _predict(plan: Any) -> Estimate:  # noqa: ANN401
    from wsss_cli.artifacts.video_file import opened_video
    from wsss_cli.data.exif_orientation import as_seen

    def look(task: Any) -> None:  # noqa: ANN401
        picture = task.picture
        with suppress(WsssError):  # a broken one is told of when it is predicted
            plan.predictor.predict(as_seen(read_image(picture.path), picture.orientation))

    todo = plan.todo()
    sizes = [task.picture.size for task in todo.tasks]
    largest = max((height * width for height, width in sizes), default=0)
    pictures = estimate_images(
        look,
        todo.tasks,
        workers=0,  # one at a time
        written=label_maps(sum(height * width for height, width in sizes)),
        most_pixels=largest,
        bytes_per_pixel=_RULE_BYTES,
    )
    parts = [pictures]
    for task in todo.videos:
        with suppress(WsssError), opened_video(task.picture.path) as opened:
            first = next(opened.frames(), None)
            if first is not None:
                parts.append(_of_video(plan, first, opened.outline.frames or 1))
    return added(*parts)


def _of_video(plan: Any, first: Pixels, frames: int) -> Estimate:  # noqa: ANN401
    """A video, timed on its first frame."""
    pixels = first.shape[0] * first.shape[1]
    return estimate_images(
        lambda _: plan.predictor.predict(first).overlay(first),
        range(frames),
        workers=0,
        written=_VIDEO_BYTES * pixels * frames,
        most_pixels=pixels,
        bytes_per_pixel=_RULE_BYTES,
    )


def _pixels(paths: list[Path]) -> float:
    """Pixels of all pictures, from an even sample."""
    from wsss_cli.data.images import check_images

    sample = paths[:: len(paths) // 200 + 1]
    sizes = check_images(sample)
    return sum(height * width for height, width in sizes) / len(sizes) * len(paths)


_ESTIMATES: Mapping[str, Callable[[Any], Estimate]] = {
    "train": _train,
    "attend": _attend,
    "saliency": _saliency,
    "proxy": _proxy,
    "refine": _refine,
    "segment": _segment,
    "crf": _crf,
    "evaluate": _evaluate,
    "predict": _predict,
}
