"""How well saliency maps find objects of any class: foreground IoU against true masks.

    python benchmarks/saliency.py VOC2012 saliency_maps runs/u2netp/saliency/maps --skip 100

Foreground is every pixel of a class in the mask; 255 is not counted. The pixels of all images are
summed before the division.
"""

import argparse
from pathlib import Path

import numpy as np

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.images import read_saliency
from wsss_cli.data.resizing import resize_grey
from wsss_cli.data.voc import find
from wsss_cli.labels import IGNORE

LEVELS = (0.1, 0.3, 0.5)


def main() -> None:
    """Read the arguments, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="VOC tree")
    parser.add_argument("maps", type=Path, nargs="+", help="folders of grey PNGs by image id")
    parser.add_argument("--split", default="val")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first images")
    args = parser.parse_args()
    data_set = find(args.data)
    image_ids = data_set.image_ids(args.split)[args.skip :]
    print(f"foreground IoU, {len(image_ids)} images of {args.split}\n")
    print("| maps | " + " | ".join(f"above {level}" for level in LEVELS) + " |")
    print("|---|" + "---|" * len(LEVELS))
    for folder in args.maps:
        found = np.zeros((len(LEVELS), 2), np.int64)  # intersections and unions
        for image_id in image_ids:
            truth = read_label_map(data_set.mask_path(image_id))
            saliency = resize_grey(read_saliency(folder / f"{image_id}.png"), truth.shape)
            counted, true = truth != IGNORE, (truth > 0) & (truth != IGNORE)
            for number, level in enumerate(LEVELS):
                lit = (saliency > 255 * level) & counted
                found[number] += (lit & true).sum(), (lit | true).sum()
        cells = " | ".join(f"{100 * both / either:.1f}" for both, either in found)
        print(f"| {folder} | {cells} |")


if __name__ == "__main__":
    main()
