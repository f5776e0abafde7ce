"""Time the dense CRF against pydensecrf2 on photographs of a folder, in one thread each.

    python benchmarks/dense_crf.py VOC2012 --images 10

pydensecrf must be importable: ``pip install pydensecrf2`` (which needs a compiler). Probabilities
are drawn: smooth random scores, 14 x 14 resized bicubically, through a softmax. Labels given as
``3/21`` mean 21 labels of which the image can have 3: pydensecrf gets 21 channels all the same, as
the systems that use it hand them over. Both times run from probabilities and image to marginals,
whose best labels must be the same at 99.9 % of the pixels. The smoothness kernel, which is kept
between images of one size, is built in the round that is not counted; ``--cold`` builds it anew
every time.
"""

import argparse
import time
from collections.abc import Sequence
from math import nan
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from ratios import Ratio, in_turn, ratio_of, show
from torch import Tensor
from torch.nn import functional

from wsss_cli.configs.crf import PRESETS, CrfSettings
from wsss_cli.ops.dense_crf import LEAST_PROBABILITY, dense_crf, smoothness_kernel

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]

# What is asked for: as fast with 21 labels, twice as fast where an image can have some only.
GOALS = {"21": 1.0, "3/21": 2.0}
LEAST_AGREEMENT = 0.999


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="JPEG files lie in it, at any depth")
    parser.add_argument("--images", type=int, default=5, help="so many, evenly from the folder")
    parser.add_argument("--presets", nargs="+", default=["largefov"], choices=list(PRESETS))
    parser.add_argument("--labels", nargs="+", default=list(GOALS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="keep nothing between images")
    show(measure(**vars(parser.parse_args())))


def measure(
    folder: Path,
    *,
    images: int = 5,
    presets: Sequence[str] = ("largefov",),
    labels: Sequence[str] = tuple(GOALS),
    rounds: int = 3,
    cold: bool = False,
) -> list[Ratio]:
    """A row for each preset and number of labels.

    Raises:
        SystemExit: The folder has no photographs.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    files = sorted(folder.rglob("*.jpg"))
    if not files:
        raise SystemExit(f"no JPEG files in {folder}")
    chosen = files[:: max(1, len(files) // images)][:images]
    pictures = [np.array(Image.open(file).convert("RGB")) for file in chosen]
    return [
        _row(preset, which, pictures, rounds, cold=cold) for preset in presets for which in labels
    ]


def _row(preset: str, labels: str, images: list[ByteArray], rounds: int, *, cold: bool) -> Ratio:
    possible, total = int(labels.split("/")[0]), int(labels.split("/")[-1])
    inputs = [
        (_draw(number, possible, total, image.shape[:2]), image)
        for number, image in enumerate(images)
    ]
    marginals: dict[str, list[FloatArray]] = {}

    def ours() -> None:
        found = marginals["ours"] = []
        for probabilities, image in inputs:
            if cold:
                smoothness_kernel.cache_clear()
            found.append(dense_crf(probabilities, torch.from_numpy(image), PRESETS[preset]).numpy())

    def theirs() -> None:
        found = marginals["theirs"] = []
        for probabilities, image in inputs:
            found.append(reference(probabilities.numpy(), image, PRESETS[preset]))

    of = f"{possible} possible of {total}" if possible < total else f"{total}"
    what, goal = f"CRF {preset}, {of} labels", GOALS.get(labels)
    try:
        seconds = in_turn({"theirs": theirs, "ours": ours}, rounds, time.process_time)
    except ImportError:
        return Ratio(what, "pydensecrf2", nan, goal, True, "pydensecrf2 is not installed")
    pairs = zip(marginals["ours"], marginals["theirs"], strict=True)
    same = float(np.mean([(own.argmax(0) == their.argmax(0)).mean() for own, their in pairs]))
    if same < LEAST_AGREEMENT:
        reason = f"only {same:.2%} of the pixels get the same label"
        return Ratio(what, "pydensecrf2", nan, goal, True, reason)
    return Ratio(what, "pydensecrf2", ratio_of(seconds["theirs"], seconds["ours"]), goal, True)


def _draw(seed: int, possible: int, total: int, size: tuple[int, int]) -> Tensor:
    """(total, H, W) float32 probabilities of which the first `possible` are not 0."""
    scores = 3 * torch.randn(1, possible, 14, 14, generator=torch.Generator().manual_seed(seed))
    smooth = functional.interpolate(scores, size, mode="bicubic").softmax(dim=1)[0]
    return torch.cat([smooth, smooth.new_zeros(total - possible, *size)])


def reference(probabilities: FloatArray, image: ByteArray, settings: CrfSettings) -> FloatArray:
    """(L, H, W) marginals of pydensecrf for the same arguments."""
    from pydensecrf.densecrf import DenseCRF2D

    labels, height, width = probabilities.shape
    crf = DenseCRF2D(width, height, labels)
    energy = -np.log(probabilities.clip(LEAST_PROBABILITY, 1)).reshape(labels, -1)
    crf.setUnaryEnergy(np.ascontiguousarray(energy))
    crf.addPairwiseGaussian(sxy=(settings.gaussian_xy,) * 2, compat=settings.gaussian_weight)
    crf.addPairwiseBilateral(
        sxy=(settings.bilateral_xy,) * 2,
        srgb=(settings.bilateral_rgb,) * 3,
        rgbim=np.ascontiguousarray(image),
        compat=settings.bilateral_weight,
    )
    return np.array(crf.inference(settings.iterations)).reshape(probabilities.shape)


if __name__ == "__main__":
    main()
