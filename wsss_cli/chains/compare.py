"""Settings against each other: train, attend, proxy and scores for each setting and seed.

A run is an ordinary run, and its stages leave out what is complete and resume what is not; so does
the comparison, which keeps nothing of its own but scores and the tables made of them.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsss_cli.artifacts.atomic import write_bytes, write_json
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.chains.comparison_page import page
from wsss_cli.chains.comparison_table import Compared, as_csv, as_json, build_rows
from wsss_cli.chains.links import WAY_OUT, naming_rate
from wsss_cli.chains.measurement import ATTENTION, PROXY, Measurement, measure
from wsss_cli.configs.compare import ComparedRun
from wsss_cli.configs.stages import FEATURES_FILE
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import check_images
from wsss_cli.data.label_folder import grey_files, require_folder
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.metrics.bootstrap import Difference, paired_bootstrap
from wsss_cli.metrics.segmentation import overlap
from wsss_cli.stages import attend, proxy, train
from wsss_cli.stages.evaluate import FIXED_THRESHOLD, FRACTION, MATCHED_RECALL
from wsss_cli.stages.inputs import find_masks, masks_there
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Silent, Track


def check(runs: Sequence[ComparedRun]) -> list[dict[str, Any]]:
    """Check everything that can be checked before the first training.

    Returns:
        The setting, seed, directory and state of each stage, run by run.

    Raises:
        WsssError: Data, weights, saliency or masks are missing, or a run holds another result.
    """
    standings, splits = [], {}
    features: list[Path] = []  # of a stopped training, which later ones do not find any more
    for run in runs:
        before, plan = _plans(run, features)
        features += [each.run / "train" / FEATURES_FILE for each in (run.start, run.train) if each]
        split = run.attend.split or run.train.split or plan.data_set.training_split()
        if split not in splits:
            _check_images(run, plan.data_set, split)
        splits[split] = run.setting
        if len(splits) > 1:
            raise UsageError(
                "the settings attend different images, which cannot be compared: "
                + ", ".join(f"{setting} {split}" for split, setting in splits.items())
                + "; set attend.split for all"
            )
        standings.append(
            {
                "setting": run.setting,
                "seed": run.seed,
                "directory": str(run.directory),
                **before,
                **_standing(run, plan.directory),
            }
        )
    return standings


def _plans(run: ComparedRun, features: Sequence[Path]) -> tuple[dict[str, str], train.TrainPlan]:
    """How the common start stands, if there is one, and the plan of the training after it.

    As long as the start is not complete, its own plan stands for both: they share the data.

    Args:
        run: The run.
        features: Those that earlier runs may hold: in these places there is room for its own.
    """
    if run.start is None:
        return {}, train.prepare(run.train, Silent(), gone_before=features)
    start = train.prepare(run.start, Silent(), gone_before=features)
    state = start.directory.state(way_out=WAY_OUT)
    if state == "complete":
        return {"start": state}, train.prepare(run.train, Silent(), gone_before=features)
    train.require_fit(run.train, run.start, len(start.data_set.class_names))
    return {"start": state}, start


def _standing(run: ComparedRun, training: StageDirectory) -> dict[str, str]:
    """How the stages stand; one that follows an unfinished one is not looked at."""
    states = {"train": "new", "attend": "new", "proxy": "new"}
    if training.path.parent == run.directory:
        states["train"] = training.state(way_out=WAY_OUT)
    if states["train"] == "complete":
        states["attend"] = attend.prepare(run.attend, Silent()).directory.state(way_out=WAY_OUT)
    if states["attend"] == "complete":
        states["proxy"] = proxy.prepare(run.proxy, Silent()).directory.state(way_out=WAY_OUT)
    return states


def _check_images(run: ComparedRun, data_set: DataSet, split: str) -> None:
    """Photographs, labels, saliency maps and masks of the images attended."""
    image_ids = data_set.image_ids(split)
    data_set.labels(image_ids)
    check_images(map(data_set.image_path, image_ids))
    assert run.labels.saliency is not None  # the command refuses to go without
    grey_files(run.labels.saliency, image_ids, "--saliency")
    masks = run.labels.gt or find_masks(data_set)
    require_folder(masks, "evaluate.gt" if run.labels.gt else "--data")
    if not masks_there(image_ids, data_set, run.labels.gt):
        raise WsssError(f"{masks} has no mask of the images of {split}, so nothing can be scored")


def run(out: Path, runs: Sequence[ComparedRun], *, track: Track) -> Report:
    """Bring every run to its scores, and tabulate them.

    Args:
        out: Where the tables go.
        runs: All of them; the first one's setting is the reference.
        track: Shown the progress.

    Raises:
        WsssError: As :func:`check`, or a stage fails.
    """
    started = time.monotonic()
    check(runs)
    measured: dict[str, dict[int, Measurement]] = {}
    up_to_date = True
    for number, run in enumerate(runs, start=1):
        track.note(f"{run.setting}, seed {run.seed} (run {number} of {len(runs)})")
        done = [
            *_trainings(run, runs[number:], track),
            attend.run(run.attend, track=track),
            proxy.run(run.proxy, track=track),
        ]
        measurement = measure(run, track)
        up_to_date &= measurement.up_to_date and all(report.up_to_date for report in done)
        measured.setdefault(run.setting, {})[run.seed] = measurement
    values = _tables(out, runs, measured)
    values["seconds"] = round(time.monotonic() - started, 1)
    return Report("compare", out, up_to_date, values)


def _trainings(run: ComparedRun, later: Sequence[ComparedRun], track: Track) -> list[Report]:
    """Train the common start, if there is one, and the run's own network.

    Heads alone leave their features to the next run that learns from the same ones.

    Raises:
        WsssError: A training fails; of one that diverged it says where its learning rate stands.
    """
    # What a start is trained from may not be there yet.
    later_trainings = [each.train for each in later if each.start is None]
    reports = []
    if run.start is not None:
        with naming_rate("lr in the table [start]"):
            reports.append(train.run(run.start, track=track))
    with naming_rate(f'train.lr of the setting "{run.setting}"'):
        reports.append(train.run(run.train, track=track, later_trainings=later_trainings))
    return reports


def _tables(
    out: Path, runs: Sequence[ComparedRun], measured: Mapping[str, Mapping[int, Measurement]]
) -> dict[str, Any]:
    """Write compare.md, compare.json and compare.csv.

    Args:
        out: Where to.
        runs: All of them.
        measured: By setting and seed.
    """
    rows = build_rows(
        {name: [m.scores for m in by_seed.values()] for name, by_seed in measured.items()}
    )
    differences = _differences(measured)
    seeds = list(dict.fromkeys(run.seed for run in runs))
    images = len(measured[runs[0].setting][runs[0].seed].image_ids)
    commands = {run.setting: run.commands for run in reversed(runs)}  # of the first seed
    text = page(
        rows,
        differences,
        images=images,
        seeds=seeds,
        commands={setting: commands[setting] for setting in measured},
        first_seeds={setting: next(iter(by_seed)) for setting, by_seed in measured.items()},
    )
    values = {
        "images": images,
        "seeds": seeds,
        "unit": FRACTION,
        "threshold": FIXED_THRESHOLD,
        "recall": MATCHED_RECALL,
        "rows": [
            {
                **row,
                "seeds": list(measured[row["setting"]]),
                "losses": [dict(m.losses) for m in measured[row["setting"]].values()],
                "commands": list(commands[row["setting"]]),
            }
            for row in as_json(rows)
        ],
        "differences": [asdict(difference) for difference in differences],
    }
    write_json(out / "compare.json", values)
    write_bytes(out / "compare.csv", as_csv(rows).encode(errors="backslashreplace"))
    write_bytes(out / "compare.md", text.encode(errors="backslashreplace"))
    return {**values, "markdown": text}


def _differences(measured: Mapping[str, Mapping[int, Measurement]]) -> list[Compared]:
    """Every setting against the first, over the seeds that both have."""
    reference, *others = measured

    def between(name: str, subject: str) -> Difference:
        seeds = [seed for seed in measured[name] if seed in measured[reference]]
        return paired_bootstrap(pooled(reference, seeds, subject), pooled(name, seeds, subject))

    def pooled(setting: str, seeds: Sequence[int], subject: str) -> Tensor:
        """Each image's overlaps over the seeds; their sum has the mIoU of their mean."""
        counts = torch.stack(
            [measured[setting][seed].counts[subject].long() for seed in seeds]
        ).sum(0)
        return overlap(counts[..., :-1], counts[..., -1])

    everything = [m for by_seed in measured.values() for m in by_seed.values()]
    if any(m.image_ids != everything[0].image_ids for m in everything):
        raise WsssError("the settings were scored on different images; set attend.split for all")
    return [
        Compared(name, reference, between(name, ATTENTION), between(name, PROXY)) for name in others
    ]
