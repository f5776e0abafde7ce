"""Initial weights of a trunk: torchvision's, or a file's, with the preprocessing they expect."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import VGG16_Weights

from wsss_cli.artifacts.checkpoint import FORMAT, read_tensors
from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.models.trunks import Preprocessing, Trunk
from wsss_cli.tracking import Track

# torchvision names its files by the first eight digits of their SHA-256. Its own training of VGG16
# (IMAGENET1K_V1) expects pixels in 0..1 divided by ImageNet's deviation; all other known VGG16
# weights are Oxford's.
_TORCHVISION_VGG16_SHA = "397923af"
_TORCHVISION_PREPROCESSING = Preprocessing(
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255), std=(0.229 * 255, 0.224 * 255, 0.225 * 255)
)
_DOWNLOAD_SIZE = "528 MB"


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from.

    Attributes:
        name: ``imagenet``, ``none`` or the file's name, for reports.
        fingerprint: SHA-256 of the file; the name where there is none.
        tensors: By torchvision's names, empty for ``none``.
        preprocessing: What they expect as input; None keeps the trunk's own.
    """

    name: str
    fingerprint: str
    tensors: Mapping[str, Tensor]
    preprocessing: Preprocessing | None = None

    def load_into(self, trunk: Trunk) -> None:
        """Copy the feature layers' weights and set the preprocessing.

        Raises:
            WsssError: A layer is missing or has another shape; the message lists which.
        """
        if not self.tensors:
            return
        load_layers(trunk.features, self.tensors, prefix="features.", source=self.name)
        if self.preprocessing is not None:
            trunk.set_preprocessing(self.preprocessing)


def load_layers(
    layers: nn.Sequential, tensors: Mapping[str, Tensor], *, prefix: str, source: str
) -> None:
    """Copy ``prefix + name`` tensors into layers of the same names and shapes.

    Raises:
        WsssError: Lists the layers that are missing or have another shape.
    """
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
    layers.load_state_dict({name: tensors[prefix + name] for name in wanted})


def initial_weights(weights: str | None, backbone: str, track: Track) -> InitialWeights:
    """Find the weights that ``--weights`` names.

    Args:
        weights: ``imagenet``, ``none`` or a path to weights by torchvision's names or to a
            checkpoint of ours; None is the backbone's default.
        backbone: Name of the trunk.
        track: Told before anything is downloaded.

    Raises:
        UsageError: There are no such weights for this backbone.
        WsssError: They cannot be downloaded or read.
    """
    if weights is None:
        weights = "imagenet" if backbone == "vgg16" else "none"
    if weights == "none":
        return InitialWeights("none", "none", {})
    if weights == "imagenet":
        if backbone != "vgg16":
            raise UsageError(f"--weights imagenet: there are none for {backbone}; pass none")
        return _torchvision_weights(track)
    path = Path(weights)
    if not path.is_file():
        raise UsageError(f"--weights {weights} is no file, nor imagenet or none")
    return _from_file(path)


def _torchvision_weights(track: Track) -> InitialWeights:
    source = VGG16_Weights.IMAGENET1K_FEATURES
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(source.url).name
    if not path.exists():
        track.note(
            f"downloading VGG16's ImageNet weights, {_DOWNLOAD_SIZE}, {source.url} (SHA-256 begins "
            f"{path.stem.rsplit('-', 1)[-1]}), to {path}"
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                source.url, str(path), path.stem.rsplit("-", 1)[-1], progress=False
            )
        except (OSError, RuntimeError) as error:
            raise WsssError(
                f"the ImageNet weights cannot be downloaded from {source.url} ({error}); download "
                "them elsewhere and pass --weights FILE, or put the file at "
                f"{path}, or start without by --weights none"
            ) from error
    found = _from_file(path)
    return InitialWeights("imagenet", found.fingerprint, found.tensors, Preprocessing())


def _from_file(path: Path) -> InitialWeights:
    tensors: dict[str, Any] = read_tensors(path)
    own = None
    if tensors.get("format") == FORMAT:
        # A checkpoint of ours: its trunk, with the preprocessing that travels in it.
        network = tensors["network"]
        own = Preprocessing(*(_triple(network[f"trunk.{name}"]) for name in ("mean", "std")))
        tensors = {name.removeprefix("trunk."): value for name, value in network.items()}
    odd = [str(name) for name, value in tensors.items() if not isinstance(value, Tensor)]
    if odd:
        raise WsssError(f"--weights {path} is not a plain dictionary of tensors: {listing(odd)}")
    sha = file_fingerprint(path)
    if own is None:
        torchvisions = sha.startswith(_TORCHVISION_VGG16_SHA)
        own = _TORCHVISION_PREPROCESSING if torchvisions else Preprocessing()
    return InitialWeights(str(path), sha, tensors, own)


def _triple(values: Tensor) -> tuple[float, float, float]:
    red, green, blue = values.flatten().tolist()
    return red, green, blue


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
