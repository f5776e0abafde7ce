"""Time ``wsss proxy`` beside the decoding and encoding that it cannot do without.

    python benchmarks/proxy.py attention.h5 saliency_maps

The stage's whole run with the default rule, against decoding the same images' saliency maps and
encoding the same label maps, in memory and at the same compression, and nothing else: no attention
read, no rule, no file written. One thread; seconds of the processor count, so waiting for the disk
does not.
"""

import io
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from PIL import Image
from ratios import Ratio, as_script, in_turn, ratio_of

from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.stages.proxy import run
from wsss_cli.tracking import Silent


def measure(attention: Path, saliency: Path, *, rounds: int = 3) -> list[Ratio]:
    """The one row."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with TemporaryDirectory() as folder:
        runs = iter(range(rounds + 2))  # a fresh one each time, so there is nothing to resume

        def proxy() -> Path:
            config = ProxyConfig(
                run=Path(folder, str(next(runs))), attention=attention, saliency=saliency, workers=0
            )
            return run(config, track=Silent()).directory / "labels"

        label_maps = []
        for path in sorted(proxy().glob("*.png")):
            with Image.open(path) as image:
                image.load()
                label_maps.append((saliency / path.name, image))

        def bare() -> None:
            for path, label_map in label_maps:
                np.asarray(Image.open(path))
                label_map.save(io.BytesIO(), "PNG", compress_level=1)

        seconds = in_turn({"proxy": proxy, "bare": bare}, rounds, time.process_time)
    against = "decoding the saliency PNG, encoding the label PNG"
    return [Ratio("proxy", against, ratio_of(seconds["proxy"], seconds["bare"]), 2)]


if __name__ == "__main__":
    as_script(
        measure, attention="attention file", saliency="folder of saliency maps, PNG by image id"
    )
