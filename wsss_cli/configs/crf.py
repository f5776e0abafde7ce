"""Settings of the dense CRF, and those that published systems used."""

from dataclasses import dataclass
from math import isfinite

from wsss_cli.errors import UsageError


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
        if self.iterations < 1:
            raise UsageError("iterations of the dense CRF must be 1 or more")
        for name in ("gaussian_weight", "bilateral_weight"):
            weight = getattr(self, name)
            if not (isfinite(weight) and weight >= 0):
                raise UsageError(f"{name} of the dense CRF must be 0 or more")
        for name in ("gaussian_xy", "bilateral_xy", "bilateral_rgb"):
            deviation = getattr(self, name)
            if not (isfinite(deviation) and deviation > 0):
                raise UsageError(f"{name} of the dense CRF must be above 0")


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
