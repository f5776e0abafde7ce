"""Draw docs/images/chain.png: what the chain makes of one photograph of ``wsss demo``.

    wsss demo wsss-demo
    python scripts/draw_chain.py wsss-demo

The photograph is the one of median score among those of the validation list that show one object:
half of them turned out better, half worse. No network has learned from it.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

import wsss_cli as wsss
from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.branch_png import Tile, heat_tile, label_tile, write_rows
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.chains.demo import DATA, SALIENCY, TEST_SIZE
from wsss_cli.data.images import read_image, read_saliency
from wsss_cli.labels import IGNORE
from wsss_cli.metrics.segmentation import confusion_matrix, iou

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "chain.png"
LabelMap = npt.NDArray[np.uint8]


def main(demo: Path) -> None:
    """Make attention and proxies of the validation images, and draw the median one."""
    chain, data, run = demo / "runs" / "seenet", demo / DATA, demo / "runs" / "picture"
    checkpoint = chain / "train" / "checkpoint.pt"
    wsss.attend(run=run, data=data, checkpoint=checkpoint, split="val", size=TEST_SIZE)
    wsss.proxy(run=run, data=data, saliency=demo / SALIENCY)
    scores = {}
    for path in sorted((chain / "segment" / "predictions").glob("*.png")):
        truth = _truth(data, path.stem)
        if len(_objects(truth)) == 1:
            scores[path.stem] = _object_iou(read_label_map(path), truth)
    image_id = sorted(scores, key=lambda name: scores[name])[len(scores) // 2]

    truth = _truth(data, image_id)
    photograph = read_image(data / "JPEGImages" / f"{image_id}.jpg")
    class_names = (data / "classes.txt").read_text(encoding="utf-8").split()
    class_id = int(_objects(truth)[0])
    with AttentionFile(run / "attend" / "attention.h5") as file:
        attention = file.read(image_id).maps[0].astype(np.float32)
    saliency = read_saliency(demo / SALIENCY / f"{image_id}.png")
    made = read_label_map(run / "proxy" / "labels" / f"{image_id}.png")
    prediction = read_label_map(chain / "segment" / "predictions" / f"{image_id}.png")
    refined = read_label_map(chain / "crf" / "labels" / f"{image_id}.png")
    row = {
        "photograph": Tile(photograph, [f'label: "{class_names[class_id - 1]}"']),
        "attention": heat_tile(photograph, attention, ["where SeeNet looks"]),
        "saliency": Tile(np.repeat(saliency[:, :, None], 3, axis=2), ["what stands out"]),
        "proxy label": label_tile(made, [f"IoU {_object_iou(made, truth):.0%}"]),
        "prediction": label_tile(prediction, [f"IoU {scores[image_id]:.0%}"]),
        "with the CRF": label_tile(refined, [f"IoU {_object_iou(refined, truth):.0%}"]),
        "truth": label_tile(truth, ["for the score only"]),
    }
    write_rows(PICTURE, [row], "")
    print(f"{PICTURE}: {image_id}, the median of {len(scores)} images")


def _truth(data: Path, image_id: str) -> LabelMap:
    return read_label_map(data / "SegmentationClass" / f"{image_id}.png")


def _objects(label_map: LabelMap) -> LabelMap:
    labels = np.unique(label_map)
    return labels[(labels != 0) & (labels != IGNORE)]


def _object_iou(label_map: LabelMap, truth: LabelMap) -> float:
    """Return the IoU of the one class that the truth shows."""
    num_labels = int(max(label_map[label_map != IGNORE].max(), _objects(truth).max())) + 1
    return float(iou(confusion_matrix(label_map, truth, num_labels))[int(_objects(truth)[0])])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
