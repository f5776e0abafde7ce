"""Time the dense CRF against pydensecrf, in alternation, on the images of a folder.

    python benchmarks/dense_crf.py VOC2012/JPEGImages --images 10

pydensecrf must be importable: ``pip install pydensecrf2`` (which needs a compiler). Probabilities
are drawn: smooth random scores, 14 x 14 resized bicubically, through a softmax. Labels given as
``3/21`` mean 21 labels of which the image can have 3: pydensecrf gets 21 channels all the same, as
the systems that use it hand them over. Both times run from probabilities and image to marginals.
The smoothness kernel, which is kept between images of one size, is in the first of the repeats only
and so not in a median of three; ``--cold`` builds it anew every time.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from wsss_cli.configs.crf import PRESETS, CrfSettings
from wsss_cli.ops.dense_crf import LEAST_PROBABILITY, dense_crf, smoothness_kernel

T = TypeVar("T")
FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]


def main() -> None:
    """Read the arguments, time and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="folder of JPEG files")
    parser.add_argument("--images", type=int, default=5, help="so many, evenly from the folder")
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--labels", nargs="+", default=["2", "3", "5", "21", "3/21"])
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many counts")
    parser.add_argument("--threads", type=int, default=1, help="of torch; pydensecrf has one")
    parser.add_argument("--cold", action="store_true", help="keep nothing between images")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    files = sorted(args.folder.glob("*.jpg"))
    if not files:
        parser.error(f"no JPEG files in {args.folder}")
    files = files[:: max(1, len(files) // args.images)][: args.images]
    images = [np.array(Image.open(file).convert("RGB")) for file in files]
    print(
        f"{_processor()}, {args.threads} thread(s), Python {platform.python_version()}, "
        f"torch {torch.__version__}; {len(images)} images, medians in seconds per image.\n\n"
        "| preset | labels | pydensecrf | wsss | times as fast (median, least, most) "
        "| same labels (mean, least) | largest difference |\n|---|---|---|---|---|---|---|"
    )
    for name in args.presets:
        for labels in args.labels:
            print(_row(name, labels, images, args.repeats, cold=args.cold), flush=True)


def _processor() -> str:
    """The processor's name as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((ln.split(":")[1].strip() for ln in lines if ln.startswith("model name")), "CPU")


def _row(name: str, labels: str, images: list[ByteArray], repeats: int, *, cold: bool) -> str:
    settings = PRESETS[name]
    possible, total = int(labels.split("/")[0]), int(labels.split("/")[-1])
    theirs, ours, same, difference = [], [], [], 0.0
    for number, image in enumerate(images):
        probabilities = _draw(number, possible, total, image.shape[:2])
        array, pixels = probabilities.numpy(), torch.from_numpy(image)
        times = []
        for _ in range(repeats):
            if cold:
                smoothness_kernel.cache_clear()
            expected, their_time = _timed(reference, array, image, settings)
            marginals, our_time = _timed(dense_crf, probabilities, pixels, settings)
            times.append((their_time, our_time))
        theirs.append(statistics.median(their_time for their_time, _ in times))
        ours.append(statistics.median(our_time for _, our_time in times))
        gap = abs(expected - marginals.numpy())
        same.append(float((expected.argmax(0) == marginals.numpy().argmax(0)).mean()))
        difference = max(difference, float(gap.max()))
    ratios = [first / second for first, second in zip(theirs, ours, strict=True)]
    return (
        f"| {name} | {labels} | {statistics.median(theirs):.3f} | {statistics.median(ours):.3f} "
        f"| {statistics.median(ratios):.2f}, {min(ratios):.2f}, {max(ratios):.2f} "
        f"| {statistics.mean(same):.4%}, {min(same):.4%} | {difference:.1e} |"
    )


def _draw(seed: int, possible: int, total: int, size: tuple[int, int]) -> Tensor:
    """(total, H, W) float32 probabilities of which the first `possible` are not 0."""
    scores = 3 * torch.randn(1, possible, 14, 14, generator=torch.Generator().manual_seed(seed))
    smooth = functional.interpolate(scores, size, mode="bicubic").softmax(dim=1)[0]
    return torch.cat([smooth, smooth.new_zeros(total - possible, *size)])


def _timed(function: Callable[..., T], *arguments: object) -> tuple[T, float]:
    """The value and the seconds it took."""
    start = time.perf_counter()
    value = function(*arguments)
    return value, time.perf_counter() - start


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
