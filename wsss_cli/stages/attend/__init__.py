"""``wsss attend``: say, for each image and each of its classes, where the class is."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch

from wsss_cli.configs.attend import AttendConfig
from wsss_cli.data.label_summary import count_negatives
from wsss_cli.stages.attend.heatmaps import draw_heatmaps
from wsss_cli.stages.attend.maps import attended
from wsss_cli.stages.attend.plan import AttendPlan, prepare
from wsss_cli.stages.attention_maps import write_maps
from wsss_cli.stages.empty_maps import warnings
from wsss_cli.stages.erasing import mined_regions
from wsss_cli.stages.result import Report, make
from wsss_cli.tracking import Track

__all__ = ["AttendPlan", "prepare", "run"]


def run(config: AttendConfig, *, track: Track) -> Report:
    """Write the attention maps, shard by shard, leaving out shards that are there.

    Raises:
        WsssError: The inputs are wrong or the disk is full.
    """
    plan = prepare(config, track)
    report = make(plan.directory, _write_maps, plan, track, overwrite=config.overwrite)
    if not config.heatmaps:
        return report
    with plan.directory.claimed():
        plan.directory.reopen()
        drawn, empty = draw_heatmaps(plan, track)
    return replace(
        report,
        up_to_date=report.up_to_date and not drawn,
        values={**report.values, "heatmaps": drawn, "empty_heatmaps": empty},
    )


def _write_maps(plan: AttendPlan, track: Track) -> dict[str, Any]:
    """Write the maps that are missing; returns the counts."""
    directory = plan.directory
    directory.begin(overwrite=plan.config.overwrite)
    track.note(f"{len(plan.image_ids)} images of {plan.split}, {plan.device} in {plan.precision}")
    plan.network.eval().to(plan.device).to(memory_format=torch.channels_last)
    with mined_regions(plan.erase, plan.data_set.class_names, plan.erase_threshold) as mined:
        made = write_maps(
            directory.path,
            plan.image_ids,
            plan.data_set.class_names,
            plan.config.labels,
            partial(attended, plan, mined),
            track,
            "attending",
        )
    negatives = 0 if plan.labels is None else count_negatives(plan.labels)
    return {**made, "negatives": negatives, "warnings": warnings(made)}
