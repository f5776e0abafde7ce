"""CSV files, lists of VOC trees and names of classes."""

from pathlib import Path

import numpy as np
from conftest import TinyVoc
from endurance import ODD_NAMES, encodable, endures, hostile, spoiled
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wsss_cli.data.class_names import read_class_names
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.layouts import find_data_set
from wsss_cli.data.voc import VocDataSet

GOOD = b"image,labels,split\na.jpg,dog cat,train\nb.jpg,dog,val\nc/d.png,cat,train\n"
WIDE = b"image;cat;dog\na.jpg;1;0\nb.jpg;0;1\n"


def use(data: DataSet, folder: Path) -> None:
    """Ask a data set what the stages ask; every path it names must lie below the folder."""
    for split in data.splits():
        for image_id in data.image_ids(split):
            assert Path(f"{image_id}.png").name == f"{image_id}.png"
            assert data.image_path(image_id).resolve().is_relative_to(folder.resolve())
            data.labels([image_id])
            data.mask_path(image_id)
            data.true_label_map(image_id)
        data.fingerprint(data.image_ids(split), None)


def pictures(folder: Path) -> Path:
    (folder / "c").mkdir(parents=True, exist_ok=True)
    for name in ("a.jpg", "b.jpg", "c/d.png"):
        if not (folder / name).exists():
            Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(folder / name)
    return folder


def _read(tmp_path: Path, content: bytes) -> None:
    folder = pictures(tmp_path / "data")
    (folder / "labels.csv").write_bytes(content)
    endures("CSV", lambda: use(find_data_set(folder), folder))


@hostile
@given(content=spoiled(GOOD) | spoiled(WIDE) | st.binary(max_size=80))
def test_spoiled_csv_is_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, content)


@hostile
@given(
    cells=st.lists(st.lists(encodable, min_size=3, max_size=3), max_size=4),
    comma=st.sampled_from(",;\t"),
)
def test_any_cells_are_endured(tmp_path: Path, cells: list[list[str]], comma: str) -> None:
    rows = [["image", "labels", "split"], *cells]
    _read(tmp_path, "\n".join(comma.join(row) for row in rows).encode())


def test_cell_of_many_megabytes_is_endured(tmp_path: Path) -> None:
    _read(tmp_path, b'image,labels\na.jpg,"' + b"x " * 5_000_000 + b'"\n')
    _read(tmp_path, b"image," + b",".join(b"c%d" % n for n in range(200_000)) + b"\n")


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = pictures(tmp_path / "data")
    for name in ("../secret.jpg", str(tmp_path / "secret.jpg"), "..\\secret.jpg", "c/../../secret"):
        (folder / "labels.csv").write_text(f"image,labels\na.jpg,dog\n{name},cat\n")
        assert endures("CSV", lambda: use(find_data_set(folder), folder) or "read") is None


def _data_set(tmp_path: Path) -> Path:
    root = tmp_path / "VOC2012"
    for name in ("JPEGImages", "Annotations", "ImageSets/Segmentation", "SegmentationClass"):
        (root / name).mkdir(parents=True, exist_ok=True)
    return root


@hostile
@given(
    content=st.lists(encodable, max_size=4).map(lambda names: "\n".join(names).encode())
    | st.binary(max_size=60)
)
def test_any_list_is_endured(tmp_path: Path, content: bytes) -> None:
    root = _data_set(tmp_path)
    (root / "ImageSets/Segmentation/train.txt").write_bytes(content)

    def ids() -> None:
        for image_id in VocDataSet(root).image_ids("train"):
            assert Path(image_id).name == image_id
            assert VocDataSet(root).image_path(image_id).parent == root / "JPEGImages"
            assert not VocDataSet(root).image_path(image_id).exists()

    endures("lists of ids", ids)


@hostile
@given(name=encodable)
def test_any_name_of_a_list_is_endured(voc: TinyVoc, name: str) -> None:
    endures("lists of ids", lambda: VocDataSet(voc.root).image_ids(name))


def test_odd_ids_are_refused(tmp_path: Path) -> None:
    root = _data_set(tmp_path)
    for name in ODD_NAMES:
        if name.strip() and name not in ("\ud800", "a b", "con", "ﬁ", "a\nb", "é" * 120):
            (root / "ImageSets/Segmentation/train.txt").write_text(f"{name}\n")
            assert endures("lists of ids", lambda: VocDataSet(root).image_ids("train")) is None, (
                name
            )


@hostile
@given(
    content=st.lists(encodable, max_size=3).map(lambda names: "\n".join(names).encode())
    | st.binary(max_size=60)
)
def test_any_class_names_are_endured(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    endures("class names", lambda: read_class_names(tmp_path / "classes.txt"))
