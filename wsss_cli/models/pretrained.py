"""Initial weights of a trunk: torchvision's, or a file's, with the preprocessing they expect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import WeightsEnum

from wsss_cli.artifacts.checkpoint import FORMAT, ODD_CONTENT, read_tensors
from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.configs.backbones import BACKBONES, weights_of
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.models.trunks import (
    TORCHVISION_PREPROCESSING,
    Preprocessing,
    Trunk,
    build_trunk,
)
from wsss_cli.tracking import Track

# torchvision names its files by the first eight digits of their SHA-256. Its own training of VGG16
# (IMAGENET1K_V1) has its own preprocessing; all other known VGG16 weights are Oxford's.
_TORCHVISION_VGG16_SHA = "397923af"


@dataclass(frozen=True)
class _Download:
    """What ``--weights imagenet`` is for a backbone.

    Attributes:
        url: Address of torchvision's file, whose name ends with the beginning of its SHA-256.
        size: To announce.
        bytes: By torchvision's own entry, in MiB with three decimals; None where it has none.
    """

    url: str
    size: str
    bytes: int | None


def _imagenet(backbone: str) -> _Download | None:
    """Torchvision's weights of a backbone; None where there are none."""
    entry = BACKBONES[backbone]
    if entry.imagenet is None:
        return None
    name, version = entry.imagenet.split(".")
    weights: WeightsEnum = getattr(models, name)[version]
    size = weights.meta.get("_file_size")
    in_bytes = None if size is None else round(float(size) * 2**20)
    return _Download(weights.url, entry.size, in_bytes)


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from.

    Attributes:
        name: ``imagenet``, ``none`` or the file's full path, for reports and later stages.
        fingerprint: SHA-256 of the file's bytes; the name where there is none.
        read: Gives the tensors by torchvision's names, and what they expect as input.
        prefix: What the names of the feature layers begin with.
    """

    name: str = "none"
    fingerprint: str = "none"
    read: Callable[[], tuple[Mapping[str, Tensor], Preprocessing]] | None = None
    prefix: str = "features."

    def load_into(self, trunk: Trunk) -> Mapping[str, Tensor]:
        """Copy the feature layers' weights and set the preprocessing.

        Returns:
            All tensors by torchvision's names, those of an ImageNet classifier too where there are
            any; empty where there is nothing to start from.

        Raises:
            WsssError: They cannot be had, or a layer is missing or has another shape.
        """
        if self.read is None:
            return {}
        tensors, preprocessing = self.read()
        _require_layers(trunk.features, tensors, prefix=self.prefix, source=self.name)
        names = trunk.features.state_dict()
        trunk.features.load_state_dict({name: tensors[self.prefix + name] for name in names})
        trunk.set_preprocessing(preprocessing)
        return tensors


def _require_layers(
    layers: nn.Sequential, tensors: Mapping[str, Tensor], *, prefix: str, source: str
) -> None:
    wanted = layers.state_dict()
    problems = []
    for name, parameter in wanted.items():
        tensor = tensors.get(prefix + name)
        if tensor is None:
            problems.append(f"{prefix}{name} is missing")
        elif tensor.shape != parameter.shape:
            problems.append(f"{prefix}{name} is {_shape(tensor)} instead of {_shape(parameter)}")
    if problems:
        raise WsssError(
            f"--weights {source} does not fit this backbone: {listing(problems, most=4)}"
        )


def initial_weights(weights: str | None, backbone: str, track: Track) -> InitialWeights:
    """Find the weights that ``--weights`` names; nothing is downloaded before they are used.

    Args:
        weights: ``imagenet``, ``none`` or a path to weights by torchvision's names or to a
            checkpoint of ours; None is the backbone's default.
        backbone: Name of the trunk.
        track: Told before anything is downloaded.

    Raises:
        UsageError: There are no such weights for this backbone.
        WsssError: The file is not one of tensors, or its layers have other names or shapes.
    """
    weights = weights_of(weights, backbone)
    if weights == "none":
        return InitialWeights()
    # In its ResNets, torchvision's layers have no common name.
    prefix = "" if BACKBONES[backbone].normalised else "features."
    if weights == "imagenet":
        download = _imagenet(backbone)
        assert download is not None, backbone
        return InitialWeights(
            "imagenet",
            Path(download.url).stem,
            lambda: _from_file(_downloaded(download, backbone, track), backbone, prefix),
            prefix,
        )
    path = Path(weights)
    if not path.is_file():
        raise UsageError(f"--weights {weights} is not a file, and not imagenet or none")
    content = _from_file(path, backbone, prefix)
    with torch.device("meta"):  # shapes alone
        layers = build_trunk(backbone).features
    _require_layers(layers, content[0], prefix=prefix, source=weights)
    return InitialWeights(str(path.resolve()), file_fingerprint(path), lambda: content, prefix)


@dataclass(frozen=True)
class CachedWeights:
    """What ``--weights imagenet`` would read, whether or not it is there yet.

    Attributes:
        path: In torch's cache.
        url: Where it would come from.
        size: To announce.
        bytes: Size of the file, but for rounding; None where torchvision does not say.
    """

    path: Path
    url: str
    size: str
    bytes: int | None


def cached_weights(backbone: str) -> CachedWeights:
    """Torchvision's file for a backbone that has one."""
    download = _imagenet(backbone)
    assert download is not None, backbone
    return CachedWeights(_cached(download), download.url, download.size, download.bytes)


def _cached(download: _Download) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(download.url).name


def _downloaded(download: _Download, backbone: str, track: Track) -> Path:
    """Torchvision's file in torch's cache, downloaded unless it is there."""
    path = _cached(download)
    if path.exists():
        return path
    sha = path.stem.rsplit("-", 1)[-1]
    track.note(
        f"downloading ImageNet weights of {backbone}, {download.size}, {download.url} (SHA-256 "
        f"begins {sha}), to {path}"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(download.url, str(path), sha, progress=False)
    except (OSError, RuntimeError) as error:
        instead = "" if BACKBONES[backbone].normalised else ", or start without by --weights none"
        raise WsssError(
            f"the ImageNet weights cannot be downloaded from {download.url} ({error}); download "
            f"them elsewhere and pass --weights FILE, or put the file at {path}{instead}"
        ) from error
    return path


def _from_file(
    path: Path, backbone: str, prefix: str
) -> tuple[Mapping[str, Tensor], Preprocessing]:
    tensors: dict[str, Any] = read_tensors(path)
    if isinstance(tensors.get("format"), str) and tensors["format"] == FORMAT:
        try:
            return _own_trunk(tensors["network"], prefix)
        except ODD_CONTENT as error:
            raise WsssError(
                f"--weights {path} does not hold a whole network; give another file"
            ) from error
    odd = [str(name) for name, value in tensors.items() if not isinstance(value, Tensor)]
    if odd:
        raise WsssError(f"--weights {path} is not a plain dictionary of tensors: {listing(odd)}")
    torchvisions = BACKBONES[backbone].normalised or file_fingerprint(path).startswith(
        _TORCHVISION_VGG16_SHA
    )
    return tensors, TORCHVISION_PREPROCESSING if torchvisions else Preprocessing()


def _own_trunk(
    network: Mapping[str, Tensor], prefix: str
) -> tuple[Mapping[str, Tensor], Preprocessing]:
    """The trunk of a checkpoint of ours, with the preprocessing that travels in it."""
    preprocessing = Preprocessing(*(_triple(network[f"trunk.{name}"]) for name in ("mean", "std")))
    inside = "trunk.features."
    layers = {n.removeprefix(inside): t for n, t in network.items() if n.startswith(inside)}
    if not all(isinstance(layer, Tensor) for layer in layers.values()):
        raise TypeError("a layer is not a tensor")
    return {prefix + name: tensor for name, tensor in layers.items()}, preprocessing


def _triple(values: Tensor) -> tuple[float, float, float]:
    red, green, blue = values.flatten().tolist()
    return red, green, blue


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
