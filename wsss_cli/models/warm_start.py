"""Going on from another attention network: its heads for the heads of a new one."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from wsss_cli.errors import WsssError

FIRST_HEAD = "head_a"
"""The one head that every method has: S_A of SeeNet, the classifier of CAM."""


@torch.no_grad()
def take_heads(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> list[str]:
    """Copy the heads of a trained network into those of the same names.

    A head that the source has not starts from its first one, which has learned the classes already;
    a new head would unsettle the trunk while it learns them. Heads of the source that the network
    has not are left out, but no layer of a head that goes on: a score layer has learned on what the
    convolutions before it give. Where one of the two has a map of the background behind those of
    the classes, the maps of the classes go on, and a new one of the background stays new.

    Args:
        network: Its heads are its members ``head_*``.
        tensors: The source's state by name.
        source: Name of the source, for messages.

    Returns:
        Sentences that name what of the source is left out and what begins otherwise.

    Raises:
        WsssError: The heads differ in their layers or in shape.
    """
    begun, heads = _heads(tensors), _heads(dict(network.named_parameters()))
    for name, layers in heads.items():
        _take_layers(name, layers, begun.get(name, begun.get(FIRST_HEAD, {})), source)
    return [f"--start {source}: {told}" for told in _differences(heads, begun)]


def _differences(
    heads: Mapping[str, Mapping[str, Tensor]], begun: Mapping[str, Mapping[str, Tensor]]
) -> Iterator[str]:
    """Say which heads, and maps of the background, only one of the two networks has."""
    left_out, lacking = (sorted(a.keys() - b.keys()) for a, b in ((begun, heads), (heads, begun)))
    if left_out:
        verb = "is" if len(left_out) == 1 else "are"
        yield f"{' and '.join(left_out)} {verb} left out, as this network has none"
    less = False
    for name in heads.keys() & begun.keys():
        more = _maps(heads[name]) - _maps(begun[name])
        less = less or more < 0
        if more < 0:
            yield f"the map of the background of {name} is left out, as this network has none"
        elif more > 0:
            yield f"{name} has no map of the background there, so that begins new"
    if lacking:
        yield (
            f"it has no {' and '.join(lacking)}, which "
            f"{'begins' if len(lacking) == 1 else 'begin'} as its {FIRST_HEAD}"
            f"{' without the map of the background' if less else ''}"
        )


def _maps(layers: Mapping[str, Tensor]) -> int:
    """How many maps a head has, 0 where it has no score layer."""
    return len(layers.get("score.weight", ()))


def _heads(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors of each head, by head and by layer."""
    heads: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        head, _, layer = name.partition(".")
        if head.startswith("head_"):
            heads.setdefault(head, {})[layer] = tensor
    return heads


def _take_layers(
    head: str, layers: Mapping[str, Tensor], begun: Mapping[str, Tensor], source: str
) -> None:
    """Copy the layers of one head of the source, all of them."""
    wanted, there = _hidden_channels(layers), _hidden_channels(begun)
    if wanted != there and wanted is not None and there is not None:
        raise WsssError(
            f"--start {source} does not fit: --head-channels is {wanted} here and was {there} "
            f"there; pass --head-channels {there} to go on from its heads, or --weights {source} "
            "in place of --start to take its trunk alone"
        )
    for layer in {**layers, **begun}:
        parameter, tensor = layers.get(layer), begun.get(layer)
        if parameter is None or tensor is None or not _fits(layer, tensor, parameter):
            raise WsssError(
                f"--start {source} does not fit: {head}.{layer} should be {_shape(parameter)}, "
                f"there it is {_shape(tensor)}; start from a checkpoint of the same classes and "
                f"the same --method, or pass --weights {source} in place of --start to take its "
                "trunk alone"
            )
        size = min(len(tensor), len(parameter))
        parameter[:size].copy_(tensor[:size])


def _hidden_channels(layers: Mapping[str, Tensor]) -> int | None:
    """Channels of a head's convolutions, 0 where it is linear; None of a head of another kind."""
    if "score.weight" not in layers:
        return None
    return len(layers["hidden.0.weight"]) if "hidden.0.weight" in layers else 0


def _fits(layer: str, tensor: Tensor, parameter: Tensor) -> bool:
    """Whether the shapes are the same, but for a score layer's map of the background."""
    most = 1 if layer.startswith("score.") else 0
    return tensor.shape[1:] == parameter.shape[1:] and abs(len(tensor) - len(parameter)) <= most


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else "x".join(map(str, tensor.shape))
