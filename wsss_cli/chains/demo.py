"""The embedded default: draw a data set, run the chain on it, compare with CAM.

Every object drawn has one striking part and a plain body. CAM needs no more than the part to name
the class; SeeNet erases it and has to find the body.
"""

import time
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.atomic import read_json, write_json
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.crf import CrfConfig
from wsss_cli.configs.demo import DemoConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.synthetic import draw_voc_data_set
from wsss_cli.errors import UsageError
from wsss_cli.stages import attend, crf, evaluate, proxy, segment, train
from wsss_cli.stages.evaluate import FIXED_THRESHOLD, FRACTION
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track

TRAIN_IMAGES = 300
VAL_IMAGES = 80
# Sized for two cores: the whole demonstration takes under four minutes there.
ATTENTION_ITERATIONS = 400
SEGMENTATION_ITERATIONS = 600
CROP = 112
TEST_SIZE = 128
SETTINGS_FILE = "demo.json"
DATA, SALIENCY = "VOC2012", "saliency_maps"  # as draw_voc_data_set calls them


def run(config: DemoConfig, *, track: Track) -> Report:
    """Draw, train CAM and SeeNet, and take SeeNet's attention to a scored segmentation.

    Stages that are complete are not repeated, so a stopped demonstration continues.

    Raises:
        WsssError: The directory holds another demonstration, or a stage fails.
    """
    started = time.monotonic()
    data, saliency = _draw(config, track)
    scores: dict[str, dict[str, float]] = {}
    for method in ("cam", "seenet"):
        common = _common(config, method, data)
        track.note(f"{method}: training the attention network")
        train.run(
            TrainConfig(
                **common,
                device=config.device,
                seed=config.seed,
                method=method,
                backbone="tiny",
                iterations=ATTENTION_ITERATIONS,
                lr=0.02,
                lr_steps=(ATTENTION_ITERATIONS * 3 // 4,),
                crop=CROP,
            ),
            track=track,
        )
        attend.run(AttendConfig(**common, device=config.device, size=TEST_SIZE), track=track)
        attention = evaluate.run(
            EvaluateConfig(**common, seed=config.seed, what="attention"), track=track
        ).values
        thresholds, scored = attention["curve"]["thresholds"], attention["curve"]["miou"]
        curve = dict(zip(thresholds, scored, strict=True))
        proxy.run(ProxyConfig(**common, device=config.device, saliency=saliency), track=track)
        labelled = evaluate.run(
            EvaluateConfig(**common, seed=config.seed, what="proxy", baselines=True), track=track
        ).values
        scores[method] = {
            "attention": curve[FIXED_THRESHOLD],
            "attention_best": attention["miou"],
            "proxy": labelled["miou"],
        }
        baselines = labelled["baselines"]
    track.note("seenet: training the segmentation network")
    segment.run(
        SegmentConfig(
            **common,
            device=config.device,
            seed=config.seed,
            # Nothing is pretrained here, but the attention network's trunk knows the classes.
            weights=str(common["run"] / "train" / CHECKPOINT_FILE),
            iterations=SEGMENTATION_ITERATIONS,
            lr=0.01,
            crop=CROP,
            probabilities=True,
        ),
        track=track,
    )
    of_predictions = evaluate.run(
        EvaluateConfig(**common, seed=config.seed, baselines=True), track=track
    )
    crf.run(CrfConfig(**common, device=config.device), track=track)
    refined = evaluate.run(EvaluateConfig(**common, seed=config.seed, what="crf"), track=track)
    values = {
        "unit": FRACTION,
        "threshold": FIXED_THRESHOLD,
        **scores,
        "proxy_baselines": baselines,
        "prediction": of_predictions.values["miou"],
        "prediction_crf": refined.values["miou"],
        "prediction_baselines": of_predictions.values["baselines"],
        "per_class": of_predictions.values["per_class"],
        "data": str(data),
        "run": str(common["run"]),
        "seconds": round(time.monotonic() - started, 1),
    }
    return Report("demo", config.directory, False, values)


def _draw(config: DemoConfig, track: Track) -> tuple[Path, Path]:
    """Draw the data set unless it is there; returns it and its saliency maps.

    Raises:
        UsageError: The directory holds the drawings of another seed, or data that nobody drew.
    """
    root = config.directory
    _require_own(root / SETTINGS_FILE, config)
    last_written = root / DATA / "classes.txt"
    if not last_written.exists():
        track.note(f"drawing {TRAIN_IMAGES + VAL_IMAGES} images to {root / DATA}")
        draw_voc_data_set(root, train_images=TRAIN_IMAGES, val_images=VAL_IMAGES, seed=config.seed)
    return root / DATA, root / SALIENCY


def _require_own(record: Path, config: DemoConfig) -> None:
    if not record.exists():
        strangers = [config.directory / name for name in (DATA, SALIENCY)]
        for path in strangers:
            if path.exists():
                raise UsageError(
                    f"{path} is there and not of a demonstration, which would draw over it; choose "
                    "another directory"
                )
        write_json(record, {"seed": config.seed})
    seed = read_json(record).get("seed")
    if seed != config.seed:
        raise UsageError(
            f"{config.directory} holds a demonstration with seed {seed}; pass --seed {seed}, or "
            "another directory"
        )


def _common(config: DemoConfig, method: str, data: Path) -> dict[str, Any]:
    run = config.directory / "runs" / method
    return {"run": run, "data": data}
