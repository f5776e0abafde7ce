"""``wsss train``: learn from image-level labels where objects are."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from wsss_cli.artifacts.feature_cache import FeatureCache
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import WsssError
from wsss_cli.stages.optimisation.tracker import track_complete
from wsss_cli.stages.result import Report, make
from wsss_cli.stages.train.features import cache_of, may_share_features
from wsss_cli.stages.train.plan import TrainPlan, plan_training, prepare, require_fit
from wsss_cli.stages.train.snapshots import snapshot_path
from wsss_cli.stages.train.training import train
from wsss_cli.tracking import Silent, Track

__all__ = ["TrainPlan", "plan_training", "prepare", "require_fit", "run", "snapshot_path"]


def run(
    config: TrainConfig, *, track: Track, later_trainings: Sequence[TrainConfig] = ()
) -> Report:
    """Train, resuming an unfinished training of the same settings.

    Args:
        config: What to train.
        track: Shown the progress.
        later_trainings: The first one of these that learns from the same features of
            ``heads_only`` gets them.

    Raises:
        WsssError: The inputs are wrong, the loss diverges or the disk is full.
    """
    plan = prepare(config, track)
    caches = _requested_caches(config, later_trainings)
    report = make(plan.directory, train, plan, track, caches, overwrite=config.overwrite)
    if report.up_to_date:
        track_complete(plan.directory, config.tracker, track)
    return report


def _requested_caches(
    config: TrainConfig, later_trainings: Iterable[TrainConfig]
) -> Iterator[FeatureCache]:
    """The features of later trainings, looked at one after the other once they are asked for.

    What one of them lacks is its own matter. Room for features beside these it does not need.
    """
    for later in later_trainings:
        if may_share_features(config, later):
            with suppress(WsssError, OSError):
                yield cache_of(plan_training(later, Silent()))
