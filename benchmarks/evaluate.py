"""Time ``wsss evaluate`` beside torchmetrics, bare decoding, and a threshold at a time.

    python benchmarks/evaluate.py VOC2012 predictions --attention attention.h5

Of label maps: the same PNG files through ``evaluate``, through torchmetrics' Jaccard index (without
its checks of the values, which cost it more still), and only decoded. Of attention: 100 thresholds
in one pass, and as scripts of this field do it, the maps read anew for each threshold, and kindly,
read once. All ways must find the same mIoU. One thread; seconds of the processor count, which other
work on the machine hardly changes. torchmetrics is in the extra ``bench``.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from math import isclose, nan
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from ratios import Ratio, as_script, in_turn, ratio_of
from stage_runs import voc_data_set

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.data.voc import VocDataSet
from wsss_cli.labels import IGNORE
from wsss_cli.metrics.attention import ThresholdCurve
from wsss_cli.metrics.segmentation import iou
from wsss_cli.stages.evaluate import THRESHOLDS, run
from wsss_cli.tracking import Silent

Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def measure(
    data: Path,
    pred: Path,
    attention: Path | None = None,
    *,
    attention_images: int = 10,
    rounds: int = 3,
) -> list[Ratio]:
    """The rows of label maps and, where a file is given, of attention.

    Raises:
        SystemExit: There is no VOC tree, or the ways find different scores.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    data_set = voc_data_set(data)
    rows = label_maps(data_set, pred, rounds)
    if attention is not None:
        rows += curve(data_set, attention, attention_images, rounds)
    return rows


def label_maps(data_set: VocDataSet, pred: Path, rounds: int) -> list[Ratio]:
    """``evaluate`` on a folder of label maps."""
    num_labels = len(data_set.class_names) + 1
    paths = [path for path in sorted(pred.glob("*.png")) if (data_set.masks / path.name).is_file()]

    def pairs() -> Iterator[Pair]:
        for path in paths:
            yield np.array(Image.open(path)), np.array(Image.open(data_set.masks / path.name))

    def ours(*, boundaries: bool = False) -> float:
        config = EvaluateConfig(pred=pred, data=data_set.root, workers=0, boundaries=boundaries)
        return float(run(config, track=Silent()).values["miou"])

    def theirs() -> float:
        metric = MulticlassJaccardIndex(num_labels, ignore_index=IGNORE, validate_args=False)
        for prediction, target in pairs():
            metric.update(torch.from_numpy(prediction).long(), torch.from_numpy(target).long())
        return float(metric.compute())

    decoding, evaluate = "decoding the PNGs alone", "evaluate"
    boundaries, torchmetrics = "evaluate --boundaries", "torchmetrics"
    ways = {evaluate: ours, boundaries: lambda: ours(boundaries=True)}
    try:
        from torchmetrics.classification import MulticlassJaccardIndex

        ways[torchmetrics] = theirs
        missing = None
    except ImportError:
        missing = "torchmetrics is not installed"
    seconds = _in_turn(ways, rounds, beside={decoding: lambda: sum(1 for _ in pairs())})
    times = ratio_of(seconds[torchmetrics], seconds[evaluate]) if missing is None else nan
    return [
        Ratio(evaluate, decoding, ratio_of(seconds[evaluate], seconds[decoding]), 1.5),
        Ratio(evaluate, torchmetrics, times, 3, higher=True, missing=missing),
        Ratio(boundaries, decoding, ratio_of(seconds[boundaries], seconds[decoding])),
    ]


def curve(data_set: VocDataSet, path: Path, images: int, rounds: int) -> list[Ratio]:
    """The curve over thresholds in one pass."""
    num_labels = len(data_set.class_names) + 1
    with AttentionFile(path) as file:
        image_ids = [i for i in file.image_ids if data_set.mask_path(i).is_file()][:images]

        def read(image_id: str) -> tuple[npt.NDArray[np.float32], list[int], Pair]:
            found = file.read(image_id)
            target = np.array(Image.open(data_set.mask_path(image_id)))
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

        what = f"attention at {len(THRESHOLDS)} thresholds"
        read_anew = "a threshold at a time, maps read anew"
        read_once = "a threshold at a time, maps read once"
        seconds = _in_turn({what: one_pass, read_anew: anew, read_once: once}, rounds)
    return [
        Ratio(what, read_anew, ratio_of(seconds[read_anew], seconds[what]), 50, higher=True),
        Ratio(what, read_once, ratio_of(seconds[read_once], seconds[what]), higher=True),
    ]


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


def _in_turn(
    ways: Mapping[str, Callable[[], float]],
    rounds: int,
    beside: Mapping[str, Callable[[], object]] | None = None,
) -> dict[str, list[float]]:
    """Seconds of the processor, of ways that find the same mIoU and of others beside them.

    Raises:
        SystemExit: The ways find different scores.
    """
    found: dict[str, float] = {}

    def finding(name: str, way: Callable[[], float]) -> Callable[[], None]:
        return lambda: found.update({name: way()})

    timed = {name: finding(name, way) for name, way in ways.items()}
    seconds = in_turn({**(beside or {}), **timed}, rounds, time.process_time)
    first = next(iter(found.values()))
    if not all(isclose(first, other, abs_tol=1e-5) for other in found.values()):
        raise SystemExit(f"the ways disagree, so their times say nothing: {found}")
    return seconds


if __name__ == "__main__":
    as_script(
        measure,
        data="VOC tree",
        pred="folder of label maps without 255",
        attention="attention file of images with masks",
        attention_images="so many of its images",
    )
