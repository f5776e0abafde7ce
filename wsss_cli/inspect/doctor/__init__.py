"""``wsss doctor``: what this machine has, and what would be slow or fail on it, before it does."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.stages import FEATURES_FILE, STAGES
from wsss_cli.configs.train import TrainConfig
from wsss_cli.device import resolve_device, resolve_precision
from wsss_cli.errors import WsssError
from wsss_cli.inspect.doctor import libraries
from wsss_cli.inspect.doctor.machine import NETWORK_FILE_SYSTEMS, Machine, existing, free_bytes
from wsss_cli.stages.result import Report

# Most memory of a process that makes one step of `wsss train` with its defaults (VGG16, 16 images
# of 224 x 224) in float32 on a CPU: 2.1 GiB, measured by getrusage, the libraries among them.
TRAINING_MEMORY = round(2.1 * 2**30)
# A file that is this far off its announced size is cut off or another one.
_ROUNDING = 1024


def run(config: CommonConfig, machine: Machine | None = None) -> Report:
    """Look at libraries, cores, memory, disk and weights; nothing is downloaded or written.

    Args:
        config: Says where the run is, and where the data set.
        machine: The machine; None is this one.

    Returns:
        Facts, what would be ``slow`` and what makes the tool ``unusable``, as sentences.
    """
    machine = machine or Machine()
    installed = libraries.look()
    unusable, slow = list(installed.broken), list(installed.slow)
    cores, quota = machine.cores(), machine.quota()
    total, available = machine.memory()
    folder = existing(config.run)
    free = free_bytes(folder)
    disk = {
        "place": str(folder),
        "free": free,
        "file_system": machine.file_system(folder),
        "writable": folder.is_dir() and os.access(folder, os.W_OK),
        "features": _kept_features(config.run),
    }
    if not disk["writable"]:
        unusable.append(f"{folder} cannot be written to; choose another --run")
    values: dict[str, Any] = {
        "versions": installed.versions,
        "cuda": installed.facts.get("cuda"),
        "threads": {
            "cores": cores,
            "quota": quota,
            "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
            "torch": installed.facts.get("torch_threads"),
            "opencv": installed.facts.get("opencv_threads"),
        },
        "memory": {"total": total, "available": available},
        "disk": disk,
    }
    slow += _slow_threads(cores, quota, installed.facts.get("torch_threads"))
    slow += _slow_places({"--run": folder, "--data": config.data}, machine)
    if not installed.broken:
        precision = resolve_precision("auto", resolve_device("auto"))
        values |= {"precision": precision, "weights": _weights()}
        slow += _slow_device(values["cuda"], precision, driver=machine.has_nvidia_driver())
        if available is not None and not values["cuda"]["cards"] and available < TRAINING_MEMORY:
            slow.append(
                f"{_size(available)} of memory are left, a training step with the default batch "
                f"takes {_size(TRAINING_MEMORY)}; lower --batch-size"
            )
        if config.data is not None:
            values["writes"], problem = _writes(config.data, folder, free)
            unusable += problem
    values |= {"slow": slow, "unusable": unusable, "usable": not unusable}
    return Report("doctor", None, False, values)


def _slow_threads(cores: int, quota: float | None, threads: int | None) -> Iterator[str]:
    granted = cores if quota is None else min(cores, max(1, int(quota)))
    told = os.environ.get("OMP_NUM_THREADS")
    if threads is None:
        return
    if threads < granted:
        why = f" (OMP_NUM_THREADS={told})" if told else ""
        yield f"torch uses {threads} of {granted} cores{why}; set OMP_NUM_THREADS={granted}"
    if quota is not None and threads > max(1, quota):
        yield (
            f"torch uses {threads} threads, but this container is granted the time of {quota:g} "
            f"cores, so they wait for each other; set OMP_NUM_THREADS={granted}"
        )


def _slow_places(places: dict[str, Path | None], machine: Machine) -> Iterator[str]:
    for option, folder in places.items():
        kind = None if folder is None else machine.file_system(folder)
        if kind in NETWORK_FILE_SYSTEMS:
            yield (
                f"{option} {folder} is on a network ({kind}), slow for thousands of small files; "
                "choose a local disk"
            )


def _slow_device(cuda: dict[str, Any], precision: str, *, driver: bool) -> Iterator[str]:
    cards, built_for = cuda["cards"], cuda["built_for"]
    if driver and not cards:
        why = f"torch is built for CUDA {built_for}" if built_for else "torch is built without CUDA"
        yield (
            f"there is an NVIDIA driver, but torch finds no GPU ({why}); compare with nvidia-smi, "
            "and see CUDA_VISIBLE_DEVICES"
        )
    elif not cards:
        yield (
            "there is no CUDA GPU, and the published schedule of 25,000 iterations takes days on "
            "a CPU; lower --iterations"
        )
    if precision != "bfloat16":
        where = "the GPU" if cards else "this CPU"
        yield f"{where} does not multiply bfloat16 natively, so float32 is used"


def _weights() -> dict[str, Any]:
    """Weights of the default backbone: torch's cached file, or the one named instead."""
    from wsss_cli.models.pretrained import cached_weights

    cached = cached_weights(TrainConfig.backbone)
    there = cached.path.stat().st_size if cached.path.is_file() else None
    if there is None:
        folder = existing(cached.path.parent)
        fits = cached.bytes is None or free_bytes(folder) > cached.bytes
        able = os.access(folder, os.W_OK) and fits
        state = "downloadable" if able else "no place to download it to"
    else:
        near = cached.bytes is None or abs(there - cached.bytes) <= _ROUNDING
        state = "there" if near else "of a wrong size; remove it"
    variable = os.environ.get("WSSS_WEIGHTS")
    return {
        "file": str(cached.path),
        "size": cached.size,
        "url": cached.url,
        "state": state,
        "WSSS_WEIGHTS": variable,
    }


def _kept_features(run: Path) -> int:
    """Bytes of the features that stopped trainings of heads alone go on from."""
    kept = 0
    for stage, entry in STAGES.items():
        if FEATURES_FILE in entry.scratch:
            with suppress(OSError):
                kept += (run / stage / FEATURES_FILE).stat().st_size
    return kept


def _writes(data: Path, folder: Path, free: int) -> tuple[dict[str, Any], list[str]]:
    """What a run on the data will write, and a sentence if that cannot be."""
    from wsss_cli.data.layouts import find_data_set
    from wsss_cli.inspect.doctor.space import estimate

    try:
        space = estimate(find_data_set(data))
    except WsssError as error:
        return {}, [str(error)]
    if space.total <= free:
        return {**asdict(space), "total": space.total}, []
    return {**asdict(space), "total": space.total}, [
        f"the run will write about {_size(space.total)}, and {_size(free)} are free at "
        f"{folder}; free some space or choose another --run"
    ]


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
