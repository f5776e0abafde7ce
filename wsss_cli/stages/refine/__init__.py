"""``wsss refine``: let attention follow the outlines of objects."""

import time
from typing import Any

from wsss_cli import ranks
from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.configs.refine import RefineConfig
from wsss_cli.device import one_thread_each
from wsss_cli.stages.attention_maps import write_maps
from wsss_cli.stages.empty_maps import warnings
from wsss_cli.stages.optimisation import last_losses
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
    directory.begin(overwrite=config.overwrite)  # only now: the weights have been found to fit
    if fresh is not None and not ranks.agreed(own.exists):
        train(plan, fresh, track)
    learning_seconds = time.monotonic() - started
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
    return {
        **made,
        "losses": last_losses(directory.path),
        "training_seconds": round(learning_seconds, 2),
        "warnings": warnings(made),
    }
