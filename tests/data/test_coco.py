"""COCO's layout: contiguous labels, lists, masks drawn, and files that are none."""

import json
from pathlib import Path

import numpy as np
import pytest
from layouts_drawn import SIZE, box, coco_folder, coco_json, picture

from wsss_cli.data.coco import find, read
from wsss_cli.data.image_table import ImageTable
from wsss_cli.errors import WsssError


@pytest.fixture
def table(tmp_path: Path) -> ImageTable:
    found = find(coco_folder(tmp_path))
    assert found is not None
    assert not found.problems
    return found


def test_classes_are_numbered_without_gaps_in_the_order_of_cocos_numbers(table: ImageTable) -> None:
    assert table.class_names == ("car", "train", "toothbrush")
    labels = table.labels(["000000000009", "000000000025", "000000000042"])
    assert labels.tolist() == [[1, 1, 1], [1, 0, 0], [0, 1, 0]]  # the crowd's car counts


def test_images_without_object_are_negatives_and_said_so(table: ImageTable) -> None:
    assert table.image_ids("train") == ["000000000025", "000000000009", "000000000030"]
    assert table.image_ids("val") == ["000000000042"]
    assert table.labels(["000000000030"]).tolist() == [[0, 0, 0]]
    assert any("1 images of train have no object" in remark for remark in table.remarks)


def test_mask_has_crowds_below_and_small_objects_above(table: ImageTable) -> None:
    expected = np.zeros(SIZE, np.uint8)
    expected[:, :10] = 255
    expected[5:35, 5:45] = 3
    expected[10:20, 20:30] = 2
    mask = table.true_label_map("000000000009")
    assert mask is not None
    assert (mask == expected).all()
    nothing = table.true_label_map("000000000030")
    assert nothing is not None
    assert not nothing.any()
    assert table.true_label_map("000000000031") is None  # in no list
    assert table.masks is None
    assert "wsss data convert" in table.masks_advice


def test_list_without_any_of_its_pictures_is_refused_and_no_other(tmp_path: Path) -> None:
    root = coco_folder(tmp_path)
    for path in (root / "train2017").iterdir():
        path.unlink()
    found = find(root)
    assert found is not None
    assert found.image_ids("val") == ["000000000042"]
    with pytest.raises(WsssError, match=r"instances_train2017\.json.*\b3 pictures.*train"):
        found.image_ids("train")


def test_single_missing_picture_is_a_problem(tmp_path: Path) -> None:
    root = coco_folder(tmp_path)
    (root / "train2017" / "000000000009.jpg").unlink()
    found = find(root)
    assert found is not None
    with pytest.raises(
        WsssError, match=r"instances_train2017\.json, image 9: '.*000000000009\.jpg'"
    ):
        found.image_ids("train")


def test_exporters_put_the_file_beside_the_pictures(tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "valid")):
        picture(tmp_path / split / "same name.jpg", seed)
        coco_json(
            tmp_path / split / "_annotations.coco.json",
            {0: "same name.jpg"},
            [{"image_id": 0, "category_id": seed, "segmentation": box(1, 1, 3, 3)}],
            {0: "ant", 1: "bee"},
        )
    found = find(tmp_path)
    assert found is not None
    assert not found.problems
    assert found.image_ids("train") == ["train__same_name"]
    assert found.image_ids("val") == ["valid__same_name"]
    assert found.labels(["train__same_name", "valid__same_name"]).tolist() == [[1, 0], [0, 1]]


def test_one_file_may_be_given(tmp_path: Path) -> None:
    table = read(coco_folder(tmp_path) / "annotations" / "instances_val2017.json")
    assert table.image_ids("train") == ["000000000042"]
    assert table.root.name == "instances_val2017.json"


def test_files_of_different_classes_are_refused(tmp_path: Path) -> None:
    root = coco_folder(tmp_path)
    path = root / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    content["categories"][0]["name"] = "brush"
    path.write_text(json.dumps(content))
    with pytest.raises(WsssError, match=r"instances_val2017\.json .*classes"):
        find(root)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": None}, "no COCO annotation file"),
        ({"images": []}, "names no image"),
        ({"images": [{"id": 1, "file_name": 3}], "annotations": []}, "no COCO annotation file"),
        ({"categories": [{"id": 1}]}, "no COCO annotation file"),
        ({"annotations": [{"image_id": 42, "segments_info": []}]}, "panoptic"),
        ({"annotations": [{"image_id": 42, "caption": "a train"}]}, "captions"),
    ],
)
def test_file_that_is_none_of_cocos_is_refused(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    path = coco_folder(tmp_path) / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(WsssError, match=said):
        read(path)


@pytest.mark.parametrize(("image", "category"), [(42, 8), (1, 7)])
def test_annotation_of_what_the_file_does_not_have_is_a_problem(
    tmp_path: Path, image: int, category: int
) -> None:
    path = coco_folder(tmp_path) / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    content["annotations"].append({"id": 5, "image_id": image, "category_id": category})
    path.write_text(json.dumps(content))
    table = read(path)
    assert any(f"image {image} and category {category}" in problem for problem in table.problems)
    assert table.usable_ids("train") == ["000000000042"]
    with pytest.raises(WsssError, match=f"image {image} and category {category}"):
        table.image_ids("train")


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"images"', "[" * 100_000])
def test_file_that_is_no_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(WsssError, match=r"a\.json"):
        read(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("region", "height", "said"),
    [
        (box(0, 0, 1, 1), 0, "has the size 0 x 64"),
        (box(0, 0, 1, 1), 10**9, "has the size 1000000000 x 64"),
        (box(0, 0, 1, 1), "48", "has the size 48 x 64"),
    ],
)
def test_size_that_is_none_is_named(
    tmp_path: Path, region: object, height: object, said: str
) -> None:
    path = coco_folder(tmp_path) / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = region
    content["images"][0]["height"] = height
    path.write_text(json.dumps(content))
    with pytest.raises(WsssError, match=said):
        read(path).true_label_map("000000000042")


def test_files_without_objects_are_not_read_and_others_are_named(tmp_path: Path) -> None:
    root = coco_folder(tmp_path)
    annotations = root / "annotations"
    (annotations / "more.json").write_text("{}")
    assert any("more.json" in remark for remark in find(root).remarks)  # type: ignore[union-attr]
    for split in ("train", "val"):
        path = annotations / f"instances_{split}2017.json"
        path.rename(annotations / f"{split}.json")
        for kind in ("panoptic", "person_keypoints"):
            (annotations / f"{kind}_{split}2017.json").write_text("{}")
    (annotations / "more.json").unlink()
    found = find(root)
    assert found is not None
    assert found.splits() == ["train", "val"]


def test_pictures_without_entry_are_counted(tmp_path: Path) -> None:
    root = coco_folder(tmp_path)
    picture(root / "val2017" / "more.jpg", 5)
    found = find(root)
    assert found is not None
    assert any(remark.startswith("1 pictures are in no list") for remark in found.remarks)


def test_numbers_may_be_written_as_text(tmp_path: Path) -> None:
    path = coco_folder(tmp_path) / "annotations" / "instances_val2017.json"
    expected = read(path)
    ids = expected.image_ids("train")
    drawn = expected.true_label_map(ids[0])
    content = json.loads(path.read_text())
    for entry in content["annotations"]:
        entry |= {key: str(entry[key]) for key in ("image_id", "category_id")}
    path.write_text(json.dumps(content))
    table = read(path)
    assert not table.problems
    assert (table.labels(ids) == expected.labels(ids)).all()
    assert np.array_equal(table.true_label_map(ids[0]), drawn)


def test_category_that_is_there_twice_is_named(tmp_path: Path) -> None:
    path = coco_folder(tmp_path) / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    name = content["categories"][0]["name"]
    content["categories"].append({"id": 77, "name": name})
    path.write_text(json.dumps(content))
    with pytest.raises(WsssError, match=name):
        read(path)
