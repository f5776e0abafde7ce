"""Difficulties of each image, beside its scores."""

from typing import Any

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.map_sizes import require_size
from wsss_cli.metrics.difficulty import Difficulty, difficulty
from wsss_cli.stages.evaluate.each_image import number
from wsss_cli.stages.evaluate.plan import EvaluatePlan
from wsss_cli.tracking import Track


def image_difficulties(plan: EvaluatePlan, track: Track) -> dict[str, dict[str, Any]]:
    """Look at every photograph and its truth.

    Returns:
        By image id its ``regions``, those of the class that has the most, and ``colours_shared`` of
        objects and background in 0..1, null where there is nothing of one of them.

    Raises:
        WsssError: A file cannot be read, or a photograph does not have the size of its truth.
    """

    def look(index: int) -> Difficulty:
        truth, photograph = plan.truth[index], plan.photographs[index]
        assert plan.data_set is not None  # or there were no photographs
        target, image = read_label_map(truth), plan.data_set.read_image(plan.image_ids[index])
        require_size(str(truth), target.shape, image.shape[:2], beside=f"its image {photograph}")
        return difficulty(image, target)

    looked = plan.each(look, track, "looking for what is difficult")
    return {
        image_id: {
            "regions": difficulty.regions,
            "colours_shared": number(difficulty.colours_shared),
        }
        for image_id, difficulty in zip(plan.image_ids, looked, strict=True)
    }
