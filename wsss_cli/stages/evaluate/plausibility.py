"""Whether scores say anything: of masks without classes, or in another order, they do not."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.stage_directory import MANIFEST
from wsss_cli.data.mask_survey import MaskSurvey
from wsss_cli.errors import WsssError, listing
from wsss_cli.stages.evaluate.plan import EvaluatePlan
from wsss_cli.stages.mask_check import white_in_data_set, white_in_folder
from wsss_cli.tracking import Track

Bools = npt.NDArray[np.bool_]


def require_truth(plan: EvaluatePlan, classes_shown: Bools, track: Track) -> None:
    """Refuse true masks by which nothing can be scored.

    Args:
        plan: Plan of the evaluation.
        classes_shown: (N, C + 1) bool, the labels 0..C that each true mask shows.
        track: Told of classes that no mask shows.

    Raises:
        WsssError: They show no class, or other classes than the image labels.
    """
    folder = plan.truth[0].parent
    survey = _survey(plan, classes_shown, white=None)
    if survey.without_class() is not None:
        named = plan.image_labels
        though = " though the labels name some" if named is not None and named.rows.any() else ""
        raise WsssError(
            f"{folder}: no true mask of the {len(plan.image_ids)} images shows a class{though}, "
            f"only 0 (background) and perhaps 255 (ignored), so nothing would be scored; "
            f"{_way_out(plan, folder)}"
        )
    problem = survey.contradiction()
    if problem is not None:
        raise WsssError(f"{folder}: {problem}")
    doubt = survey.doubt()
    if doubt is not None:
        track.note(f"{folder}: {doubt}")
    never = survey.never_shown()
    if never:
        track.note(f"no true mask shows {listing(never)}, though the labels name it there")


def require_predictions(
    plan: EvaluatePlan, source: Path, truth: Bools, classes_shown: Bools, white: bool, track: Track
) -> None:
    """Refuse label maps of other tools that hold 255 and no class; say so of background alone.

    A network that has collapsed predicts background alone, which is scored as what it is.

    Args:
        plan: Plan of the evaluation.
        source: Where the label maps lie.
        truth: (N, C + 1) bool, the labels 0..C that each true mask shows.
        classes_shown: (N, C + 1) bool, the labels 0..C that each of them shows.
        white: Whether any of them shows 255.
        track: Told what is odd and scored all the same.

    Raises:
        WsssError: They hold 255 and no class, or neither they nor the truth show any.
    """
    survey = _survey(plan, classes_shown, white=white)
    if not survey.classes.any():
        made_by_stage = (source.parent / MANIFEST).is_file()
        labels = (
            f"{source}: the label maps of all {len(plan.image_ids)} images hold {survey.held()}"
        )
        if white and not made_by_stage:
            raise WsssError(f"{labels}; {white_in_folder(source)}")
        if not truth[:, 1:].any():
            raise WsssError(
                f"{labels}, and the true masks show no class either, so there is nothing to score; "
                "score images that show classes"
            )
        track.note(f"{labels}: not one shows a class")
        return
    problem = survey.contradiction()
    if problem is not None:
        track.note(f"{source}: {problem}")


def _survey(plan: EvaluatePlan, classes_shown: Bools, *, white: bool | None) -> MaskSurvey:
    ignored = np.full((len(classes_shown), 1), white is not False)
    rows = np.concatenate([classes_shown, ignored], axis=1)
    return MaskSurvey(plan.class_names, plan.image_ids, rows, plan.image_labels)


def _way_out(plan: EvaluatePlan, folder: Path) -> str:
    data_set = plan.data_set
    if data_set is not None and data_set.masks == folder:
        return white_in_data_set(data_set)
    return white_in_folder(folder)
