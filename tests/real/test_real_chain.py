"""A short chain on real photographs with real weights, by the installed command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

REAL = Path(os.environ.get("WSSS_REAL_DATA", "/nonexistent"))
TRAIN_IMAGES, VAL_IMAGES = 24, 8

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (REAL / "voc-mini").is_dir(), reason="WSSS_REAL_DATA is not set"),
]


def wsss(*arguments: str, cwd: Path) -> str:
    command = [str(Path(sys.executable).parent / "wsss"), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory beside a VOC2012 of a few images, reached through links."""
    place = tmp_path_factory.mktemp("real")
    source = REAL / "voc-mini" / "VOC2012"
    lists = source / "ImageSets" / "Segmentation"
    for split, count in (("train_aug", TRAIN_IMAGES), ("val", VAL_IMAGES)):
        # A stride through the list gives several classes.
        ids = (lists / f"{split}.txt").read_text().split()
        chosen = ids[:: len(ids) // count][:count]
        target = place / "VOC2012" / "ImageSets" / "Segmentation" / f"{split}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(chosen) + "\n")
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "SegmentationClassAug"):
        (place / "VOC2012" / folder).symlink_to(source / folder)
    (place / "saliency_maps").symlink_to(REAL / "voc-mini" / "saliency")
    return place


def test_the_five_lines_give_a_scored_segmentation(workplace: Path) -> None:
    weights = REAL / "weights" / "vgg16_features.pth"
    short = ("--iterations", "3", "--batch-size", "4", "--frozen-blocks", "2")
    wsss("train", "--data", "VOC2012", "--weights", str(weights), "--crop", "128", *short,
         cwd=workplace)  # fmt: skip
    attended = json.loads(wsss("attend", "--flip", "--heatmaps", "--json", cwd=workplace))
    assert attended["written"] == TRAIN_IMAGES
    proxies = json.loads(
        wsss("proxy", "--saliency", "saliency_maps", "--w", "1", "--json", cwd=workplace)
    )
    assert proxies["images"] == TRAIN_IMAGES
    wsss("segment", "--crop", "129", *short, cwd=workplace)
    scores = json.loads(wsss("evaluate", "--baselines", "--json", cwd=workplace))
    assert scores["images"] == VAL_IMAGES
    assert 0 < scores["miou"] < 1
    assert "mIoU" in wsss("evaluate", cwd=workplace)
    shutil.rmtree(workplace / "runs" / "default" / "segment")
    assert "not there" in wsss("show", cwd=workplace)


def test_attention_of_the_run_is_readable_with_h5py_alone(workplace: Path) -> None:
    with h5py.File(workplace / "runs" / "default" / "attend" / "attention.h5") as file:
        assert len(file) == TRAIN_IMAGES
        for group in file.values():
            maps = group["maps"][()]
            assert maps.shape == (len(group["class_ids"]), group.attrs["height"],
                                  group.attrs["width"])  # fmt: skip
            assert maps.min() >= 0
            assert maps.max() <= 1
