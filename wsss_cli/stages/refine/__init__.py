"""``wsss refine``: let attention follow the outlines of objects."""

import time
from typing import Any

from wsss_cli import ranks
from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.configs.refine import RefineConfig
from wsss_cli.data.region_files import has_region
from wsss_cli.device import one_thread_each
from wsss_cli.errors import listing
from wsss_cli.ops.regions import CUTS
from wsss_cli.stages.attention_maps import write_maps
from wsss_cli.stages.empty_maps import warnings
from wsss_cli.stages.image_loop import each_image
from wsss_cli.stages.optimisation.trainer import last_losses
from wsss_cli.stages.refine.edge_file import read_edges
from wsss_cli.stages.refine.maps import by_edges, by_regions, refined
from wsss_cli.stages.refine.plan import RefinePlan, prepare
from wsss_cli.stages.refine.training import train, untrained
from wsss_cli.stages.result import Report, make
from wsss_cli.tracking import Track

__all__ = ["RefinePlan", "prepare", "run"]


def run(config: RefineConfig, *, track: Track) -> Report:
    """Learn edges if that is asked for, then write refined attention; both go on where stopped.

    Raises:
        WsssError: The inputs are wrong, the loss diverges or the disk is full.
    """
    plan = prepare(config, track)
    return make(plan.directory, _refine, plan, track, overwrite=config.overwrite)


def _refine(plan: RefinePlan, track: Track) -> dict[str, Any]:
    """Make what is not there; returns the counts."""
    config, directory = plan.config, plan.directory
    started = time.monotonic()
    own = directory.path / CHECKPOINT_FILE
    fresh = untrained(plan) if config.edges else None
    recorded = directory.recorded_counts()
    directory.begin(overwrite=config.overwrite)  # only now: the weights have been found to fit
    if fresh is not None and not ranks.agreed(own.exists):
        recorded = {}
        train(plan, fresh, track)
    learning_seconds = recorded.get("training_seconds", time.monotonic() - started)
    if config.regions is not None:
        refine = by_regions(plan)
    else:
        refine = by_edges(plan, plan.network or read_edges(own))
    with AttentionFile(plan.attention, plan.data_set.class_names) as file, one_thread_each():
        made = write_maps(
            directory.path,
            plan.image_ids,
            plan.data_set.class_names,
            plan.labels,
            lambda image_ids: refined(plan, file, refine, image_ids),
            track,
            "refining",
        )
    sentences = warnings(made)
    if config.regions is not None:
        sentences += _without_regions(plan, track)
    return {
        **made,
        "losses": recorded.get("losses") or last_losses(directory.path),
        "training_seconds": round(learning_seconds, 2),
        "warnings": sentences,
    }


def _without_regions(plan: RefinePlan, track: Track) -> list[str]:
    """Say how many images have no region, if any; their maps are left as they are."""
    sizes = dict(zip(plan.image_ids, plan.sizes, strict=True))
    found = each_image(
        plan.image_ids,
        lambda image_id: has_region(plan.regions[image_id], sizes[image_id]),
        track,
        "looking for images without regions",
        plan.config.workers,
    )
    without = [image_id for image_id, has in zip(plan.image_ids, found, strict=True) if not has]
    if not without:
        return []
    return [
        f"{len(without):,} of {len(plan.image_ids):,} images have no region, so their maps are as "
        f"they were, in steps of 1 / {CUTS}: {listing(without)}"
    ]
