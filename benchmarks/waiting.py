r"""Measure what a person waits for and stores, each by itself: seconds, rates and gigabytes.

    python benchmarks/waiting.py VOC2012 seenet/train/checkpoint.pt \
        seenet/segment/checkpoint.pt u2netp.onnx seenet

The ratios of the other benchmarks say how near a stage comes to its limit; these rows say how long
it takes. Rates are by processor seconds of all threads, which other work on the machine changes
less than the clock; the report is by the clock, so run it on an idle machine.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ratios import Ratio, as_script
from stage_runs import SPLIT, one_and_two_labels, tree_of, voc_data_set

from wsss_cli.artifacts.attention_file import INDEX
from wsss_cli.artifacts.image_groups import SHARDS
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.report import ReportConfig
from wsss_cli.configs.saliency import SaliencyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.voc import VocDataSet
from wsss_cli.inspect import report
from wsss_cli.stages import attend, saliency, segment
from wsss_cli.tracking import Silent

SMALL_MAPS = 0.25
MILLION = 1_000_000
CORE_SECOND = "a second of a core"


def measure(
    data: Path,
    checkpoint: Path,
    segment_checkpoint: Path,
    model: Path,
    run: Path,
    *,
    split: str = "val",
    images: int = 16,
    rounds: int = 3,
) -> list[Ratio]:
    """The rows, each against what it is counted in.

    Args:
        data: VOC tree.
        checkpoint: Of a trained attention network.
        segment_checkpoint: Of a segmentation network.
        model: ONNX file of a saliency network.
        run: A run with scores, for the report.
        split: Where the images are from.
        images: How many pass the networks in a round, with 1.5 labels each.
        rounds: Medians are of so many.
    """
    data_set = voc_data_set(data)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        few = tree_of(data_set, one_and_two_labels(data_set, split, images), folder)
        attending = AttendConfig(data=few.root, checkpoint=checkpoint, split=SPLIT, run=folder)
        stored = [_stored(attending, few, folder, scale) for scale in (None, SMALL_MAPS)]
        making = SaliencyConfig(
            data=few.root, model=str(model), split=SPLIT, run=folder, overwrite=True
        )
        predicting = SegmentConfig(
            data=few.root, checkpoint=segment_checkpoint, split=SPLIT, run=folder, overwrite=True
        )
        salient = _processor_seconds(lambda: saliency.run(making, track=Silent()), rounds)
        predicted = _processor_seconds(lambda: segment.run(predicting, track=Silent()), rounds)
        page = ReportConfig((run,), folder / "page.html")
        report.run(page, track=Silent())
        started = time.perf_counter()
        report.run(page, track=Silent())
        again = time.perf_counter() - started
    return [
        Ratio("attention of a million images", "a gigabyte", stored[0]),
        Ratio(f"the same, --map-scale {SMALL_MAPS}", "a gigabyte", stored[1], 40),
        Ratio("saliency maps", CORE_SECOND, images / salient, 3.8, higher=True),
        Ratio(
            "prediction, default scales", "a second of a core, an image", predicted / images, 3.5
        ),
        Ratio("report, a second time with nothing new", "a second", again, 0.5),
    ]


def _stored(config: AttendConfig, few: VocDataSet, folder: Path, scale: float | None) -> float:
    """Gigabytes that the maps of a million such images take."""
    run = folder / f"attention {scale}"
    attend.run(replace(config, run=run, map_scale=scale), track=Silent())
    files = [run / "attend" / INDEX, *(run / "attend" / SHARDS).iterdir()]
    return sum(file.stat().st_size for file in files) / len(few.image_ids(SPLIT)) * MILLION / 1e9


def _processor_seconds(work: Callable[[], object], rounds: int) -> float:
    """Of the median round; one before is not counted."""
    seconds = []
    for _ in range(rounds + 1):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    as_script(
        measure,
        data="VOC tree",
        checkpoint="of a trained attention network",
        segment_checkpoint="of a segmentation network",
        model="ONNX file of a saliency network",
        run="with scores",
    )
