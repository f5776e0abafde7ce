r"""Run every benchmark; print the table and keep it as a file.

    python benchmarks/all_ratios.py VOC2012 --checkpoint seenet/train/checkpoint.pt \
        --segment-checkpoint seenet/segment/checkpoint.pt \
        --attention seenet/attend/attention.h5 --saliency saliency_maps \
        --pred seenet/segment/predictions --model u2netp.onnx --run seenet --out new.json

Each benchmark works in a process of its own, so none sees the threads, the memory or the end of
another; what fails, or misses what it needs, is named in the table with its reason. ``--only`` runs
some. On an idle machine: what runs beside it moves the ratios of whatever uses several cores.
"""

import argparse
import importlib
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import nan
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ratio_file import Measured, write
from ratios import Ratio, machine, table

from wsss_cli.errors import WsssError

# What each script's ``measure`` takes, and from which option; in the order of the table.
BENCHMARKS = {
    "train": {"data": "data", "checkpoint": "checkpoint", "device": "device"},
    "attend": {"data": "data", "checkpoint": "checkpoint", "device": "device"},
    "peers": {"data": "data", "device": "device"},
    "proxy": {"attention": "attention", "saliency": "saliency"},
    "segment": {"data": "data", "checkpoint": "segment_checkpoint", "device": "device"},
    "dense_crf": {"folder": "data"},
    "evaluate": {"data": "data", "pred": "pred", "attention": "attention"},
    "memory": {},
    "startup": {},
    "waiting": {
        "data": "data",
        "checkpoint": "checkpoint",
        "segment_checkpoint": "segment_checkpoint",
        "model": "model",
        "run": "run",
    },
    "suite": {},
}
PACKAGES = (
    *("wsss-cli", "torch", "torchvision", "numpy", "opencv-python", "opencv-python-headless"),
    *("pillow", "h5py", "torchmetrics", "grad-cam", "torchcam", "pydensecrf2"),
)


def main() -> None:
    """Read the arguments, run, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, nargs="?", help="VOC tree")
    parser.add_argument("--checkpoint", type=Path, help="of a trained SeeNet")
    parser.add_argument("--segment-checkpoint", type=Path, help="of a DeepLab-LargeFOV")
    parser.add_argument("--attention", type=Path, help="attention file of images with masks")
    parser.add_argument("--saliency", type=Path, help="folder of its images' saliency maps")
    parser.add_argument("--pred", type=Path, help="folder of label maps without 255")
    parser.add_argument("--model", type=Path, help="ONNX file of a saliency network")
    parser.add_argument("--run", type=Path, help="with scores, for the report")
    parser.add_argument("--device", default="auto", help="of networks")
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS))
    parser.add_argument("--out", type=Path, help="JSON file to be written")
    given = parser.parse_args()
    rows: list[Ratio] = []
    date = datetime.now(UTC).isoformat(timespec="seconds")
    measured = Measured(date=date, machine=machine(), versions=_versions(), rows=rows)
    for name in given.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += ratios_of(name, given)
        if given.out is not None:  # each time: a stop loses one benchmark, not all
            write(given.out, measured)
    print(f"{measured.machine}, {measured.date}\n\n{table(rows)}")


def ratios_of(name: str, given: argparse.Namespace) -> list[Ratio]:
    """The rows of one benchmark; if it cannot run, one that says why."""
    arguments = {taken: getattr(given, option) for taken, option in BENCHMARKS[name].items()}
    without = [BENCHMARKS[name][taken] for taken, value in arguments.items() if value is None]
    if without:
        return [_not_measured(name, f"not given: {', '.join(without)}")]
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            rows = process.submit(_measure, name, arguments).result()
    except (SystemExit, WsssError) as error:
        return [_not_measured(name, str(error))]
    except Exception as error:  # whatever it is, the others go on
        return [_not_measured(name, f"{type(error).__name__}: {error}")]
    return rows or [_not_measured(name, "it gave no row")]


def _measure(name: str, arguments: dict[str, Any]) -> list[Ratio]:
    rows: list[Ratio] = importlib.import_module(name).measure(**arguments)
    return rows


def _not_measured(name: str, reason: str) -> Ratio:
    return Ratio(name, "", nan, missing=" ".join(reason.split()))  # on one line of the table


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
