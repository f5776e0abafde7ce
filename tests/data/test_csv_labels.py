"""Labels in a CSV: both forms, what separates what, and bad rows by their line."""

from pathlib import Path

import numpy as np
import pytest
from layouts_drawn import csv_folder, picture
from PIL import Image

from wsss_cli.data.csv_labels import find
from wsss_cli.data.image_table import ImageTable
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import UsageError, WsssError

NAMES = ("a.png", "b.jpg", "deep/c.webp")


def _read(folder: Path, *lines: str) -> ImageTable:
    table = find(csv_folder(folder, lines, NAMES))
    assert table is not None
    return table


def _named(table: ImageTable) -> dict[str, set[str]]:
    return {image_id: set(image.classes) for image_id, image in table.images.items()}


EXPECTED = {"a": {"cat", "dog"}, "b": {"dog"}, "deep__c": {"cat"}}


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("image,labels", "a.png,dog cat", "b.jpg,dog", "c.webp,cat"), id="spaces"),
        pytest.param(("image;labels", "a;dog,cat", "b;dog", "c;cat"), id="semicolons"),
        pytest.param(("image,labels", 'a,"cat, dog"', "b,dog", "deep/c,cat"), id="quotes"),
        pytest.param(("Image\tLabel", "a\tdog|cat", "b\tdog", "c\tcat"), id="tabs"),
        pytest.param(("image,dog,cat", "a,1,1", "b,1,0", "c,0,1"), id="columns"),
        pytest.param(("file_name,dog,cat", "a,True,yes", "b,1.0,", "c,no,TRUE"), id="words"),
        pytest.param((",image,labels", "0,a,dog cat", "1,b,dog", "2,c,cat"), id="pandas"),
        pytest.param(("image,label", "a,dog", "b,dog", "c,cat", "a,cat"), id="row per label"),
        pytest.param(("\ufeffimage,labels", "", "a,cat;dog", "b,dog", "c,cat"), id="Excel"),
        pytest.param(("url,labels,image", "x,cat;dog,a", "y,dog,b", "z,cat,c"), id="more columns"),
    ],
)
def test_both_forms_say_the_same(tmp_path: Path, lines: tuple[str, ...]) -> None:
    table = _read(tmp_path, *lines)
    assert not table.problems
    assert _named(table) == EXPECTED
    assert table.class_names == ("cat", "dog")
    assert table.labels(["a", "b", "deep__c"]).tolist() == [[1, 1], [0, 1], [1, 0]]
    assert table.image_path("deep__c") == tmp_path / "deep" / "c.webp"


def test_spaces_belong_to_names_where_something_else_separates(tmp_path: Path) -> None:
    table = _read(tmp_path, "image,labels", "a,traffic light|dog", "b,traffic light", "c,dog")
    assert table.class_names == ("dog", "traffic light")
    assert _named(table)["b"] == {"traffic light"}


def test_listed_classes_have_their_order_and_their_spaces(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("zebra\ntraffic light\ndog\n")
    table = _read(tmp_path, "image,labels", "a,traffic light", "b,dog zebra", "c,dog")
    assert table.class_names == ("zebra", "traffic light", "dog")
    assert _named(table) == {"a": {"traffic light"}, "b": {"dog", "zebra"}, "deep__c": {"dog"}}


def test_split_column_makes_lists(tmp_path: Path) -> None:
    table = _read(tmp_path, "image,labels,split", "b,dog,train", "a,cat,Validation", "c,dog,train")
    assert table.splits() == ["train", "val"]
    assert table.image_ids("train") == ["b", "deep__c"]
    assert table.image_ids("val") == ["a"]
    assert table.about_training() is None


def test_without_lists_everything_is_trained_on_and_said_so(tmp_path: Path) -> None:
    table = _read(tmp_path, "image,labels", "a,dog", "b,cat")
    assert table.image_ids(table.training_split()) == ["a", "b"]
    assert "all its images are trained on" in str(table.about_training())
    with pytest.raises(UsageError, match=r"\bval\b.*\btrain\b.*--split"):
        table.image_ids("val")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("nothing.jpg,dog", "line 3: 'nothing.jpg' is no picture"),
        ("../a.png,dog", "line 3: '../a.png' leads out of"),
        ("/etc/passwd,dog", "line 3: '/etc/passwd' leads out of"),
        ("b,dog,cat", "line 3 has 3 cells, the header 2"),
        ("b", "line 3 has 1 cells"),
        ("b,zebra", "line 3 names the class 'zebra', which is not among dog, cat"),
    ],
)
def test_bad_row_is_named_with_its_line_by_whoever_wants_a_list(
    tmp_path: Path, bad: str, said: str
) -> None:
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    table = _read(tmp_path, "image,labels", "a,dog", bad, "c,also bad")
    with pytest.raises(WsssError, match="and 1 more") as refused:
        table.image_ids("train")
    assert said in str(refused.value)
    assert "labels.csv line 4" in table.problems[1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("image,dog,cat", "a,1,2"), "line 2: '2' in the column cat is neither 0 nor 1"),
        (("image,labels,split", "b,dog,val", "a,dog,"), "line 3 says no split"),
        (("image,labels,split", "a,dog,x/y"), "'x/y' is not the name of a list"),
        (("image,labels,split", "a,dog,train", "a,cat,val"), "line 3 puts a into the list val"),
    ],
)
def test_cell_that_means_nothing_is_a_problem(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    assert any(said in problem for problem in _read(tmp_path, *lines).problems)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("a.png,dog", "b.jpg,cat"), "its first line is a picture's row; it should be a header"),
        (("name,labels", "a,dog"), "its first line is name, labels; it should be a header"),
        (("image", "a"), "has the columns image"),
        (("image,dog,dog", "a,1,0"), "names a column twice"),
        (("image,labels", 'a,"dog'), "line 2 cannot be read"),
        (("",), "is empty"),
        (("image,labels", "a,", "b,"), "names no class"),
        (("image,labels", "a,dog,cat"), "line 2 has 3 cells"),
    ],
)
def test_file_that_is_no_table_of_labels_is_refused(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(WsssError, match=r"labels\.csv") as refused:
        _read(tmp_path, *lines)
    assert said in str(refused.value)


def test_list_without_any_label_is_unlabelled_and_said_so(tmp_path: Path) -> None:
    table = _read(tmp_path, "image,labels,split", "a,dog,train", "b,,test", "c,,test")
    assert table.image_ids("test") == ["b", "deep__c"]
    with pytest.raises(WsssError, match=r"2 images.*: b, deep__c"):
        table.labels(["b", "deep__c"])
    assert any("list test" in remark for remark in table.remarks)


def test_other_encodings_are_refused_by_name(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path, ["image,labels"], NAMES)
    (folder / "labels.csv").write_bytes("image,labels\na,été\n".encode("latin-1"))
    with pytest.raises(WsssError, match="UTF-8"):
        find(folder)


def test_one_of_several_files_must_be_chosen(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0)
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("image,labels\na,dog\n")
    with pytest.raises(UsageError, match=r"one\.csv, two\.csv"):
        find(tmp_path)
    (tmp_path / "train.csv").write_text("image,labels\na,dog\n")
    with pytest.raises(UsageError, match=r"--data .*train\.csv"):
        find(tmp_path)
    (tmp_path / "labels.csv").write_text("image,labels\na,cat\n")
    table = find(tmp_path)
    assert table is not None
    assert table.class_names == ("cat",)


def test_pictures_may_lie_in_a_folder_of_images(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png", 0)
    picture(tmp_path / "logo.png", 1)
    picture(tmp_path / "masks" / "a.png", 2)
    for name in ("images/a.png", "a.png", "a"):
        (tmp_path / "labels.csv").write_text(f"image,labels\n{name},dog\n")
        table = find(tmp_path)
        assert table is not None
        assert table.image_ids("train") == ["a"]
        assert table.mask_path("a") == tmp_path / "masks" / "a.png"


@pytest.mark.parametrize("column", ["split", "subset", "set"])
def test_lists_may_have_other_names(tmp_path: Path, column: str) -> None:
    header = f"image,labels,{column}"
    table = _read(tmp_path, header, "b,dog,Training", "a,cat,test set", "c,dog,training")
    assert table.splits() == ["train", "test"]
    assert table.image_ids("train") == ["b", "deep__c"]
    assert table.image_ids("test set") == ["a"]
    assert any("test set as test" in remark for remark in table.remarks)


def test_column_of_what_is_held_out(tmp_path: Path) -> None:
    table = _read(tmp_path, "image,labels,is_valid", "b,dog,False", "a,cat,True", "c,dog,False")
    assert table.image_ids("train") == ["b", "deep__c"]
    assert table.image_ids("val") == ["a"]


@pytest.mark.parametrize("name", ["A.PNG", "/home/alice/a.png", "x\\a.png", "%61.png"])
def test_names_are_found_as_in_other_layouts(tmp_path: Path, name: str) -> None:
    table = _read(tmp_path, "image,labels", f"{name},dog", "b,cat")
    assert table.image_ids("train") == ["a", "b"]
    assert any(remark.startswith("1 names") for remark in table.remarks)


def test_list_without_any_of_its_pictures_is_refused_and_no_other(tmp_path: Path) -> None:
    table = _read(tmp_path, "image,labels,split", "a,dog,train", "b,cat,train", "x,dog,val")
    assert table.image_ids("train") == ["a", "b"]
    with pytest.raises(WsssError, match=r"\blist val\b"):
        table.image_ids("val")


@pytest.mark.parametrize(
    "header",
    ["img_path,class_name", "Image Path;Category", "filepath,label", "File-Name,class", "id,label"],
)
def test_columns_may_be_called_otherwise(tmp_path: Path, header: str) -> None:
    separator = ";" if ";" in header else ","
    table = _read(tmp_path, header, f"a{separator}dog", f"b{separator}cat")
    assert table.class_names == ("cat", "dog")
    assert table.image_ids("train") == ["a", "b"]


def test_class_that_is_called_as_a_column_of_pictures(tmp_path: Path) -> None:
    table = _read(tmp_path, "id,drawing,photo", "a,1,0", "b,0,1")
    assert table.class_names == ("drawing", "photo")


@pytest.mark.parametrize("folder", ["Masks", "MASKS", "segmentationclass"])
def test_folder_of_masks_may_have_capitals(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    Image.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / folder / "a.png")
    table = _read(tmp_path, "image,labels", "a,dog", "b,cat")
    assert table.masks == tmp_path / folder
    assert not any(path.is_relative_to(tmp_path / folder) for path in table.pictures())
    (tmp_path / "labels.csv").unlink()
    (tmp_path / "classes.txt").write_text("dog\n")
    (tmp_path / "deep" / "c.webp").unlink()
    unlabelled = find_data_set(tmp_path)
    assert unlabelled.image_ids("train") == ["a", "b"]


@pytest.mark.parametrize("below", ["", "pictures/", "train/"])
def test_each_list_may_have_a_table(tmp_path: Path, below: str) -> None:
    for at, name in enumerate("abcd"):
        picture(tmp_path / f"{below}{name}.png", at)
    (tmp_path / "train.csv").write_text("id,label\na,dog\nb,cat\n")
    (tmp_path / "valid.csv").write_text("id,label\nc,dog\nd,bird\n")
    table = find(tmp_path)
    assert table is not None
    assert not table.problems
    assert table.class_names == ("bird", "cat", "dog")
    assert {split: len(table.image_ids(split)) for split in table.splits()} == {
        "train": 2,
        "val": 2,
    }
    (tmp_path / "valid.csv").write_text("id,label\nc,dog\ne,cat\n")
    table = find(tmp_path)
    assert table is not None
    assert any("valid.csv line 3" in problem for problem in table.problems)
