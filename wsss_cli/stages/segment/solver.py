"""The solver of the segmentation network: that of the SeeNet authors' group, in the open."""

from typing import Any

import torch

from wsss_cli.configs.schedule import POLY_POWER
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.augmentation import MIRRORED
from wsss_cli.models.deeplab_largefov import (
    DROPOUT,
    SCORE_LR_FACTOR,
    SCORE_STD,
    DeepLabLargeFOV,
    lr_factor,
)
from wsss_cli.stages.optimisation.solver import BIAS_LR_FACTOR, parameter_groups


def solver_constants(config: SegmentConfig) -> dict[str, Any]:
    """Everything that the training's steps depend on beside data and network, as JSON values."""
    return {
        "lr": config.lr,
        "lr_power": POLY_POWER,
        "lr_factors": {
            "bias": BIAS_LR_FACTOR,
            "score": SCORE_LR_FACTOR,
            "score_bias": SCORE_LR_FACTOR * BIAS_LR_FACTOR,
        },
        "momentum": config.momentum,
        "weight_decay": config.weight_decay,
        "bias_weight_decay": 0.0,
        "iterations": config.iterations,
        "effective_batch": config.batch_size * config.accumulate,
        "crop": config.crop,
        "scale_low": config.scale_low,
        "scale_high": config.scale_high,
        "mirrored": MIRRORED,
        "dropout": DROPOUT,
        "score_std": SCORE_STD,
        **({"heads_only": True} if config.heads_only else {"frozen_blocks": config.frozen_blocks}),
    }


def solver_lines(config: SegmentConfig) -> tuple[str, ...]:
    """The constants in words: of the steps, of the views, and of the network."""
    it = solver_constants(config)
    factors = it["lr_factors"]
    frozen = "the trunk" if config.heads_only else f"{config.frozen_blocks} blocks"
    hidden = f"dropout {it['dropout']:g} after fc6 and fc7"
    if config.head_channels == 0:
        hidden = "no fc6 and fc7"
    once = ", one view of each image" if config.heads_only else ""
    return (
        f"solver: {it['iterations']} iterations of {it['effective_batch']} images "
        f"({config.accumulate} x {config.batch_size}), lr {it['lr']:g} poly {it['lr_power']:g}, "
        f"x{factors['score']:g} for the score layer, x{factors['bias']:g} for biases "
        f"(x{factors['score_bias']:g} the score's), momentum {it['momentum']:g}, weight decay "
        f"{it['weight_decay']:g} (biases {it['bias_weight_decay']:g})",
        f"views: crop {it['crop']}, scales {it['scale_low']:g} to {it['scale_high']:g}, "
        f"{it['mirrored']:.0%} mirrored, the mean colour outside the image{once}",
        f"network: {hidden}, score layer from a normal deviation of {it['score_std']:g}, {frozen} "
        "frozen",
    )


def optimiser(network: DeepLabLargeFOV, config: SegmentConfig) -> torch.optim.SGD:
    """Stochastic gradient descent with a factor of the rate for each group of parameters."""
    groups = parameter_groups(network.named_parameters(), config.weight_decay, lr_factor)
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
