"""The samples of docs/data.md are data sets: drawn as they are listed, they are read."""

import re
from pathlib import Path

import pytest
from conftest import Command
from data_sets_drawn import coco_set, photograph
from pages import blocks

CSVS = blocks("docs/data.md", "csv")
LISTINGS = {
    content.split("/\n")[0]: content
    for content in blocks("docs/data.md", "")
    if content.split("\n")[0].endswith("/")
}


def _checked(wsss: Command, data: Path) -> dict[str, object]:
    return wsss("data", "check", data, "--json").values


def _draw_listing(name: str, root: Path) -> Path:
    """Draw the photographs of a listing, whose later columns are further files or remarks."""
    paths = re.findall(r"(?:^|(?<=\s))[\w/]+\.jpg", LISTINGS[name])
    assert paths
    for seed, path in enumerate(paths):
        photograph(root / name / path, seed)
    return root / name


@pytest.mark.parametrize("content", CSVS, ids=["a column of labels", "a column per class"])
def test_csv(content: str, wsss: Command, tmp_path: Path) -> None:
    folder = _draw_listing("photos", tmp_path)
    (folder / "labels.csv").write_text(content)
    values = _checked(wsss, folder)
    assert values["layout"] == "pictures with a CSV of labels"
    assert values["class_names"] == ["cat", "dog"]
    assert values["images"] == 2


def test_a_folder_per_class(wsss: Command, tmp_path: Path) -> None:
    values = _checked(wsss, _draw_listing("animals", tmp_path))
    assert values["images"] == 4
    assert values["class_names"] == ["cat", "dog"]


def test_parts_named_in_toml(wsss: Command, tmp_path: Path) -> None:
    (toml,) = (block for block in blocks("docs/data.md", "toml") if "images =" in block)
    _draw_listing("photos", tmp_path)
    (tmp_path / "labels.csv").write_text(CSVS[1])
    (tmp_path / "masks").mkdir()
    (tmp_path / "train.txt").write_text("a.jpg\n")
    (tmp_path / "val.txt").write_text("holiday/b.jpg\n")
    (tmp_path / "birds.toml").write_text(toml)
    values = _checked(wsss, tmp_path / "birds.toml")
    assert values["images"] == 2
    assert values["class_names"] == ["cat", "dog"]


def test_voc_and_coco_have_the_folders_listed(wsss: Command, tmp_path: Path) -> None:
    coco = coco_set(tmp_path / "COCO")
    assert "annotations/instances_" in LISTINGS["COCO"]
    out = tmp_path / "VOC"
    assert wsss("data", "convert", coco, out).code == 0
    written = {str(path.relative_to(out)) for path in out.rglob("*")}
    for folder in ("JPEGImages", "Annotations", "ImageSets/Segmentation", "SegmentationClass"):
        assert folder in LISTINGS["VOC2012"]
        assert folder in written
