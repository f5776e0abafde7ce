"""Training of the edge network on confident label maps."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.augmentation import JointView
from wsss_cli.data.images import Pixels
from wsss_cli.data.loading import prefetch, training_positions
from wsss_cli.device import autocast, moved, pinned, resolve_workers
from wsss_cli.models.edge_network import STRIDE, EdgeNetwork
from wsss_cli.models.trunks import OXFORD_MEAN
from wsss_cli.ops.edge_supervision import edge_losses
from wsss_cli.stages.optimisation.solver import parameter_groups, polynomial_fall
from wsss_cli.stages.optimisation.trainer import Batch, Loss, Trainer
from wsss_cli.stages.refine.edge_file import build, write_edges
from wsss_cli.stages.refine.plan import RefinePlan
from wsss_cli.tracking import Track

MOMENTUM = 0.9
# Of the random views, as in IRNet.
SCALES = (0.5, 1.5)


def untrained(plan: RefinePlan) -> EdgeNetwork:
    """The network before the first step, on the device.

    Raises:
        WsssError: The weights are not those of the trunk.
    """
    torch.manual_seed(plan.config.seed)
    network = build(plan.backbone)
    plan.weights.load_into(network.trunk)
    return network.to(plan.device).to(memory_format=torch.channels_last)


def train(plan: RefinePlan, network: EdgeNetwork, track: Track) -> None:
    """Train to the end and write the checkpoint."""
    config = plan.config
    trainer = Trainer(
        network,
        torch.optim.SGD(
            parameter_groups(network.named_parameters(), config.weight_decay),
            lr=config.lr,
            momentum=MOMENTUM,
        ),
        polynomial_fall(config.lr, config.iterations),
        directory=plan.directory.path,
        seed=config.seed,
        checkpoint_every=config.checkpoint_every,
        images_per_step=config.batch_size,
    )
    if trainer.resume():
        track.note(f"resuming at iteration {trainer.iteration}")
    track.note(
        f"edges on {plan.backbone}, {len(plan.label_maps)} images, {plan.device} in "
        f"{plan.precision}"
    )

    def losses_of(images: Tensor, labels: Tensor) -> dict[str, Loss]:
        with autocast(plan.device, plan.precision):
            logits = network(images)
        losses = edge_losses(logits.float().sigmoid(), labels, config.radius)
        return {kind: Loss(loss.mean, loss.pairs) for kind, loss in losses.items()}

    trainer.train(
        _batches(plan),
        losses_of,
        config.iterations,
        track,
        finish=lambda: write_edges(plan.directory.path / CHECKPOINT_FILE, network, plan.backbone),
    )


def _batches(plan: RefinePlan) -> Callable[[int], Iterator[Batch]]:
    """Augmented batches from an iteration on, on the device: images, and labels on their grid."""
    config, image_ids = plan.config, plan.image_ids
    fill = np.round(OXFORD_MEAN).astype(np.uint8)

    def load(batch: list[tuple[int, int]]) -> Batch:
        images, label_maps = [], []
        for sample, index in batch:
            image = plan.data_set.read_image(image_ids[index])
            labels = read_label_map(plan.label_maps[image_ids[index]])
            rng = np.random.default_rng((config.seed, sample))
            view = JointView.draw(image.shape[:2], config.crop, SCALES, rng)
            images.append(view.of_image(image, fill))
            label_maps.append(view.of_map(labels))
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # (B, 3, crop, crop)
        on_grid = torch.from_numpy(np.stack([at_edges(labels) for labels in label_maps]))
        return pinned((pixels, on_grid.long()), plan.device)  # (B, h, w)

    def batches(start: int) -> Iterator[Batch]:
        positions = training_positions(
            len(image_ids), config.batch_size, config.seed, start, config.iterations
        )
        for batch in prefetch(load, positions, resolve_workers(config.workers)):
            yield moved(batch, plan.device)

    return batches


def at_edges(labels: Pixels) -> Pixels:
    """(H, W) labels at the middle of each position of the edges."""
    rows, columns = (
        np.minimum(np.arange(STRIDE // 2, side + STRIDE // 2, STRIDE), side - 1)
        for side in labels.shape
    )
    return labels[np.ix_(rows, columns)]
