"""Peak memory of each stage at 256 images, two shards of attention, and at five thousand.

    python benchmarks/memory.py /tmp/memory --counts 256 5000

Draws forty photographs, gives every further image a hard link to one of them, and runs every stage
in a process of its own. Memory that grows with the number of images is a leak, or something kept.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from wsss_cli.data.synthetic import draw_voc_tree

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
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="made, and removed in the end")
    parser.add_argument("--counts", type=int, nargs="+", default=[256, 5000])
    args = parser.parse_args()
    peaks: dict[str, list[float]] = {stage: [] for stage in STAGES}
    try:
        for count in args.counts:
            base = args.folder / str(count)
            draw(base, count)
            for stage, options in STAGES.items():
                peaks[stage].append(peak_of(base, f"{stage} {options}"))
    finally:
        shutil.rmtree(args.folder)
    print("| MiB | " + " | ".join(f"{count:,} images" for count in args.counts) + " | grows by |")
    print("|---|" + "---|" * (len(args.counts) + 1))
    for stage, found in peaks.items():
        cells = " | ".join(f"{peak:.0f}" for peak in found)
        print(f"| `{stage}` | {cells} | {100 * (found[-1] / found[0] - 1):+.1f} % |")


def draw(base: Path, count: int) -> None:
    """A tree whose list ``train`` has so many images."""
    draw_voc_tree(base, train_images=DRAWN, val_images=1, seed=0)
    tree = base / "VOC2012"
    drawn = (tree / LISTS / "train.txt").read_text().split()
    image_ids = [f"{number:06d}" for number in range(count)]
    for number, image_id in enumerate(image_ids):
        source = drawn[number % DRAWN]
        for folder, suffix in (
            (tree / "JPEGImages", "jpg"),
            (tree / "Annotations", "xml"),
            (tree / "SegmentationClass", "png"),
            (base / "saliency_maps", "png"),
        ):
            os.link(folder / f"{source}.{suffix}", folder / f"{image_id}.{suffix}")
    (tree / LISTS / "train.txt").write_text("\n".join(image_ids))


def peak_of(base: Path, command: str) -> float:
    """MiB at the most, of a command in a process of its own."""
    where = ["--run", str(base / "run"), "--data", str(base / "VOC2012"), "--workers", "2"]
    saliency = ["--saliency", str(base / "saliency_maps")] if command.startswith("proxy") else []
    arguments = [sys.executable, "-m", "wsss_cli", *command.split(), *where, *saliency, "--quiet"]
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=silent)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"failed: wsss {command}")
    return used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
