"""What opening, resuming and scoring cost at ten thousand to a million images: names, no pixels.

    python benchmarks/million.py /dev/shm/wsss --most 1000000

Makes a list of ids, empty files where images and label maps would lie, an index that links to
shards of 128 images, and overlaps as `wsss evaluate` keeps them; the time of each step is printed
for every number of images. Ten times as many should take ten times as long. Needs two empty files
for each image, so best a folder in memory.
"""

import argparse
import gc
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from wsss_cli.artifacts.attention_file import LAYOUT, AttentionFile, ImageAttention, write_shard
from wsss_cli.artifacts.image_groups import SHARD_IMAGES, shard_path, write_index
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.data.label_folder import png_files, png_ids
from wsss_cli.data.voc import VOC_CLASSES, find
from wsss_cli.metrics.bootstrap import bootstrap

STEPS = (
    "read the list of images, and find each",
    "write the index of attention",
    "open the index for one image",
    "open the index, with all images there",
    "open the index and list its images",
    "resume: state of a complete directory",
    "resume: which label maps are missing",
    "evaluate: find the label maps",
    "evaluate: the interval of the mIoU",
)


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="made, and removed in the end")
    parser.add_argument("--most", type=int, default=1_000_000)
    args = parser.parse_args()
    counts = [count for count in (10_000, 100_000, 1_000_000) if count <= args.most]
    seconds: dict[str, list[float]] = {step: [] for step in STEPS}
    for count in counts:
        try:
            for step, took in measure(args.folder, count).items():
                seconds[step].append(took)
        finally:
            shutil.rmtree(args.folder)
    print("| seconds | " + " | ".join(f"{count:,} images" for count in counts) + " |")
    print("|---|" + "---|" * len(counts))
    for step, taken in seconds.items():
        print(f"| {step} | " + " | ".join(f"{one:.2f}" for one in taken) + " |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory {peak:.2f} GiB")


def measure(folder: Path, count: int) -> dict[str, float]:
    """Seconds of every step with so many images."""
    data_set, stage = folder / "VOC2012", folder / "run"
    image_ids = [f"{number:09d}" for number in range(count)]
    lists = data_set / "ImageSets" / "Segmentation"
    for made in (lists, data_set / "JPEGImages", stage / "labels", stage / "shards"):
        made.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(image_ids))
    directory = StageDirectory(
        path=stage,
        stage="proxy",
        stage_version=1,
        settings={},
        inputs={},
        owned=("labels/*.png", "shards/*.h5"),
        details={},
    )
    directory.begin()
    for image_id in image_ids:
        (stage / "labels" / f"{image_id}.png").touch()
        (data_set / "JPEGImages" / f"{image_id}.jpg").touch()
    shards = [image_ids[at : at + SHARD_IMAGES] for at in range(0, count, SHARD_IMAGES)]
    for number in range(len(shards)):
        shard_path(stage, number).touch()
    middle = image_ids[count // 2]
    with write_shard(shard_path(stage, count // 2 // SHARD_IMAGES)) as write:
        maps, class_ids = np.zeros((1, 4, 4), np.float16), np.ones(1, np.uint8)
        write(middle, ImageAttention(maps, class_ids, (4, 4)))
    directory.complete({})
    overlaps = torch.randint(1, 1000, (count, 2, len(VOC_CLASSES) + 1), dtype=torch.int32)

    def opened_for_one() -> None:
        with AttentionFile(stage / LAYOUT.index, VOC_CLASSES) as file:
            file.read(middle)

    def opened() -> None:
        with AttentionFile(stage / LAYOUT.index, VOC_CLASSES) as file:
            file.require(image_ids)

    def listed() -> None:
        with AttentionFile(stage / LAYOUT.index, VOC_CLASSES) as file:
            assert file.image_ids == image_ids

    work: tuple[Callable[[], Any], ...] = (
        lambda: find(data_set).image_ids("train"),
        lambda: write_index(stage, LAYOUT, shards, VOC_CLASSES),
        opened_for_one,
        opened,
        listed,
        directory.state,
        lambda: [i for i in image_ids if not (stage / "labels" / f"{i}.png").exists()],
        lambda: png_files(stage / "labels", png_ids(stage / "labels", "--pred"), "--pred"),
        lambda: bootstrap(overlaps),
    )
    taken = {}
    for step, do in zip(STEPS, work, strict=True):
        gc.collect()
        started = time.process_time()
        do()
        taken[step] = time.process_time() - started
    with h5py.File(stage / LAYOUT.index) as file:
        assert len(file) == count
    return taken


if __name__ == "__main__":
    main()
