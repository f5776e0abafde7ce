"""The sizes at which networks look at photographs. Importing this imports no torch."""

from math import sqrt

from wsss_cli.configs.setting import check

CANDIDATE_SCALES = (0.5, 0.75, 1.0)
"""What the default scales are chosen from."""
DEEPLAB_SCALES = (*CANDIDATE_SCALES, 1.25, 1.5)
"""The five of DeepLab's multi-scale test, once the default for every network."""
MOST_ASPECT = 8
"""Longer side of a view that keeps a photograph's aspect, as a multiple of its shorter side.

Longer photographs are squeezed to it: 1 x 1000 pixels would make a view of a thousand squares.
"""


def default_scales(scale_low: float, scale_high: float) -> tuple[float, ...]:
    """The scales of 0.5, 0.75 and 1 that lie in the range that a network was trained with.

    None enlarges the photograph, even where the training did: it saw crops of enlarged photographs,
    and at their full size they cost the most and lower the mIoU (docs/results-diary.md).

    Args:
        scale_low: Smallest random scale of the training, above 0.
        scale_high: Largest random scale of the training, at least ``scale_low``.

    Returns:
        Factors of a photograph's sides, ascending. Where none of the three lies in the range, its
        geometric mean alone.
    """
    within = tuple(scale for scale in CANDIDATE_SCALES if scale_low <= scale <= scale_high)
    return within or (sqrt(scale_low * scale_high),)


def check_scales(scales: tuple[float, ...]) -> None:
    """Refuse an empty list of scales, and one that has a scale twice."""
    check(len(scales) > 0, "scales", "must be given once or more")
    check(len(set(scales)) == len(scales), "scales", "must be different numbers")
