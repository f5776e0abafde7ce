"""A random view of an image together with its label map."""

import numpy as np

from wsss_cli.data.augmentation import JointView
from wsss_cli.data.images import Pixels


def joint_view(
    image: Pixels,
    label_map: Pixels,
    crop: int,
    scales: tuple[float, float],
    fill: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Pixels, Pixels]:
    """(crop, crop, 3) and (crop, crop) of the same place."""
    view = JointView.draw(label_map.shape, crop, scales, rng)
    labels = view.of_map(label_map)
    assert np.array_equal(view.inside(), view.of_map(np.zeros_like(label_map)) == 0)
    return view.of_image(image, fill), labels
