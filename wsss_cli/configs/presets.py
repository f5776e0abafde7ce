"""Settings that go together under one name. Importing this imports no torch.

A preset changes the defaults of a command: an option that is given wins over it. Results record the
settings themselves, so that it does not matter under what name they came.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from wsss_cli.configs.setting import (
    KEY,
    Config,
    SettingError,
    any_of,
    check,
    in_place_of_preset,
    is_named,
    option,
)
from wsss_cli.errors import UsageError

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
        # The one that leads, in a minute or two on a large GPU.
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
    "segment": {
        # Scores linear in what a frozen trunk sees of photographs of half their size: minutes.
        "quick": {
            "heads_only": True,
            "head_channels": 0,
            "iterations": 400,
            "batch_size": 16,
            "lr": 0.00005,
            "crop": 225,
            "scale_low": 0.5,
            "scale_high": 0.5,
        },
    },
    "attend": {
        # Nothing is learned here and nothing but labels is told; a twentieth of a second an image.
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


def configured(
    command: str,
    config_type: type[C],
    given: Mapping[str, Any],
    asked: Collection[str] = (),
) -> C:
    """The config of what was given and, wherever nothing was, of the preset.

    Args:
        command: Name of the command.
        config_type: Its config.
        given: Values by field; the others have the preset's value, else their default.
        asked: Those that were given for this very command, not as a default of several. One without
            effect is refused.

    Raises:
        UsageError: A value is not allowed, or of no effect; where the preset is why, the message
            says so.
    """
    # The presets of `wsss crf` are its own.
    name = given.get("preset") if command in PRESETS else None
    added = {
        field: value
        for field, value in PRESETS.get(command, {}).get(name or "", {}).items()
        if field not in given
    }
    iterations = given.get("iterations")
    if "warmup" in added and isinstance(iterations, int):
        added["warmup"] = min(added["warmup"], iterations // 10)
    try:
        config = config_type(**{**added, **given})
        config.check_command()
        config.refuse_without_effect(asked)
        if name is not None and "preset" in asked and not added:
            check(False, "preset", *in_place_of_preset(PRESETS[command][name]))
    except SettingError as error:
        if name is not None:
            _refuse_preset(error, name, added, given, config_type)
        raise
    return config


def _refuse_preset(
    error: SettingError,
    name: str,
    added: Mapping[str, Any],
    given: Mapping[str, Any],
    config_type: type[Config],
) -> None:
    """Say which of the options that a refusal names are the preset's, if any is."""
    sets = [field for field in added if is_named(field, error.fact)]
    if not sets:
        return
    contrary = [option(field) for field in given if is_named(field, error.fact)]
    field = sets[0]
    about = config_type.__dataclass_fields__[field]
    another = ""
    if isinstance(about.default, bool):
        another = f", or give --no-{option(field)[2:]}"
    elif about.metadata[KEY].choices:
        another = f", or give another {option(field)}"
    elif not error.advice:  # it is out of range, not out of place
        another = f", or give {option(field)} as well"
    raise UsageError(
        f"{error.fact}; --preset {name} sets {option(field)}, so leave out "
        f"{any_of([f'--preset {name}', *contrary])}{another}"
    ) from error
