"""Whether the libraries are there, fit each other, and are built to be fast."""

import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from wsss_cli import __version__
from wsss_cli.errors import first_line

_PACKAGES = ("torch", "torchvision", "numpy", "h5py", "pillow", "typer")
_OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python")
_INSTALL = "reinstall it: pip install --force-reinstall"


@dataclass
class Libraries:
    """The libraries, and what is wrong with them.

    Attributes:
        versions: By name; None where it is missing.
        broken: A sentence for each one without which nothing works.
        slow: A sentence for each one that is slower than it need be.
        facts: Threads and devices, where torch and OpenCV can be asked.
    """

    versions: dict[str, str | None] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def look() -> Libraries:
    """Import each library and ask it."""
    installed = Libraries({"wsss": __version__, "python": platform.python_version()})
    installed.versions |= {package: _version(package) for package in _PACKAGES}
    installed.versions["opencv"] = next(filter(None, map(_version, _OPENCV)), None)
    for ask, package in (
        (_torch, "torch"),
        (_torchvision, "torchvision"),
        (_opencv, "opencv-python"),
        (_hdf5, "h5py"),
        (_pillow, "pillow"),
    ):
        _try(ask, package, installed)
    return installed


def _try(ask: Callable[[Libraries], None], package: str, installed: Libraries) -> None:
    try:
        ask(installed)
    except Exception as error:  # a broken library fails as it likes
        reason = first_line(error)
        installed.broken.append(f"{package} cannot be used ({reason[:200]}); {_INSTALL} {package}")


def _torch(installed: Libraries) -> None:
    import torch

    installed.facts["cuda"] = {
        "built_for": torch.version.cuda,
        "cards": [_card(torch.cuda.get_device_properties(n)) for n in _cards(torch)],
    }
    installed.facts["torch_threads"] = torch.get_num_threads()
    onednn: Any = torch.backends.mkldnn
    if not onednn.is_available():
        installed.slow.append("torch is built without oneDNN, so convolutions on the CPU are slow")


def _cards(torch: Any) -> range:  # noqa: ANN401 - the module
    return range(torch.cuda.device_count() if torch.cuda.is_available() else 0)


def _card(properties: Any) -> Mapping[str, Any]:  # noqa: ANN401 - torch's
    return {
        "name": properties.name,
        "memory": properties.total_memory,
        "capability": f"{properties.major}.{properties.minor}",
    }


def _torchvision(installed: Libraries) -> None:
    # The torchvision of another build of torch fails here at the latest.
    import_module("torchvision.models")
    del installed


def _opencv(installed: Libraries) -> None:
    import cv2

    installed.facts["opencv_threads"] = cv2.getNumThreads()
    parallel = re.search(r"Parallel framework:\s*(.*)", cv2.getBuildInformation())
    if not cv2.useOptimized():
        installed.slow.append("OpenCV runs without its optimised code; reinstall opencv-python")
    if parallel is not None and parallel[1].strip().lower() == "none":
        installed.slow.append("OpenCV is built without threads; reinstall opencv-python")


def _hdf5(installed: Libraries) -> None:
    from wsss_cli.artifacts.image_groups import hdf5_version

    installed.versions["hdf5"] = hdf5_version()


def _pillow(installed: Libraries) -> None:
    from PIL import features

    lacking = [kind for kind in ("jpg", "zlib") if not features.check(kind)]
    if lacking:
        raise ImportError(f"it is built without {' and '.join(lacking)}")
    del installed


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
