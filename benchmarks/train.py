"""Time the steps of ``wsss train`` beside forward and backward alone, and an epoch beside them.

    python benchmarks/train.py VOC2012 runs/default/train/checkpoint.pt

SeeNet on VGG16, no block frozen, batches of 16 at 224, as ``wsss train`` makes them by default.
Three ways, run in turn over the same batches:

- forward and backward alone, in the same precision and memory format: the trunk on each batch as
  it lies in memory, the three heads on its features (S_C's being S_B's once more), dropout on, the
  mean of each head's maps, the gradient of their sum. No erasing, no labels, no losses, no
  optimiser, no log;
- the steps: the stage's run, whose batches lie in memory;
- the epoch: the same run from JPEG. It stops after as many steps as asked for, since an epoch of
  these takes no other course than the next.

How much of what the device can convolve the steps get is the last row (``convolutions.py``). What
the stage does before its first step and after its last is left out (``stage_runs.py`` says
why); of the resumable states, one every 200 steps, few steps see none. All have the threads that
torch takes by itself.
"""

import tempfile
from pathlib import Path
from unittest import mock

import torch
from convolutions import AT_BEST, fastest_convolution, flops_of
from ratios import Ratio, as_script, in_turn, ratio_of
from stage_runs import Watch
from torch import Tensor

from wsss_cli.configs.train import TrainConfig
from wsss_cli.device import autocast
from wsss_cli.methods import network_file
from wsss_cli.methods.seenet import SeeNetNetwork
from wsss_cli.stages import train
from wsss_cli.stages.train import training
from wsss_cli.tracking import Silent


def measure(
    data: Path,
    checkpoint: Path,
    *,
    iterations: int = 8,
    size: int = 224,
    batch_size: int = 16,
    rounds: int = 3,
    device: str = "auto",
) -> list[Ratio]:
    """The steps against forward and backward alone, and an epoch against its steps.

    Args:
        data: Data set.
        checkpoint: A SeeNet to go on from.
        iterations: Steps of a round.
        size: Side of the crops.
        batch_size: Images a step.
        rounds: Medians are of so many.
        device: Where to compute.
    """
    watch = Watch("training")
    with tempfile.TemporaryDirectory() as made:
        config = TrainConfig(
            data=data,
            run=Path(made),
            start=checkpoint,
            iterations=iterations,
            batch_size=batch_size,
            crop=size,
            device=device,
            overwrite=True,
        )
        plan = train.prepare(config, Silent())
        batches = list(training._batches(plan, None, 0))
        network = network_file.build_network(config, len(plan.data_set.class_names), plan.weights)
        network.to(plan.device).to(memory_format=torch.channels_last).train()

        def alone() -> None:
            for images, _ in batches:
                _forward_and_backward(network, images, plan.precision)

        def steps() -> None:
            with mock.patch.object(training, "_batches", lambda *_: iter(batches)):
                train.run(config, track=watch)

        best = fastest_convolution(plan.device, plan.precision)
        seconds = in_turn(
            {
                "alone": watch.timed(alone),
                "steps": steps,
                "epoch": lambda: train.run(config, track=watch),
                "convolution": watch.timed(best),
            },
            rounds,
            clock=watch,
        )
        at_best = best.seconds_for(flops_of(alone), seconds["convolution"])
    step = f"training step, SeeNet, batch {batch_size} at {size}"
    return [
        Ratio(
            step, "forward and backward alone", ratio_of(seconds["steps"], seconds["alone"]), 1.1
        ),
        Ratio(
            "training epoch from JPEG",
            "the sum of its steps",
            ratio_of(seconds["epoch"], seconds["steps"]),
            1.05,
        ),
        Ratio(step, AT_BEST, ratio_of([at_best], seconds["steps"]), higher=True),
    ]


def _forward_and_backward(network: SeeNetNetwork, images: Tensor, precision: str) -> None:
    """Leaves the gradients of all parameters."""
    network.zero_grad(set_to_none=True)
    with autocast(images.device, precision):
        features = network.trunk(images)
        heads = (network.head_a, network.head_b, network.head_c or network.head_b)
        total = torch.stack([head(features).float().mean() for head in heads]).sum()
    total.backward()


if __name__ == "__main__":
    as_script(measure, data="data set", checkpoint="of a SeeNet")
