"""Peak memory of each stage at 256 images, two shards of attention, and at five thousand.

    python benchmarks/memory.py --counts 256 5000

Draws forty photographs in a temporary folder, gives every further image a hard link to one of them,
and runs every stage in a process of its own. Memory that grows with the number of images is a leak,
or something kept.
"""

import argparse
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ratios import Ratio, show

from wsss_cli.data.synthetic import draw_voc_data_set

COUNTS = (256, 5000)
DRAWN = 40
LISTS = Path("ImageSets", "Segmentation")
STAGES = {
    "train": "--backbone tiny --iterations 20 --batch-size 8 --crop 96",
    "attend": "--size 96 --split train",
    "proxy": "",
    "evaluate --what attention": "",
    "evaluate --what proxy": "",
    "segment": "--model tiny --iterations 5 --batch-size 4 --crop 96 --split train --scales 1",
    "evaluate": "",
}


def main() -> None:
    """Read the arguments, measure, print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    args = parser.parse_args()
    found = peaks(args.counts)
    print("| MiB | " + " | ".join(f"{count:,} images" for count in args.counts) + " |")
    print("|---|" + "---|" * len(args.counts))
    for stage, mebibytes in found.items():
        print(f"| `{stage}` | " + " | ".join(f"{peak:.0f}" for peak in mebibytes) + " |")
    print()
    show(growth(found, args.counts))


def measure(*, counts: Sequence[int] = COUNTS) -> list[Ratio]:
    """A row for each stage, the last number of images against the first."""
    return growth(peaks(counts), counts)


def growth(found: Mapping[str, Sequence[float]], counts: Sequence[int]) -> list[Ratio]:
    """The rows of peaks that were measured."""
    return [
        Ratio(
            f"peak memory of {stage}, {counts[-1]:,} images",
            f"{counts[0]:,} images",
            mebibytes[-1] / mebibytes[0],
            1.05,
        )
        for stage, mebibytes in found.items()
    ]


def peaks(counts: Sequence[int]) -> dict[str, list[float]]:
    """MiB of every stage for each number of images."""
    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with TemporaryDirectory() as folder:
        for count in counts:
            base = Path(folder, str(count))
            draw(base, count)
            for stage, options in STAGES.items():
                found[stage].append(peak_of(base, f"{stage} {options}"))
    return found


def draw(base: Path, count: int) -> None:
    """A tree whose list ``train`` has so many images."""
    draw_voc_data_set(base, train_images=DRAWN, val_images=1, seed=0)
    data_set = base / "VOC2012"
    drawn = (data_set / LISTS / "train.txt").read_text().split()
    image_ids = [f"{number:06d}" for number in range(count)]
    for number, image_id in enumerate(image_ids):
        source = drawn[number % DRAWN]
        for folder, suffix in (
            (data_set / "JPEGImages", "jpg"),
            (data_set / "Annotations", "xml"),
            (data_set / "SegmentationClass", "png"),
            (base / "saliency_maps", "png"),
        ):
            os.link(folder / f"{source}.{suffix}", folder / f"{image_id}.{suffix}")
    (data_set / LISTS / "train.txt").write_text("\n".join(image_ids))


def peak_of(base: Path, command: str) -> float:
    """MiB at the most, of a command in a process of its own.

    Raises:
        SystemExit: The command fails, or this process hides what it takes.
    """
    where = ["--run", str(base / "run"), "--data", str(base / "VOC2012"), "--workers", "2"]
    saliency = ["--saliency", str(base / "saliency_maps")] if command.startswith("proxy") else []
    arguments = [sys.executable, "-m", "wsss_cli", *command.split(), *where, *saliency, "--quiet"]
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=silent)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"failed: wsss {command}")
    # Until it is another program, a child counts its parent's memory as its own.
    if used.ru_maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        raise SystemExit(f"this process took more memory than wsss {command}, so that is not seen")
    return used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
