"""About what a comparison takes: the trainings and attention maps that are still to be made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from wsss_cli.configs.compare import ComparedRun
from wsss_cli.configs.methods import METHODS
from wsss_cli.data.images import check_images
from wsss_cli.inspect.estimates.by_stage import estimate_heads, estimate_stage
from wsss_cli.inspect.estimates.costs import Estimate, added, nothing_to_do
from wsss_cli.methods.network_file import build_network
from wsss_cli.models.pretrained import InitialWeights
from wsss_cli.stages import train
from wsss_cli.stages.attend.plan import AttendPlan
from wsss_cli.stages.train import TrainPlan
from wsss_cli.stages.train.features import cache_of
from wsss_cli.tracking import Silent


def estimate_comparison(
    runs: Sequence[ComparedRun], standings: Sequence[Mapping[str, Any]]
) -> Estimate:
    """Estimate what is left; proxies and scores, which take seconds, are left out.

    Each setting is timed once, whatever its seeds. Heads alone that learn from the same features
    pass the trunk once, whatever their settings.

    Args:
        runs: All of them.
        standings: How the stages of each stand.
    """
    timed: dict[tuple[str, str, bool], Estimate] = {}
    features: set[bytes] = set()  # each file's header says of what they are
    starts: set[int] = set()
    parts = [nothing_to_do()]
    for run, standing in zip(runs, standings, strict=True):
        start_is_made = standing.get("start", "complete") == "complete"
        if run.start is not None and not start_is_made and run.seed not in starts:
            starts.add(run.seed)
            if ("start", "", False) not in timed:
                plan = train.plan_training(run.start, Silent())
                timed["start", "", False] = estimate_stage("train", plan, "new")
            parts.append(timed["start", "", False])
        for stage in ("train", "attend"):
            if standing[stage] == "complete":
                continue
            passed = stage == "train" and _is_passed(run, features)
            key = stage, run.setting, passed
            if key not in timed:
                plan = _training_plan(run, start_is_made=start_is_made)
                if stage == "attend":
                    timed[key] = _attending(plan, run)
                else:
                    timed[key] = (
                        estimate_heads(plan) if passed else estimate_stage("train", plan, "new")
                    )
            parts.append(timed[key])
    return added(*parts)


def _is_passed(run: ComparedRun, features: set[bytes]) -> bool:
    """Whether an earlier run leaves its features to this one, whose own are added to them."""
    if run.start is not None or not run.train.heads_only:
        return False
    header = cache_of(train.plan_training(run.train, Silent())).header
    passed = header in features
    features.add(header)
    return passed


def _training_plan(run: ComparedRun, *, start_is_made: bool) -> TrainPlan:
    """The plan of a run's training, also of one that goes on from a network still to be made."""
    if start_is_made:
        return train.plan_training(run.train, Silent())
    # Heads alone are refused on a trunk without weights, which the start will have.
    plan = train.plan_training(replace(run.train, start=None, heads_only=False), Silent())
    return replace(plan, config=run.train)


def _attending(plan: TrainPlan, run: ComparedRun) -> Estimate:
    data_set, config = plan.data_set, run.attend
    split = config.split or run.train.split or data_set.training_split()
    image_ids = data_set.image_ids(split)
    network = build_network(run.train, len(data_set.class_names), InitialWeights())
    looking = AttendPlan(
        config=config,
        data_set=data_set,
        split=split,
        image_ids=image_ids,
        labels=data_set.labels(image_ids),
        sizes=check_images(map(data_set.image_path, image_ids)),
        network=network,
        erase=None,
        erase_threshold=run.train.erase_threshold,
        merge=config.merge or METHODS[run.train.method].merge,
        device=plan.device,
        precision=plan.precision,
        directory=replace(plan.directory, path=config.run / "attend"),
    )
    return estimate_stage("attend", looking, "new")
