"""The dense CRF on real photographs gives the labels of pydensecrf."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from peer_crf import pydensecrf_marginals
from PIL import Image
from torch.nn import functional

from wsss_cli.configs.crf import PRESETS
from wsss_cli.ops.dense_crf import dense_crf

REAL = Path(os.environ.get("WSSS_REAL_DATA", "/nonexistent")) / "voc-mini" / "VOC2012"
LEAST_AGREEMENT = 0.999

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.is_dir(), reason="WSSS_REAL_DATA is not set"),
]


@pytest.mark.parametrize("labels", [2, 3, 21])
@pytest.mark.parametrize("preset", PRESETS)
def test_labels_of_photographs_equal_those_of_pydensecrf(preset: str, labels: int) -> None:
    files = sorted((REAL / "JPEGImages").glob("*.jpg"))
    for number, file in enumerate(files[:: len(files) // 2][:2]):
        image = torch.from_numpy(np.array(Image.open(file).convert("RGB")))
        generator = torch.Generator().manual_seed(number)
        scores = 3 * torch.randn(1, labels, 14, 14, generator=generator)
        smooth = functional.interpolate(scores, image.shape[:2], mode="bicubic")
        probabilities = smooth.softmax(dim=1)[0]
        expected = pydensecrf_marginals(probabilities, image, PRESETS[preset])
        marginals = dense_crf(probabilities, image, PRESETS[preset])
        same = (marginals.argmax(dim=0) == expected.argmax(dim=0)).double().mean()
        assert float(same) >= LEAST_AGREEMENT, file.name
