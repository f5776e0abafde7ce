"""Settings of the dense CRF, those that published systems used, and those of ``wsss crf``."""

from dataclasses import dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from wsss_cli.configs.common import CommonConfig, DeviceConfig, OverwriteConfig
from wsss_cli.configs.setting import Role, check, in_place_of_preset, setting


@dataclass(frozen=True)
class CrfSettings:
    """Two Gaussian kernels and how often messages are passed.

    Attributes:
        iterations: Mean-field updates.
        gaussian_weight: Weight of the smoothness kernel.
        gaussian_xy: Its standard deviation in pixels.
        bilateral_weight: Weight of the appearance kernel.
        bilateral_xy: Its standard deviation in pixels.
        bilateral_rgb: Its standard deviation in grey levels, of 255.
    """

    iterations: int
    gaussian_weight: float
    gaussian_xy: float
    bilateral_weight: float
    bilateral_xy: float
    bilateral_rgb: float

    def __post_init__(self) -> None:
        check(self.iterations >= 1, "iterations", "must be 1 or more")
        for name in ("gaussian_weight", "bilateral_weight"):
            weight = getattr(self, name)
            check(isfinite(weight) and weight >= 0, name, "must be finite and 0 or more")
        for name in ("gaussian_xy", "bilateral_xy", "bilateral_rgb"):
            deviation = getattr(self, name)
            check(isfinite(deviation) and deviation > 0, name, "must be finite and above 0")


# Read in public implementations of these systems, not in the papers.
PRESETS = {
    # DeepLab-LargeFOV with the released Caffe model (Chen et al., ICLR 2015).
    "largefov": CrfSettings(10, 3, 3, 4, 121, 5),
    # DeepLab v2 (Chen et al., TPAMI 2018), also of its PyTorch ports.
    "deeplab-v2": CrfSettings(10, 3, 1, 4, 67, 3),
    # AffinityNet (Ahn and Kwak, CVPR 2018).
    "psa": CrfSettings(10, 3, 3, 10, 80, 13),
    # IRNet (Ahn, Cho and Kwak, CVPR 2019).
    "irn": CrfSettings(10, 3, 3, 10, 50, 5),
    # Online attention accumulation (Jiang et al., ICCV 2019).
    "oaa": CrfSettings(1, 1, 3, 3, 67, 4),
    # Discovering class-specific pixels (Chaudhry, Dokania and Torr, BMVC 2017).
    "dcsp": CrfSettings(10, 3, 3, 4, 49, 5),
}


_PRESETS = "the preset's"


@dataclass(frozen=True)
class CrfConfig(OverwriteConfig, CommonConfig, DeviceConfig):
    """Refine soft maps by the dense CRF: labels follow the edges of the photographs.

    Examples:
      wsss crf
      wsss crf --preset deeplab-v2 --bilateral-xy 49 --overwrite
      wsss crf --uncertainty
      wsss crf --scores their_probabilities --data VOC2012 --run runs/theirs
      wsss crf --scores their_logits --logits --data VOC2012 --run runs/theirs
      wsss evaluate --what crf

    Writes RUN/crf/labels/ID.png, a label map for each image that has soft maps. Of each pixel a
    folder's probabilities are in [0, 1] and sum to 1; anything else is refused unless --logits says
    what it is. Background comes first, then the classes in the order of the data set. Maps smaller
    than the photograph are enlarged linearly; pickled files are never opened. With --uncertainty
    also RUN/crf/weights/ID.png, for wsss segment --pixel-weights: grey, 255 for a weight of 1.
    """

    scores: Path | None = setting(
        None,
        "Soft maps: scores.h5, or a folder of ID.npy or ID.npz with (L, h, w) arrays.",
        role=Role.INPUT,
        unset="RUN/segment/scores.h5",
    )
    logits: bool = setting(False, "The folder holds logits, not probabilities.")
    preset: str = setting("largefov", "Settings of a published system.", choices=tuple(PRESETS))
    iterations: int | None = setting(None, "Mean-field updates.", at_least=1, unset=_PRESETS)
    gaussian_weight: float | None = setting(
        None, "Weight of the smoothness kernel.", at_least=0, unset=_PRESETS
    )
    gaussian_xy: float | None = setting(
        None, "Standard deviation of the smoothness kernel, in pixels.", above=0, unset=_PRESETS
    )
    bilateral_weight: float | None = setting(
        None, "Weight of the appearance kernel.", at_least=0, unset=_PRESETS
    )
    bilateral_xy: float | None = setting(
        None, "Standard deviation of the appearance kernel, in pixels.", above=0, unset=_PRESETS
    )
    bilateral_rgb: float | None = setting(
        None,
        "Standard deviation of the appearance kernel, in grey levels of 255.",
        above=0,
        unset=_PRESETS,
    )

    uncertainty: bool = setting(
        False,
        "Also write weights of pixels: low where a label depends on the scale of the scores (URN). "
        "Takes six more passes for each label in an image.",
        role=Role.EXTRA,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            not self.logits or self.scores is not None,
            "logits",
            "tells what a folder holds; give it with --scores DIR, or leave --logits out",
        )

    @property
    def chosen(self) -> CrfSettings:
        """The preset with the numbers given in place of its own."""
        return replace(PRESETS[self.preset], **self._numbers())

    def _numbers(self) -> dict[str, Any]:
        """The numbers given."""
        numbers = {field.name: getattr(self, field.name) for field in fields(CrfSettings)}
        return {name: value for name, value in numbers.items() if value is not None}

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """The preset, where all of its numbers are given."""
        without = super().without_effect()
        numbers = self._numbers()
        if len(numbers) == len(fields(CrfSettings)):
            without["preset"] = in_place_of_preset(numbers)
        return without
