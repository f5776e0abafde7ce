"""Score the maximum of several attention files: what merging alone is worth, without erasing.

    python benchmarks/merged_attention.py VOC2012 A/attention.h5 B/attention.h5

Prints the mIoU at the best threshold and at 0.3, and the background lit where half of the object is
found, as ``wsss evaluate --what attention`` has them.
"""

import argparse
from contextlib import ExitStack
from functools import reduce
from pathlib import Path

import numpy as np
import torch

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.data.voc import find
from wsss_cli.metrics.attention import ThresholdCurve, background_lit, lit_at_recall, object_found
from wsss_cli.metrics.segmentation import iou
from wsss_cli.stages.evaluate import FIXED_THRESHOLD, MATCHED_RECALL, THRESHOLDS


def main() -> None:
    """Read the arguments, merge, score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="VOC tree")
    parser.add_argument("attention", type=Path, nargs="+", help="files of the same images")
    args = parser.parse_args()
    data_set = find(args.data)
    curve = ThresholdCurve(len(data_set.class_names) + 1, THRESHOLDS)
    with ExitStack() as opened:
        files = [
            opened.enter_context(AttentionFile(p, data_set.class_names)) for p in args.attention
        ]
        for image_id in files[0].image_ids:
            found = [file.read(image_id) for file in files]
            if any((one.class_ids != found[0].class_ids).any() for one in found):
                raise SystemExit(f"{image_id} has other classes in one of the files")
            merged = reduce(np.maximum, [enlarge_maps(one.maps, one.size) for one in found])
            curve.update(
                torch.from_numpy(merged),
                torch.from_numpy(found[0].class_ids).long(),
                torch.tensor(read_label_map(data_set.mask_path(image_id))),
            )
    confusions = curve.confusions()
    miou = iou(confusions).nanmean(dim=-1)
    best = int(miou.argmax())
    fixed = float(iou(curve.confusion_at(FIXED_THRESHOLD)).nanmean())
    lit = lit_at_recall(object_found(confusions), background_lit(confusions), MATCHED_RECALL)
    print(f"best {miou[best]:.4f} at {THRESHOLDS[best]:.2f}, at {FIXED_THRESHOLD} {fixed:.4f}")
    print(f"background lit at recall {MATCHED_RECALL}: {lit:.4f}")


if __name__ == "__main__":
    main()
