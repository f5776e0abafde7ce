"""``wsss predict``: a trained network on new photographs, without a data set or a run."""

from typing import TYPE_CHECKING

from wsss_cli.configs.predict import PredictConfig
from wsss_cli.data.photo_arguments import find_photographs
from wsss_cli.stages.predict.places import find_checkpoint, require_own_folder
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track

if TYPE_CHECKING:
    from wsss_cli.stages.predict.plan import PredictPlan

__all__ = ["prepare", "run"]

# Modules that need torch are imported late, so that wrong usage is reported at once.


def prepare(config: PredictConfig, track: Track) -> "PredictPlan":
    """Check photographs, network, device and the folder of results before any work.

    Raises:
        UsageError: An argument leads nowhere, or options do not belong together.
        WsssError: Nothing of what is given can be read.
    """
    checkpoint, which = find_checkpoint(config.checkpoint)
    require_own_folder(config.out)
    photographs = find_photographs(config.photos, config.out)
    for remark in [*([which] if which else []), *photographs.remarks]:
        track.note(remark)
    if photographs.unreadable:
        track.note(f"left out, since they are no pictures: {photographs.unreadable_listing}")
    turned = sum(picture.orientation != 1 for picture in photographs.pictures)
    if turned:
        track.note(
            f"turned by their EXIF orientation, to be looked at upright: {turned} of "
            f"{len(photographs.pictures)} pictures; their maps lie on the pixels as stored and "
            "have the same orientation"
        )
    from wsss_cli.stages.predict import plan

    return plan.prepare(config, checkpoint, photographs, track)


def run(config: PredictConfig, *, track: Track) -> Report:
    """Predict what has no result yet.

    Raises:
        UsageError: An argument leads nowhere, or other results lie in the folder.
        WsssError: The network cannot be read, or the disk is full.
    """
    plan = prepare(config, track)
    from wsss_cli.stages.predict.execution import predict

    return predict(plan, track)
