"""Each layout is recognised by what lies there, and what belongs to none is told so."""

from pathlib import Path

import pytest
from conftest import TinyVoc
from data_sets_drawn import class_folders, coco_set, photograph, voc_set
from layouts_drawn import coco_folder, csv_folder, picture

from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import UsageError, WsssError


def test_every_layout_is_recognised(voc: TinyVoc, tmp_path: Path) -> None:
    assert find_data_set(voc.root.parent).layout == "PASCAL VOC"
    assert find_data_set(coco_folder(tmp_path / "coco")).layout == "COCO"
    lines = ["image,labels", "a.png,dog", "b.png,cat"]
    table = csv_folder(tmp_path / "csv", lines, ["a.png", "b.png"])
    assert find_data_set(table).layout == "pictures with a CSV of labels"
    assert find_data_set(table / "labels.csv").image_ids("train") == ["a", "b"]
    for name in ("dog/1.png", "cat/1.png"):
        picture(tmp_path / "folders" / name, 0)
    assert find_data_set(tmp_path / "folders").layout == "one folder per class"
    (tmp_path / "parts.toml").write_text('images = "csv"\nlabels = "csv/labels.csv"\n')
    assert find_data_set(tmp_path / "parts.toml").image_ids("train") == ["a", "b"]


def test_root_finds_the_same_data_set_again(tmp_path: Path) -> None:
    lines = ["image,labels", "a.png,dog", "b.png,cat"]
    table = csv_folder(tmp_path / "csv", lines, ["a.png", "b.png"])
    (tmp_path / "parts.toml").write_text('images = "csv"\nlabels = "csv/labels.csv"\n')
    for given in (table, table / "labels.csv", tmp_path / "parts.toml"):
        first = find_data_set(given)
        again = find_data_set(first.root)
        ids = first.image_ids("train")
        assert first.root.is_absolute()
        assert again.fingerprint(ids, None) == first.fingerprint(ids, None)


def test_folder_of_no_layout_is_told_what_was_looked_for(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0)
    with pytest.raises(UsageError, match=r"--data .*JPEGImages.*annotations.*CSV.*one per class"):
        find_data_set(tmp_path)
    with pytest.raises(UsageError, match="nowhere"):
        find_data_set(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"a\.png"):
        find_data_set(tmp_path / "a.png")


def test_class_names_are_in_the_fingerprint(tmp_path: Path) -> None:
    lines = ["image,labels", "a.png,dog", "b.png,cat"]
    folder = csv_folder(tmp_path, lines, ["a.png", "b.png"])
    before = find_data_set(folder)
    labels = before.labels(["a", "b"])
    assert labels.tolist() == [[False, True], [True, False]]  # cat, dog
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("dog", "fox"))
    after = find_data_set(folder)
    assert (after.labels(["a", "b"]) == labels).all()
    assert after.fingerprint(["a", "b"], labels) != before.fingerprint(["a", "b"], labels)


@pytest.mark.parametrize(
    ("suffix", "noticed"),
    [("bmp", True), ("BMP", True), ("tif", True), ("tiff", True), ("png", False), ("jpg", False)],
)
def test_another_picture_of_the_same_sides_is_noticed_where_it_has_the_same_bytes(
    tmp_path: Path, suffix: str, noticed: bool
) -> None:
    """Of a compressed picture the size of the file tells it, and the fingerprint is as ever."""
    folder = csv_folder(tmp_path, ["image,labels", f"a.{suffix},dog"], [f"a.{suffix}"])
    data_set, path = find_data_set(folder), folder / f"a.{suffix}"
    before, size = data_set.fingerprint(["a"], None), path.stat().st_size
    assert (before == fingerprint([data_set.class_names, [["a", size]], None])) == (not noticed)
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(content)
    assert (data_set.fingerprint(["a"], None) != before) == noticed
    content[-1] ^= 255
    path.write_bytes(content)
    assert data_set.fingerprint(["a"], None) == before


@pytest.mark.parametrize("name", ["background", "Background"])
def test_background_is_no_class_in_any_layout(tmp_path: Path, name: str) -> None:
    csv_folder(tmp_path, ["image,labels", f"a.png,{name}"], ["a.png"])
    with pytest.raises(WsssError, match=r"(?i)background.*\b0\b"):
        find_data_set(tmp_path)


def test_data_set_one_or_two_levels_down_is_found_and_said(tmp_path: Path) -> None:
    folders = [f"{split}/{name}" for split in ("train", "test") for name in ("normal", "sick")]
    class_folders(tmp_path / "archive" / "chest", folders)
    for given in (tmp_path, tmp_path / "archive"):
        table = find_data_set(given)
        assert table.root == (tmp_path / "archive" / "chest").resolve()
        assert len(table.image_ids("train")) == 4
        assert any("chest" in remark for remark in table.remarks)


@pytest.mark.parametrize("layout", ["voc", "coco", "csv"])
def test_every_layout_is_found_below(tmp_path: Path, layout: str) -> None:
    place = tmp_path / "archive" / "set"
    place.parent.mkdir()
    if layout == "voc":
        voc_set(place)
    elif layout == "coco":
        place.mkdir()
        coco_set(place)
    else:
        csv_folder(place, ["image,labels", "a.png,dog", "b.png,cat"], ["a.png", "b.png"])
    data_set = find_data_set(tmp_path / "archive")
    assert data_set.root == place.resolve()
    assert "the data set lies in set" in data_set.remarks
    assert data_set.image_ids("train")


def test_several_data_sets_below_are_a_question(tmp_path: Path) -> None:
    voc_set(tmp_path / "one")
    (tmp_path / "two").mkdir()
    coco_set(tmp_path / "two")
    with pytest.raises(UsageError, match=r"one.*two.*--data .*one"):
        find_data_set(tmp_path)


def test_folder_of_no_layout_is_told_what_is_there(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0)
    (tmp_path / "b.heic").touch()
    with pytest.raises(UsageError, match=r"1 pictures, 1 \.heic"):
        find_data_set(tmp_path)


def test_labels_in_the_folder_of_each_list(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        lines = ["filename, cat, dog", *(f"{split}{i}.jpg, {i % 2}, {1 - i % 2}" for i in range(3))]
        for i in range(3):
            photograph(tmp_path / split / f"{split}{i}.jpg", i)
        (tmp_path / split / "_classes.csv").write_text("\n".join(lines) + "\n")
    table = find_data_set(tmp_path)
    assert table.class_names == ("cat", "dog")
    assert table.image_ids("train") == [f"train__train{i}" for i in range(3)]
    assert table.image_ids("val") == [f"valid__valid{i}" for i in range(3)]
    assert table.labels(table.image_ids("val")).tolist() == [[0, 1], [1, 0], [0, 1]]
    with (tmp_path / "valid" / "_classes.csv").open("a") as file:
        file.write("gone.jpg, 1, 0\n")
    (problem,) = find_data_set(tmp_path).problems
    assert problem.startswith("valid/_classes.csv line 5")


@pytest.mark.parametrize("inside", ["", "images/"])
def test_pictures_of_a_list_may_lie_in_images(tmp_path: Path, inside: str) -> None:
    for split in ("train", "test"):
        photograph(tmp_path / split / f"{inside}a.jpg", 1)
        (tmp_path / split / "labels.csv").write_text("image,labels\na.jpg,cat\n")
    assert find_data_set(tmp_path).splits() == ["train", "test"]


def test_reason_below_is_told(tmp_path: Path) -> None:
    folders = [f"{a}/{b}" for a in ("train", "test", "chest") for b in ("train", "test")]
    class_folders(tmp_path / "chest", folders)
    with pytest.raises(UsageError, match=r"\bchest\b"):
        find_data_set(tmp_path)


def test_other_years_of_voc_are_named(tmp_path: Path) -> None:
    voc_set(tmp_path / "VOC2007")
    voc_set(tmp_path / "VOC2012")
    data_set = find_data_set(tmp_path)
    assert data_set.root.name == "VOC2012"
    assert any("VOC2007" in remark for remark in data_set.remarks)


def test_labels_of_yolo_are_named(tmp_path: Path) -> None:
    photograph(tmp_path / "images" / "train" / "a.jpg")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 .5 .5 .2 .2")
    with pytest.raises(UsageError, match="YOLO"):
        find_data_set(tmp_path)


def test_folder_in_a_data_set_is_told_which_to_give(tmp_path: Path) -> None:
    voc_set(tmp_path)
    with pytest.raises(UsageError, match=f"JPEGImages.*{tmp_path.name}"):
        find_data_set(tmp_path / "JPEGImages")
