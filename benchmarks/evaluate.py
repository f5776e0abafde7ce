"""Time ``wsss evaluate`` beside torchmetrics, bare decoding, and a threshold at a time.

    python benchmarks/evaluate.py VOC2012 predictions --attention attention.h5

Of label maps: the same PNG files through ``evaluate``, through torchmetrics' Jaccard index (without
its checks of the values, which cost it more still), and only decoded. Of
attention: 100 thresholds in one pass, and as scripts of this field do it, the maps read anew for
each threshold, and kindly, read once. All in one thread and in alternation; the medians of the
processor's seconds count, which other work on the machine hardly changes. torchmetrics must be
importable: ``pip install torchmetrics``.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.data.voc import VocTree
from wsss_cli.labels import IGNORE
from wsss_cli.metrics.attention import ThresholdCurve
from wsss_cli.metrics.segmentation import iou
from wsss_cli.stages.evaluate import THRESHOLDS, run
from wsss_cli.tracking import Silent

Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def main() -> None:
    """Read the arguments, time and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="VOC tree")
    parser.add_argument("pred", type=Path, help="folder of label maps without 255")
    parser.add_argument("--attention", type=Path, help="attention file of images with masks")
    parser.add_argument("--attention-images", type=int, default=10, help="for the second table")
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many counts")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    tree = VocTree.find(args.data)
    print(
        f"{platform.machine()}, one thread, torch {torch.__version__}, median of {args.repeats}\n"
    )
    label_maps(tree, args.pred, args.repeats)
    if args.attention is not None:
        attention(tree, args.attention, args.attention_images, args.repeats)


def label_maps(tree: VocTree, pred: Path, repeats: int) -> None:
    """Print how long each way takes on one folder of label maps."""
    from torchmetrics.classification import MulticlassJaccardIndex

    num_labels = len(tree.class_names) + 1
    paths = [path for path in sorted(pred.glob("*.png")) if (tree.masks / path.name).is_file()]

    def pairs() -> Iterator[Pair]:
        def decode(path: Path) -> Pair:
            return np.array(Image.open(path)), np.array(Image.open(tree.masks / path.name))

        return map(decode, paths)

    def decoding() -> float:
        return float(sum(1 for _ in pairs()))

    def theirs() -> float:
        metric = MulticlassJaccardIndex(num_labels, ignore_index=IGNORE, validate_args=False)
        for prediction, target in pairs():
            metric.update(torch.from_numpy(prediction).long(), torch.from_numpy(target).long())
        return float(metric.compute())

    def config(**more: bool) -> EvaluateConfig:
        return EvaluateConfig(pred=pred, data=tree.root, workers=0, **more)

    ways: dict[str, Callable[[], float]] = {
        "decoding alone": decoding,
        "wsss evaluate": lambda: float(run(config(), track=Silent()).values["miou"]),
        "wsss evaluate --boundaries": lambda: float(
            run(config(boundaries=True), track=Silent()).values["miou"]
        ),
        "torchmetrics": theirs,
    }
    print(f"{len(paths)} predictions and masks:\n")
    _table(ways, repeats, against="decoding alone")


def attention(tree: VocTree, path: Path, images: int, repeats: int) -> None:
    """Print how long the curve takes in one pass and threshold by threshold."""
    num_labels = len(tree.class_names) + 1
    with AttentionFile(path) as file:
        image_ids = [i for i in file.image_ids if tree.mask_path(i).is_file()][:images]

        def read(image_id: str) -> tuple[npt.NDArray[np.float32], list[int], Pair]:
            found = file.read(image_id)
            target = np.array(Image.open(tree.mask_path(image_id)))
            maps = enlarge_maps(found.maps, found.size)
            return maps, found.class_ids.tolist(), (target, target != IGNORE)

        def anew() -> float:
            best = 0.0
            for threshold in THRESHOLDS.tolist():
                confusion = np.zeros((num_labels, num_labels), np.int64)
                for image_id in image_ids:
                    confusion += _confusion_at(threshold, *read(image_id), num_labels)
                best = max(best, _miou(confusion))
            return best

        def once() -> float:
            confusions = np.zeros((len(THRESHOLDS), num_labels, num_labels), np.int64)
            for image_id in image_ids:
                found = read(image_id)
                for number, threshold in enumerate(THRESHOLDS.tolist()):
                    confusions[number] += _confusion_at(threshold, *found, num_labels)
            return max(map(_miou, confusions))

        def one_pass() -> float:
            curve = ThresholdCurve(num_labels, THRESHOLDS)
            for image_id in image_ids:
                maps, class_ids, (target, _) = read(image_id)
                curve.update(
                    torch.from_numpy(maps), torch.tensor(class_ids), torch.from_numpy(target)
                )
            return float(iou(curve.confusions()).nanmean(dim=-1).max())

        ways = {
            "one pass": one_pass,
            "a threshold at a time, maps read once": once,
            "a threshold at a time, maps read anew": anew,
        }
        print(f"\nAttention of {len(image_ids)} images at {len(THRESHOLDS)} thresholds:\n")
        _table(ways, repeats, against="one pass")


def _confusion_at(
    threshold: float,
    maps: npt.NDArray[np.float32],
    class_ids: list[int],
    truth: Pair,
    num_labels: int,
) -> npt.NDArray[np.int64]:
    """As evaluation scripts have it: a constant map for the background, argmax, bincount."""
    target, valid = truth
    padded = np.pad(maps, ((1, 0), (0, 0), (0, 0)), constant_values=threshold)
    padded[0] = np.nextafter(np.float32(threshold), np.float32(0))  # a tie is won by the class
    label_map = np.array([0, *class_ids])[padded.argmax(axis=0)]
    cells = num_labels * target[valid].astype(np.int64) + label_map[valid]
    return np.bincount(cells, minlength=num_labels**2).reshape(num_labels, num_labels)


def _miou(confusion: npt.NDArray[np.int64]) -> float:
    return float(iou(torch.from_numpy(confusion)).nanmean())


def _table(ways: dict[str, Callable[[], float]], repeats: int, *, against: str) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, float] = {}
    for _ in range(repeats):
        for name, way in ways.items():
            started = time.process_time()
            results[name] = way()
            seconds[name].append(time.process_time() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"| way | seconds | times {against} | result |\n|---|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / medians[against]:.2f} | {results[name]:.6g} |")


if __name__ == "__main__":
    main()
