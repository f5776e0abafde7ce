"""Settings that go together under one name. Importing this imports no torch.

A preset changes the defaults of a command: an option that is given wins over it. Results record the
settings themselves, so that it does not matter under what name they came.
"""

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any, TypeVar

from wsss_cli.configs.setting import Config

C = TypeVar("C", bound=Config)

_FINER = {"output_stride": 8, "lr_policy": "poly", "scale_low": 0.9, "scale_high": 1.5}
_REDRAWN = {"prototypes": True, "colour_steps": 20}

# By command and name; docs/results.md has what each is worth.
PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "train": {
        # Two minutes on two cores for 400 photographs, most of it one pass through the trunk.
        "quick": {
            "method": "cam",  # linear heads of SeeNet erase before they see
            "heads_only": True,
            "head_channels": 0,
            "output_stride": 8,
            "loss_reduction": "mean",
            "lr": 0.01,
            "lr_policy": "poly",
            "batch_size": 32,
            "iterations": 300,
        },
        # The one that leads, in a minute or two on a large card.
        "fine": {
            **_FINER,
            "crop": 320,
            "batch_size": 16,
            "iterations": 2000,
            "warmup": 50,
            "colour_jitter": 0.3,
        },
    },
    # How networks other than U2-Net's family are fed and read, as rembg does it.
    "saliency": {
        "isnet": {"size": 1024, "mean": (0.5,), "deviation": (1.0,)},
        "birefnet": {"size": 1024, "sigmoid": True},
    },
    "attend": {
        # Nothing is learnt here and nothing but labels is told; a twentieth of a second an image.
        "quick": _REDRAWN,
        "fine": {
            **_REDRAWN,
            "keep_aspect": True,
            "size": 256,
            "scales": (1.0, 0.75, 1.25, 1.5),
            "merge": "sum",
        },
    },
}


def with_preset(command: str, config: C, given: Set[str]) -> C:
    """The config with the values of its preset, but for the fields that were given.

    Args:
        command: Name of the command.
        config: Its config.
        given: Fields that were given; the others have their defaults.

    Raises:
        UsageError: What was given contradicts the preset; the message names the option.
    """
    name = getattr(config, "preset", None) if command in PRESETS else None  # the CRF's are its own
    if name is None:
        return config
    values = PRESETS[command][name]
    return replace(config, **{field: v for field, v in values.items() if field not in given})
