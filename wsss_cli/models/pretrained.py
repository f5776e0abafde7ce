"""Initial weights of a trunk: torchvision's, or a file's, with the preprocessing they expect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import VGG16_Weights

from wsss_cli.artifacts.checkpoint import FORMAT, read_tensors
from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.models.trunks import Preprocessing, Trunk, build_trunk
from wsss_cli.tracking import Track

# torchvision names its files by the first eight digits of their SHA-256. Its own training of VGG16
# (IMAGENET1K_V1) expects pixels in 0..1 divided by ImageNet's deviation; all other known VGG16
# weights are Oxford's.
_TORCHVISION_VGG16_SHA = "397923af"
_TORCHVISION_PREPROCESSING = Preprocessing(
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255), std=(0.229 * 255, 0.224 * 255, 0.225 * 255)
)
_IMAGENET = VGG16_Weights.IMAGENET1K_FEATURES
_DOWNLOAD_SIZE = "528 MB"


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from.

    Attributes:
        name: ``imagenet``, ``none`` or the file's full path, for reports and later stages.
        fingerprint: Of the file's bytes; the name where there is none.
        read: Gives the tensors by torchvision's names, and what they expect as input.
    """

    name: str = "none"
    fingerprint: str = "none"
    read: Callable[[], tuple[Mapping[str, Tensor], Preprocessing]] | None = None

    def load_into(self, trunk: Trunk) -> None:
        """Copy the feature layers' weights and set the preprocessing.

        Raises:
            WsssError: They cannot be had, or a layer is missing or has another shape.
        """
        if self.read is None:
            return
        tensors, preprocessing = self.read()
        load_layers(trunk.features, tensors, prefix="features.", source=self.name)
        trunk.set_preprocessing(preprocessing)


def load_layers(
    layers: nn.Sequential, tensors: Mapping[str, Tensor], *, prefix: str, source: str
) -> None:
    """Copy ``prefix + name`` tensors into layers of the same names and shapes.

    Raises:
        WsssError: Lists the layers that are missing or have another shape.
    """
    _require_layers(layers, tensors, prefix=prefix, source=source)
    layers.load_state_dict({name: tensors[prefix + name] for name in layers.state_dict()})


def _require_layers(
    layers: nn.Sequential, tensors: Mapping[str, Tensor], *, prefix: str, source: str
) -> None:
    wanted = layers.state_dict()
    problems = []
    for name, parameter in wanted.items():
        given = tensors.get(prefix + name)
        if given is None:
            problems.append(f"{prefix}{name} is missing")
        elif given.shape != parameter.shape:
            problems.append(f"{prefix}{name} is {_shape(given)} instead of {_shape(parameter)}")
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
    if weights is None:
        weights = "imagenet" if backbone == "vgg16" else "none"
    if weights == "none":
        return InitialWeights()
    if weights == "imagenet":
        if backbone != "vgg16":
            raise UsageError(f"--weights imagenet: there are none for {backbone}; pass none")
        return InitialWeights(
            "imagenet", Path(_IMAGENET.url).stem, lambda: _from_file(_downloaded(track))
        )
    path = Path(weights)
    if not path.is_file():
        raise UsageError(f"--weights {weights} is no file, nor imagenet or none")
    found = _from_file(path)
    with torch.device("meta"):  # shapes alone
        layers = build_trunk(backbone).features
    _require_layers(layers, found[0], prefix="features.", source=weights)
    return InitialWeights(str(path.resolve()), file_fingerprint(path), lambda: found)


def _downloaded(track: Track) -> Path:
    """Torchvision's file in torch's cache, downloaded unless it is there."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(_IMAGENET.url).name
    if path.exists():
        return path
    sha = path.stem.rsplit("-", 1)[-1]
    track.note(
        f"downloading VGG16's ImageNet weights, {_DOWNLOAD_SIZE}, {_IMAGENET.url} (SHA-256 begins "
        f"{sha}), to {path}"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(_IMAGENET.url, str(path), sha, progress=False)
    except (OSError, RuntimeError) as error:
        raise WsssError(
            f"the ImageNet weights cannot be downloaded from {_IMAGENET.url} ({error}); download "
            f"them elsewhere and pass --weights FILE, or put the file at {path}, or start without "
            "by --weights none"
        ) from error
    return path


def _from_file(path: Path) -> tuple[Mapping[str, Tensor], Preprocessing]:
    tensors: dict[str, Any] = read_tensors(path)
    if tensors.get("format") == FORMAT:
        # A checkpoint of ours: its trunk, with the preprocessing that travels in it.
        network = tensors["network"]
        own = Preprocessing(*(_triple(network[f"trunk.{name}"]) for name in ("mean", "std")))
        return {name.removeprefix("trunk."): value for name, value in network.items()}, own
    odd = [str(name) for name, value in tensors.items() if not isinstance(value, Tensor)]
    if odd:
        raise WsssError(f"--weights {path} is not a plain dictionary of tensors: {listing(odd)}")
    torchvisions = file_fingerprint(path).startswith(_TORCHVISION_VGG16_SHA)
    return tensors, _TORCHVISION_PREPROCESSING if torchvisions else Preprocessing()


def _triple(values: Tensor) -> tuple[float, float, float]:
    red, green, blue = values.flatten().tolist()
    return red, green, blue


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
