"""The dense CRF as the Python wrapper of its authors' implementation computes it."""

import numpy as np
import pytest
import torch

from wsss_cli.configs.crf import CrfSettings
from wsss_cli.ops.dense_crf import LEAST_PROBABILITY


def pydensecrf_marginals(
    probabilities: torch.Tensor, image: torch.Tensor, settings: CrfSettings
) -> torch.Tensor:
    """(L, H, W) marginals; skips the test where pydensecrf is not installed."""
    reference = pytest.importorskip(
        "pydensecrf.densecrf", reason="pydensecrf2 is not installed", exc_type=ImportError
    )
    labels, height, width = probabilities.shape
    crf = reference.DenseCRF2D(width, height, labels)
    energy = -np.log(probabilities.numpy().clip(LEAST_PROBABILITY, 1)).reshape(labels, -1)
    crf.setUnaryEnergy(np.ascontiguousarray(energy))
    crf.addPairwiseGaussian(sxy=(settings.gaussian_xy,) * 2, compat=settings.gaussian_weight)
    crf.addPairwiseBilateral(
        sxy=(settings.bilateral_xy,) * 2,
        srgb=(settings.bilateral_rgb,) * 3,
        rgbim=np.ascontiguousarray(image.numpy()),
        compat=settings.bilateral_weight,
    )
    return torch.from_numpy(np.array(crf.inference(settings.iterations))).view_as(probabilities)
