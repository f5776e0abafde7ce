"""The default scales of a segmentation network's prediction. Importing this imports no torch."""

from math import sqrt

DEEPLAB_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5)
"""The five of DeepLab's multi-scale test."""


def default_scales(scale_low: float, scale_high: float) -> tuple[float, ...]:
    """The scales of DeepLab's test that lie in the range that a network was trained with.

    Args:
        scale_low: Smallest random scale of the training, above 0.
        scale_high: Largest random scale of the training, at least ``scale_low``.

    Returns:
        Factors of a photograph's sides, ascending. Where none of the five lies in the range, its
        geometric mean alone.
    """
    within = tuple(scale for scale in DEEPLAB_SCALES if scale_low <= scale <= scale_high)
    return within or (sqrt(scale_low * scale_high),)
