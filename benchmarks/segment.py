"""Time the steps of ``wsss segment`` beside forward and backward alone, and its prediction.

    python benchmarks/segment.py VOC2012 runs/default/segment/checkpoint.pt

DeepLab-LargeFOV on VGG16. Of the training, over the same batches of 10 at 321, run in turn:

- forward and backward alone, in the same precision and memory format: the network with dropout,
  its enlarged scores, torch's cross entropy, the gradient. No optimiser, no log;
- the steps: the stage's training, whose batches lie in memory.

Of the prediction, over some photographs of a split at five scales and mirrored, run in turn:

- the sum of bare forwards: every view as it lies in memory, preprocessed and padded, through trunk
  and classifier to scores at the network's stride, one after the other;
- the stage's run, JPEG to PNG: its views are made, merged, enlarged and written.

What the stage does before its first step or image and after its last is left out
(``stage_runs.py`` says why). All have the threads that torch takes by itself.
"""

import tempfile
from itertools import product
from pathlib import Path
from unittest import mock

import torch
from convolutions import AT_BEST, fastest_convolution, flops_of
from ratios import Ratio, as_script, in_turn, ratio_of
from stage_runs import SPLIT, Watch, tree_of, voc_data_set
from torch import Tensor
from torch.nn import functional

from wsss_cli.configs.scales import DEEPLAB_SCALES
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.images import read_image
from wsss_cli.data.resizing import resize_image
from wsss_cli.data.voc import VocDataSet
from wsss_cli.device import autocast, resolve_device, resolve_precision
from wsss_cli.labels import IGNORE
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.stages.segment import load_network, prepare, run, training
from wsss_cli.tracking import Silent


def measure(
    data: Path,
    checkpoint: Path,
    *,
    iterations: int = 3,
    size: int = 321,
    batch_size: int = 10,
    split: str = "val",
    images: int = 4,
    rounds: int = 3,
    device: str = "auto",
) -> list[Ratio]:
    """The steps against forward and backward alone, the prediction against bare forwards.

    Args:
        data: VOC tree with masks.
        checkpoint: Of a segmentation network, which predicts; the steps start from its trunk.
        iterations: Steps of a round.
        size: Side of the crops.
        batch_size: Images a step.
        split: Where the predicted images are from.
        images: How many are predicted.
        rounds: Medians are of so many.
        device: Where to compute.
    """
    data_set = voc_data_set(data)
    with tempfile.TemporaryDirectory() as made:
        image_ids = data_set.image_ids(split)
        few = tree_of(data_set, image_ids[:: len(image_ids) // images][:images], Path(made))
        learning = SegmentConfig(
            data=data,
            run=Path(made, "learning"),
            weights=str(checkpoint),
            supervision="full",
            iterations=iterations,
            batch_size=batch_size,
            crop=size,
            device=device,
        )
        predicting = SegmentConfig(
            data=few.root,
            run=Path(made, "predicting"),
            checkpoint=checkpoint,
            split=SPLIT,
            scales=DEEPLAB_SCALES,
            device=device,
            overwrite=True,
        )
        return [*_steps(learning, rounds), *_prediction(predicting, few, rounds)]


def _steps(config: SegmentConfig, rounds: int) -> list[Ratio]:
    plan = prepare(config, Silent())
    plan.directory.path.mkdir(parents=True)
    batches = list(training._batches(plan)(0))
    network = training.untrained(plan).network.train()
    watch = Watch("training")

    def alone() -> None:
        for images, label_maps in batches:
            network.zero_grad(set_to_none=True)
            with autocast(plan.device, plan.precision):
                scores = network(images)
            functional.cross_entropy(scores, label_maps, ignore_index=IGNORE).backward()

    def steps() -> None:
        with mock.patch.object(training, "_batches", lambda _: lambda start: iter(batches)):
            training.train(plan, training.untrained(plan), watch)

    best = fastest_convolution(plan.device, plan.precision)
    seconds = in_turn(
        {"alone": watch.timed(alone), "steps": steps, "convolution": watch.timed(best)},
        rounds,
        clock=watch,
    )
    at_best = best.seconds_for(flops_of(alone), seconds["convolution"])
    what = f"training step, DeepLab-LargeFOV, batch {config.batch_size} at {config.crop}"
    alone_ratio = ratio_of(seconds["steps"], seconds["alone"])
    return [
        Ratio(what, "forward and backward alone", alone_ratio, 1.1),
        Ratio(what, AT_BEST, ratio_of([at_best], seconds["steps"]), higher=True),
    ]


def _prediction(config: SegmentConfig, data_set: VocDataSet, rounds: int) -> list[Ratio]:
    device = resolve_device(config.device)
    precision = resolve_precision(config.amp, device)
    network = load_network(config.checkpoint)[0].eval().to(device)
    network.to(memory_format=torch.channels_last)
    views = _views(network, data_set)
    watch = Watch("predicting")

    def alone() -> None:
        with torch.inference_mode(), autocast(device, precision):
            for view in views:
                network.classifier(network.smoothing(network.trunk.features(view)))

    best = fastest_convolution(device, precision)
    seconds = in_turn(
        {
            "alone": watch.timed(alone),
            "stage": lambda: run(config, track=watch),
            "convolution": watch.timed(best),
        },
        rounds,
        clock=watch,
    )
    at_best = best.seconds_for(flops_of(alone), seconds["convolution"])
    what = f"prediction, DeepLab-LargeFOV, {len(DEEPLAB_SCALES)} scales mirrored"
    return [
        Ratio(what, "the sum of bare forwards", ratio_of(seconds["stage"], seconds["alone"]), 1.05),
        Ratio(what, AT_BEST, ratio_of([at_best], seconds["stage"]), higher=True),
    ]


def _views(network: DeepLabLargeFOV, data_set: VocDataSet) -> list[Tensor]:
    """What the trunk's layers see of all photographs, (1, 3, Hv, Wv) float32 each."""
    trunk = network.trunk
    extra = int(network.corner_aligned)
    views = []
    for image_id, scale in product(data_set.image_ids(SPLIT), DEEPLAB_SCALES):
        image = read_image(data_set.image_path(image_id))
        height, width = (round(side * scale) for side in image.shape[:2])
        pixels = torch.from_numpy(resize_image(image, (height, width))).permute(2, 0, 1)[None]
        view = (pixels.to(trunk.mean.device) - trunk.mean) / trunk.std
        right, below = (-(side - extra) % trunk.stride for side in (width, height))
        for seen in (view, view.flip(-1)):
            padded = functional.pad(seen, (0, right, 0, below))
            views.append(padded.contiguous(memory_format=torch.channels_last))
    return views


if __name__ == "__main__":
    as_script(measure, data="VOC tree with masks", checkpoint="of a segmentation network")
